"""Confidence thresholds of a model: recommended and chosen ones."""

from typing import TypedDict


class CurvePoint(TypedDict):
    """Of a curve: what a confidence gives."""

    confidence: float
    precision: float
    recall: float


class Threshold(CurvePoint):
    """A recommended one; `goal`: what its better measure reaches, None of the balanced one."""

    name: str
    goal: float | None


class ModelThresholds(TypedDict):
    """Chosen for a model; None: the usual one. `classes`: the confidence of some, by name."""

    confidence: float | None
    iou: float | None
    classes: dict[str, float]
