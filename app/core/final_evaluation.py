"""evaluation.json: the last validation of a training, written by the trainer, read by the web process."""

from typing import TypedDict

from app.core.curves import AllCurves, F1Point, NumberedClassCurve
from app.core.shapes import Shape


class FinalCurves(AllCurves):
    """The curves of all classes together, and of single classes."""

    classes: list[NumberedClassCurve]


class Accuracy(TypedDict):
    """The metrics of a classification."""

    top1: float
    top5: float


class EvaluatedPicture(TypedDict):
    """An image of `width` x `height` px. `pairs`: indexes of a prediction and its object, -1: unmatched."""

    number: int
    file: str
    width: int
    height: int
    found: list[Shape]
    truth: list[Shape]
    pairs: list[tuple[int, int]]
    errors: int


class FinalFigures(TypedDict):
    """The file without its images.

    `matrix`: predicted class, true class, count; the number of classes stands for the background. `cells`: by
    "predicted,true", the indexes of example images. `worst`: indexes of the images with most errors.
    """

    task: str
    names: list[str]
    images: int
    objects: int
    confidence: float
    iou: float
    best: F1Point | None
    curves: FinalCurves | None
    accuracy: Accuracy | None
    matrix: list[tuple[int, int, int]]
    cells: dict[str, list[int]]
    worst: list[int]


class FinalEvaluation(FinalFigures):
    """The entire file."""

    pictures: list[EvaluatedPicture]
