"""Recommends confidence thresholds from the curves of an evaluation. Pure."""

from collections.abc import Sequence
from typing import Literal

from app.core.curves import F1Point, MeanCurves
from app.core.metrics import WORTH
from app.core.thresholds import CurvePoint, Threshold

GOALS = (0.95, 0.99)  # of precision or recall: the first that the balanced threshold does not reach already
Measure = Literal["precision", "recall"]
MEASURES: tuple[Measure, ...] = ("precision", "recall")


def thresholds(best: F1Point | None, curves: MeanCurves | None) -> list[Threshold]:
    """`balanced` (best F1), `precise` (few false positives) and `sensitive` (few missed objects), if they exist.

    `precise`: the highest recall with a precision of at least `goal`, at a confidence not below the balanced one.
    `sensitive`: the highest precision with a recall of at least `goal`, at one not above it. A row that another one
    dominates in both is dropped.
    """
    if not best or not curves or not worth(best):
        return []
    balanced: Threshold = {
        "name": "balanced",
        "goal": None,
        "confidence": best["confidence"],
        "precision": best["precision"],
        "recall": best["recall"],
    }
    points: list[CurvePoint] = [
        {"confidence": confidence, "precision": precision, "recall": recall}
        for confidence, precision, recall in zip(curves["x"], curves["precision"], curves["recall"], strict=True)
        if precision > 0 and recall > 0
    ]
    above = [point for point in points if point["confidence"] >= best["confidence"]]
    below = [point for point in points if point["confidence"] <= best["confidence"]]
    precise = reaching("precise", "precision", "recall", above, best)
    sensitive = reaching("sensitive", "recall", "precision", below, best)
    return comparable(balanced, [row for row in (precise, sensitive) if row is not None])


def worth(best: F1Point) -> bool:
    """Whether a confidence can be recommended at all; `best` as in the evaluation's file."""
    return bool(best.get("f1", 0.0) >= WORTH)


def reaching(
    name: str, measure: Measure, counterpart: Measure, points: Sequence[CurvePoint], best: F1Point
) -> Threshold | None:
    """The point where the metric reaches its goal with the best counterpart; None if it cannot, or need not."""
    for goal in (goal for goal in GOALS if goal > best[measure]):
        fitting = [point for point in points if point[measure] >= goal]
        if fitting:
            chosen = max(fitting, key=lambda point: (point[counterpart], point[measure]))
            return {"name": name, "goal": goal, **chosen}
    return None


def comparable(balanced: Threshold, candidates: Sequence[Threshold]) -> list[Threshold]:
    """Rows without those that another one dominates in both metrics.

    The balanced one stays: its F1 is the best of the smoothed curve, so a point that exceeds it does so by chance.
    """
    candidates = [row for row in candidates if not dominates(row, balanced)]
    rows = [balanced, *candidates]
    return [balanced, *(row for row in candidates if not any(dominates(other, row) for other in rows))]


def dominates(one: CurvePoint, other: CurvePoint) -> bool:
    """Whether one is at least as good in both and better in one."""
    better = [one[key] - other[key] for key in MEASURES]
    return min(better) >= 0 and max(better) > 0
