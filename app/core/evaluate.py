"""The spec of the evaluation program: `spec.json` of app/worker/programs/evaluate.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from app.core.curves import F1Point, MeanCurves
from app.core.outcome_files import SizeRecall
from app.core.spec import Spec

CONCLUDED = "concluded"  # the stage from which the results of a stopped run are complete


class SplitMetrics(TypedDict, total=False):
    """The metrics of `yolo val` on a split; for classification, `top1` and `top5` instead."""

    precision: float
    recall: float
    map50: float
    map95: float
    top1: float
    top5: float
    fitness: float


Metrics = SplitMetrics | dict[str, None]  # all None if nothing could be measured


class ClassFigures(TypedDict):
    """The metrics of one class that has objects, with its name."""

    name: str
    images: int
    objects: int
    precision: float
    recall: float
    map50: float | None
    map95: float | None


class ClassResult(ClassFigures):
    """`best_confidence`: at the class's best F1; None: it has no detections."""

    best_confidence: float | None


class EvaluationResult(TypedDict):
    """The result of an evaluation, as in its row.

    `metrics`: all None without objects; `intervals`: by metric, low and high; `sizes`: by object size; `confidence` and
    `iou`: of the view that was written; `speed_ms`: per image, by step.
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
    weights_sha256: NotRequired[str]  # missing in results of earlier versions
    seconds: NotRequired[float]


@dataclass(frozen=True)
class EvaluateSpec(Spec):
    """One evaluation.

    Args:
        weights: the model file.
        data: our dataset.yaml, in the version's folder.
        img_size: None: the model's own.
        classes: the dataset's class → the model's, None: excluded; empty: the same classes in the same order.
        device: for ultralytics, numbered among the visible ones.
        output: the folder to write to.
        batch: images per batch.
        memory_limit: bytes; 0: unlimited.
        conclude: whether the run was stopped, and its own results must be written first.
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
