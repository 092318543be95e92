"""Recommends a confidence threshold for a goal, for all classes together and for each, from the curves. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from app.core.curves import ClassCurve, NamedCurves
from app.services.evaluations.read_models import ClassAdviceView, OperatingPoint, ThresholdAdvice

GoalMetric = Literal["precision", "recall"]


def advise(curves: NamedCurves | None, precision: float | None, recall: float | None) -> ThresholdAdvice:
    """`overall` and `classes`, each with a confidence and its metrics; None if no confidence reaches the goal.

    Args:
        precision: the minimum, at the highest recall. recall: the reverse. Neither: the best F1.
    """
    if not curves:
        return {"overall": None, "classes": []}
    pick = {"precision": precision, "recall": recall}
    classes: list[ClassAdviceView] = [
        {"name": item["name"], "threshold": choose(points(curves["x"], item), pick)} for item in curves["classes"]
    ]
    return {"overall": choose(points(curves["x"], curves), pick), "classes": classes}


def points(confidences: Sequence[float], curve: ClassCurve) -> list[OperatingPoint]:
    """The points of a curve with at least one detection."""
    rows = zip(confidences, curve["precision"], curve["recall"], curve["f1"], strict=True)
    return [
        {"confidence": confidence, "precision": precision, "recall": recall, "f1": f1}
        for confidence, precision, recall, f1 in rows
        if precision > 0 and recall > 0
    ]


def choose(rows: Sequence[OperatingPoint], goals: Mapping[str, float | None]) -> OperatingPoint | None:
    """The point that reaches the goal with the best other metric; without a goal, the one with the best F1."""
    pairs: tuple[tuple[GoalMetric, GoalMetric], ...] = (("precision", "recall"), ("recall", "precision"))
    for metric, other in pairs:
        least = goals[metric]
        if least is not None:
            fitting = [row for row in rows if row[metric] >= least]
            return max(fitting, key=lambda row: (row[other], row[metric]), default=None)
    return max(rows, key=lambda row: row["f1"], default=None)
