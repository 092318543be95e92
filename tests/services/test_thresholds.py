"""The confidence thresholds: each fulfils its description, and none is worse than another in both measures."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.metrics import WORTH
from app.services.trainer.thresholds import thresholds

X = [index / 100 for index in range(101)]


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def evaluation(precision: list[float], recall: list[float], at: int | None = None) -> dict[str, Any]:
    """As the worker writes it; the balanced threshold is at the best F1, or at a given position."""
    scores = [f1(one, r) for one, r in zip(precision, recall, strict=True)]
    peak = scores.index(max(scores)) if at is None else at
    best = {"confidence": X[peak], "precision": precision[peak], "recall": recall[peak], "f1": scores[peak]}
    return {"best": best, "curves": {"x": X, "precision": precision, "recall": recall, "f1": scores}}


@st.composite
def evaluations(draw: st.DrawFn) -> dict[str, Any]:
    """Recall decreases with the confidence; precision mostly increases, in jumps; the peak may be a little off
    (smoothing).
    """
    share = st.floats(0, 1, allow_nan=False)
    recall = sorted(draw(st.lists(share, min_size=101, max_size=101)), reverse=True)
    base = sorted(draw(st.lists(share, min_size=101, max_size=101)))
    noise = draw(st.lists(st.floats(-0.1, 0.1), min_size=101, max_size=101))
    precision = [min(1.0, max(0.0, value + more)) for value, more in zip(base, noise, strict=True)]
    result = evaluation(precision, recall)
    peak = X.index(result["best"]["confidence"])
    return evaluation(precision, recall, min(100, max(0, peak + draw(st.integers(-5, 5)))))


@settings(max_examples=300, deadline=None)
@given(evaluations())
def test_each_row_meets_its_target_and_none_is_worse_in_both(case: dict[str, Any]) -> None:
    rows = thresholds(case["best"], case["curves"])
    if case["best"]["f1"] < WORTH:
        assert rows == []
        return
    by_name = {row["name"]: row for row in rows}
    assert rows[0]["name"] == "balanced"
    assert {key: rows[0][key] for key in ("confidence", "precision", "recall")}.items() <= case["best"].items()
    for one in rows:
        for second in rows:
            if one is not second:
                assert one["precision"] > second["precision"] or one["recall"] > second["recall"], (one, second)
    points = list(zip(X, case["curves"]["precision"], case["curves"]["recall"], strict=True))
    if row := by_name.get("precise"):
        assert row["confidence"] >= case["best"]["confidence"]
        fitting = [r for c, p, r in points if c >= case["best"]["confidence"] and p >= row["goal"]]
        assert row["precision"] >= row["goal"] > case["best"]["precision"]
        assert row["recall"] == max(fitting)
    if row := by_name.get("sensitive"):
        assert row["confidence"] <= case["best"]["confidence"]
        fitting = [p for c, p, r in points if c <= case["best"]["confidence"] and r >= row["goal"]]
        assert row["recall"] >= row["goal"] > case["best"]["recall"]
        assert row["precision"] == max(fitting)


def test_a_good_model_is_not_turned_upside_down() -> None:
    """Precision is above 0.95 long before the balanced confidence: earlier, "few false alarms" was below it, at 0.2."""
    precision = [min(1.0, 0.9 + 0.3 * x) for x in X]
    recall = [0.99 if x < 0.5 else 0.99 - (x - 0.5) * 1.9 for x in X]
    rows = thresholds(**evaluation(precision, recall))
    assert [row["name"] for row in rows] == ["balanced"], "both goals are reached already: there is nothing to gain"
    precision = [min(1.0, 0.7 + 0.3 * x) for x in X]
    recall = [0.995 - 0.3 * x**2 for x in X]
    rows = {row["name"]: row for row in thresholds(**evaluation(precision, recall, at=60))}
    assert rows["sensitive"]["confidence"] < rows["balanced"]["confidence"] < rows["precise"]["confidence"]
    assert rows["precise"]["precision"] >= 0.95
    assert rows["sensitive"]["recall"] >= 0.95


def test_what_was_never_detected_has_no_threshold() -> None:
    assert thresholds(None, None) == []
    assert thresholds(**evaluation([0.0] * 101, [0.0] * 101)) == []


def test_no_threshold_is_recommended_for_a_model_that_detects_next_to_nothing() -> None:
    """With 1% of detections correct, "use a threshold of 0.00" would be useless advice."""
    assert thresholds(**evaluation([0.0094] * 101, [0.62] * 101)) == []
    assert [row["name"] for row in thresholds(**evaluation([0.3] * 101, [0.62] * 101))] == ["balanced"]
