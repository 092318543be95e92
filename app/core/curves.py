"""Curves over the confidence, as the worker's programs write them and the services read them."""

from typing import TypedDict

from app.core.thresholds import CurvePoint


class F1Point(CurvePoint):
    """A point of the curves with its F1."""

    f1: float


class MeanCurves(TypedDict):
    """The means over all classes. `x`: the confidence of each point."""

    x: list[float]
    precision: list[float]
    recall: list[float]


class ClassCurve(TypedDict):
    """The curves of one class, at the same points."""

    precision: list[float]
    recall: list[float]
    f1: list[float]
    pr: list[float]


class NamedCurve(ClassCurve):
    """The curves of one class, with its name."""

    name: str


class AllCurves(MeanCurves, ClassCurve):
    """The means over all classes, with F1. `pr`: the precision at a recall of `x`."""


class NamedCurves(AllCurves):
    """As an evaluation writes them to its file."""

    classes: list[NamedCurve]


_ClassNumber = TypedDict("_ClassNumber", {"class": int})


class NumberedClassCurve(_ClassNumber, ClassCurve):
    """The curves of one class, with its number."""


class ModelCurves(AllCurves):
    """As a validation measures them. `best`: the confidence of the best mean F1."""

    classes: list[NumberedClassCurve]
    best: F1Point
