"""The spec of the program that evaluates: `spec.json` of app/worker/programs/evaluate.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from app.core.curves import F1Point, MeanCurves
from app.core.outcome_files import SizeRecall
from app.core.spec import Spec

CONCLUDED = "concluded"  # the stage behind which the results of a stopped run are there


class SplitMetrics(TypedDict, total=False):
    """What `yolo val` measures on a split; of a classification `top1` and `top5` in the place of the others."""

    precision: float
    recall: float
    map50: float
    map95: float
    top1: float
    top5: float
    fitness: float


Metrics = SplitMetrics | dict[str, None]  # None each where nothing could be measured


class ClassFigures(TypedDict):
    """What was measured of one class that has objects, by its name."""

    name: str
    images: int
    objects: int
    precision: float
    recall: float
    map50: float | None
    map95: float | None


class ClassResult(ClassFigures):
    """`best_confidence`: that of the class's best F1; None: nothing of it was detected."""

    best_confidence: float | None


class EvaluationResult(TypedDict):
    """What came of an evaluation, as its row has it.

    `metrics`: None each where there are no objects; `intervals`: by metric, low and high; `sizes`: by the
    size of an object; `confidence` and `iou`: of the view that was written; `speed_ms`: of an image, by part.
    """

    names: list[str]
    images: int
    objects: int
    metrics: Metrics
    intervals: dict[str, list[float]] | None
    classes: list[ClassResult]
    best: F1Point | None
    curves: MeanCurves | None
    sizes: dict[str, SizeRecall] | None
    confidence: float
    iou: float
    speed_ms: dict[str, float]
    weights_sha256: NotRequired[str]  # not of earlier versions
    seconds: NotRequired[float]


@dataclass(frozen=True)
class EvaluateSpec(Spec):
    """One evaluation.

    Args:
        weights: the model file.
        data: our dataset.yaml; its folder is the revision's.
        img_size: None: what the model was made for.
        classes: the dataset's class → the model's, None: left out; without any, they are the model's in their order.
        device: as ultralytics takes it, numbered among those that the program sees.
        output: the folder to write.
        batch: images at a time.
        memory_limit: bytes; 0: none.
        conclude: whether the run was stopped, and its own results are to be written first.
    """

    weights: str
    data: str
    task: str
    split: str
    img_size: int | None
    classes: Mapping[str, str | None] | None
    device: str
    output: str
    batch: int
    memory_limit: int
    conclude: bool = False
