"""Confidence thresholds of a model: recommended and chosen ones."""

from typing import TypedDict


class CurvePoint(TypedDict):
    """A point of a curve: the metrics at a confidence."""

    confidence: float
    precision: float
    recall: float


class Threshold(CurvePoint):
    """A recommended threshold; `goal`: the value that its favored metric reaches, None for the balanced one."""

    name: str
    goal: float | None


class ModelThresholds(TypedDict):
    """The chosen thresholds of a model; None: the default. `classes`: differing confidences, by class name."""

    confidence: float | None
    iou: float | None
    classes: dict[str, float]
