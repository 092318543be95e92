"""Types of evaluations, for their schemas. Boxes are in px of the image."""

from datetime import datetime
from typing import NotRequired, TypedDict

from app.core.curves import NamedCurves
from app.core.evaluate import Metrics
from app.core.programs import Difference
from app.services.paging import PageNumbers


class Cell(TypedDict):
    """A cell of the confusion matrix; None: the background."""

    actual: str | None
    predicted: str | None
    count: int


class Used(TypedDict):
    """The thresholds of a response."""

    confidence: float
    iou: float


class Matrix(Used):
    cells: list[Cell]
    counts: dict[str, int]  # by kind
    names: list[str]


class ObjectGeometry(TypedDict):
    """A box, or the corners of an oriented one; neither for a class of the entire image."""

    box: NotRequired[list[float]]  # x1, y1, x2, y2
    corners: NotRequired[list[list[float]]]


_Classed = TypedDict("_Classed", {"class": str})


class ObjectOutcomeView(_Classed, ObjectGeometry):
    """An object and its outcome. `detection`: its index among the image's detections."""

    kind: str
    size: str | None
    detection: int | None
    iou: float | None


class DetectionOutcomeView(_Classed, ObjectGeometry):
    """A detection and its outcome. `object`: its index among the image's objects."""

    confidence: float
    kind: str | None
    object: int | None
    iou: float | None


class Addresses(TypedDict):
    url: str
    thumbnail: str


class ImageName(TypedDict):
    """An image; without a size for classification."""

    id: int
    file: str
    width: int | None
    height: int | None


class EvaluatedImageView(ImageName):
    errors: int
    objects: list[ObjectOutcomeView]
    detections: list[DetectionOutcomeView]


class AddressedImage(EvaluatedImageView, Addresses):
    """An image with its addresses."""


class EvaluatedPageView(PageNumbers, Used):
    counts: dict[str, int]
    images: list[AddressedImage]


class SuspectObject(_Classed, ObjectGeometry):
    """An object, or a detection with its confidence."""

    confidence: NotRequired[float]


class SuspectCase(TypedDict):
    """A likely label error; `rank` 1 is the most suspicious."""

    rank: int
    kind: str
    score: float
    object: SuspectObject | None
    detection: SuspectObject | None
    iou: float | None


class UnaddressedSuspect(SuspectCase):
    image: ImageName


class SuspectImageView(ImageName, Addresses):
    """An image with its addresses."""


class AddressedSuspect(SuspectCase):
    image: SuspectImageView


class SuspectPageView(PageNumbers):
    counts: dict[str, int]
    suspects: list[AddressedSuspect]


class OperatingPoint(TypedDict):
    """A confidence and its metrics."""

    confidence: float
    precision: float
    recall: float
    f1: float


class ClassAdviceView(TypedDict):
    name: str
    threshold: OperatingPoint | None


class ThresholdAdvice(TypedDict):
    """The recommended thresholds; None: no confidence reaches the goal."""

    overall: OperatingPoint | None
    classes: list[ClassAdviceView]


class OtherEvaluationView(TypedDict):
    """An evaluation for comparison with another."""

    id: int
    training_id: int
    training_name: str
    split: str
    checkpoint: str
    created_at: datetime
    metrics: Metrics | None


class ComparableEvaluations(TypedDict):
    evaluations: list[OtherEvaluationView]


class ComparedImageView(Addresses):
    id: int
    file: str
    this_errors: int
    other_errors: int


class ComparedImages(PageNumbers):
    counts: dict[str, int]
    images: list[ComparedImageView]


class EvaluationDifference(ComparedImages):
    this: OtherEvaluationView
    other: OtherEvaluationView
    difference: dict[str, Difference]
    distinguishable: bool
    message: str


class CurvesView(TypedDict):
    """The curves; None: of a classification, or without detections."""

    curves: NamedCurves | None
