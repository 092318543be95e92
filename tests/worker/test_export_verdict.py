"""The verdict on an export, with planted faults: what is offered, at which threshold, and what is not."""

import random
from typing import Any

import pytest

from app.core.exports import LOST, LOST_INT8
from app.worker.exporting.verdict import as_good, verify

SIDES = [(0.0, 0.0), (40.0, 10.0), (10.0, 60.0)]


def measured(**changes: Any) -> dict[str, Any]:
    """What a good model finds in ten images: three objects each."""
    rng = random.Random(3)
    rows = {
        str(number): [[0, round(rng.uniform(0.5, 0.9), 3), x, y, x + 20, y + 20] for x, y in SIDES]
        for number in range(10)
    }
    places = [index / 100 for index in range(101)]
    curves = {
        "x": places,
        "precision": [0.5 + place / 2 for place in places],
        "recall": [0.9 if place < 0.6 else 0.1 for place in places],
        "f1": [0.8 if place < 0.6 else 0.2 for place in places],
        "best": {"confidence": 0.5, "precision": 0.75, "recall": 0.9, "f1": 0.8},
    }
    figures = {"images": 10, "precision": 0.9, "recall": 0.9, "map50": 0.95, "map95": 0.7}
    common = {"latency_ms": {"p50": 10.0, "p95": 12.0}, "device": "cpu"}
    return figures | common | {"detections": rows, "curves": curves} | changes


def moved(rows: dict[str, Any], confidence: float = 1.0, x: float = 0.0, kind: int = 0) -> dict[str, Any]:
    return {
        file: [[kind, row[1] * confidence, row[2] + x, row[3], row[4] + x, row[5]] for row in found]
        for file, found in rows.items()
    }


def test_the_same_model_is_offered_with_its_threshold() -> None:
    told, wrong = verify(measured(), measured(), False, LOST)
    assert wrong is None
    assert (told["loss"], told["agreement"], told["confidence_shift"]) == (0.0, 1.0, 0.0)
    assert (told["at_threshold"]["confidence"], told["at_threshold"]["moved"]) == (0.5, False)


def test_what_a_threshold_gives_is_read_where_it_lies() -> None:
    """Curves have 101 places: a card said a precision of 0.7142 in its table, and of 0.7174 at that same threshold."""
    same = measured()
    same["curves"]["best"] = {"confidence": 0.1952, "precision": 0.6142, "recall": 0.88, "f1": 0.81}
    shipped = verify(same, same, False, LOST)[0]["at_threshold"]
    assert {name: shipped[name] for name in ("precision", "recall", "f1")} == {
        name: shipped["reference"][name] for name in ("precision", "recall", "f1")
    }
    other = measured()
    other["curves"]["best"] = {"confidence": 0.3, "precision": 0.65, "recall": 0.9, "f1": 0.8}
    assert verify(same, other, False, LOST)[0]["at_threshold"]["precision"] == pytest.approx(0.5 + 0.1952 / 2, abs=1e-4)


@pytest.mark.parametrize(
    ("lost", "int8", "code"),
    [(0.0015, False, None), (0.003, False, "accuracy_lost"), (0.008, True, None), (0.012, True, "accuracy_lost")],
)
def test_what_may_be_lost(lost: float, int8: bool, code: str | None) -> None:
    export = measured(map95=0.7 - lost)
    assert verify(measured(), export, int8, LOST_INT8 if int8 else LOST)[1] == code


def test_what_runs_in_the_place_of_the_pt_unasked_must_be_like_it() -> None:
    """A lower precision: an export that would be offered with a note is not enough."""
    found = as_good(measured(), measured(map95=0.6995), LOST)
    assert found is not None
    assert (found["loss"], found["map95"], found["latency_ms"]["p50"]) == (0.0005, 0.6995, 10.0)
    rows = measured()["detections"]
    assert as_good(measured(), measured(map95=0.69), LOST) is None, "accuracy"
    assert as_good(measured(), measured(detections=moved(rows, 0.98)), LOST) is None, "confidences"
    fewer = {file: found[:2] if int(file) < 4 else found for file, found in rows.items()}
    assert verify(measured(), measured(detections=fewer), False, LOST)[1] is None
    assert as_good(measured(), measured(detections=fewer), LOST) is None, "detections"
    curves = measured()["curves"] | {"f1": [0.7] * 101}
    curves["best"] = curves["best"] | {"f1": 0.7}
    assert as_good(measured(), measured(curves=curves), LOST) is None, "F1 at the threshold"


def test_shifted_confidences_get_a_threshold_of_their_own() -> None:
    """mAP sees nothing of it: 0.85 became 0.45, and the .pt's threshold would find nothing."""
    reference = measured()
    curves = reference["curves"]
    halved = curves | {
        "f1": [0.8 if place < 0.3 else 0.1 for place in curves["x"]],
        "best": {"confidence": 0.25, "precision": 0.75, "recall": 0.9, "f1": 0.8},
    }
    export = measured(detections=moved(reference["detections"], confidence=0.5), curves=halved)
    told, wrong = verify(reference, export, True, LOST_INT8)
    assert wrong is None
    assert told["confidence_shift"] < -0.2
    assert told["at_threshold"]["moved"] is True
    assert told["at_threshold"]["confidence"] == 0.25
    assert told["at_threshold"]["reference"]["confidence"] == 0.5


def test_a_small_shift_that_costs_f1_moves_the_threshold_too() -> None:
    reference = measured()
    worse = reference["curves"] | {"f1": [0.8 if place < 0.45 else 0.7 for place in reference["curves"]["x"]]}
    worse["best"] = worse["best"] | {"confidence": 0.2}
    assert verify(reference, measured(curves=worse), False, LOST)[0]["at_threshold"]["moved"] is True


@pytest.mark.parametrize("fault", [{"x": 15.0}, {"kind": 1}])
def test_other_boxes_or_classes_are_not_offered_whatever_the_map(fault: dict[str, Any]) -> None:
    """A model that learned nothing has the mAP of a damaged one."""
    reference = measured(map95=0.0)
    export = measured(map95=0.0, detections=moved(reference["detections"], **fault))
    told, wrong = verify(reference, export, False, LOST)
    assert (told["agreement"], wrong) == (0.0, "accuracy_lost")


def test_a_model_that_finds_nothing_proves_nothing() -> None:
    nothing = measured(map95=0.0, detections={"1": []}, curves=None)
    told, wrong = verify(nothing, nothing, False, LOST)
    assert (told["at_threshold"], wrong) == (None, "unproven")


@pytest.mark.parametrize("figure", [{"map95": 0.004}, {"f1": 0.05}])
def test_a_model_that_detects_almost_nothing_proves_little(figure: dict[str, float]) -> None:
    """It has no threshold, it says so, it never runs in the place of the .pt, and no INT8 is made of it."""
    best = measured()["curves"]["best"]
    curves = measured()["curves"] | {"best": best | {"f1": figure.get("f1", best["f1"])}}
    poor = measured(curves=curves, map95=figure.get("map95", 0.7))
    told, wrong = verify(poor, poor, False, LOST)
    assert (told["at_threshold"] is None, told["conclusive"], wrong) == ("f1" in figure, False, None)
    assert as_good(poor, poor, LOST) is None
    assert verify(poor, poor, True, LOST_INT8)[1] == "unproven"
    assert verify(measured(), measured(), True, LOST_INT8)[0]["conclusive"] is True


def test_a_classification_is_judged_by_its_accuracy() -> None:
    rows = {"1": [[0, 0.9], [1, 0.1]], "2": [[1, 0.8], [0, 0.2]]}
    common = {"images": 2, "device": "cpu", "latency_ms": {"p50": 1.0, "p95": 1.0}, "curves": None, "detections": rows}
    common |= {"names": ["a", "b"]}
    assert verify(common | {"top1": 0.5}, common | {"top1": 0.5}, False, LOST)[0]["conclusive"] is False, "chance"
    told, wrong = verify(common | {"top1": 1.0, "top5": 1.0}, common | {"top1": 0.5, "top5": 1.0}, False, LOST)
    assert (told["loss"], told["map95"], wrong) == (0.5, None, "accuracy_lost")
    same = common | {"top1": 1.0, "top5": 1.0}
    assert verify(same, same, False, LOST)[1] is None


def test_oriented_boxes_are_compared() -> None:
    rows = {"1": [[0, 0.9, 0.0, 0.0, 10.0, 5.0, 5.0, 15.0, -5.0, 10.0]]}
    told, _ = verify(measured(detections=rows), measured(detections=rows), False, LOST)
    assert told["agreement"] == 1.0
