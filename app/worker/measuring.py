"""Validates a model on a split of a dataset: the metrics of `yolo val`, and its detections in each image.

Any file that ultralytics' AutoBackend can load: .pt, .onnx, an OpenVINO folder. Settings are those of `yolo val`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.evaluate import ClassFigures, SplitMetrics
from app.core.metrics import ClassMetrics
from app.worker import upstream  # noqa: F401 (threads; nothing is fetched)
from app.worker.failures import WeightsError, raise_as
from app.worker.loading import loading
from app.worker.measures import PARTS, by_class, short
from app.worker.recording import Classes, ImageDetections, RecordingValidator

BATCH = 16  # as in `yolo val`: with rectangular batches, the metrics depend slightly on it
LETTERS = {"detect": "B", "obb": "B", "segment": "M", "pose": "P"}  # what is evaluated: boxes, masks, keypoints


@dataclass(frozen=True)
class Images:
    """The images of an evaluation.

    Args:
        data: the dataset.yaml.
        classes: None: the dataset has the model's classes, in their order.
    """

    data: Path
    split: str = "val"
    classes: Classes | None = None


@dataclass(frozen=True)
class SplitFigures:
    """The results of a validation.

    Args:
        metrics: precision, recall, map50, map95, fitness; for classification top1, top5, fitness.
        parts: all of ultralytics' metrics, by its names.
        classes: name, images, objects, precision, recall, map50, map95 of each class with objects; for classification,
            precision and recall of the top class.
        part: ultralytics' metrics of boxes, masks or keypoints, with their curves; None for classification.
        speed_ms: per image: preprocess, inference, postprocess.
        inference_ms: of each batch, by the model alone.
        matches: by image, as ultralytics collects them: tp, conf, pred_cls, target_cls ...
    """

    names: list[str]
    images: int
    objects: int
    metrics: SplitMetrics
    parts: dict[str, float]
    classes: list[ClassFigures]
    part: Any
    speed_ms: dict[str, float]
    inference_ms: list[float] = field(default_factory=list, repr=False)
    matches: dict[str, list[Any]] = field(default_factory=dict, repr=False)


def measure(
    weights: Path,
    task: str,
    images: Images,
    scratch: Path,
    *,
    img_size: int | None = None,
    device: str = "",
    batch: int = BATCH,
    one_by_one: bool = False,
    add_image: Callable[[ImageDetections], None] | None = None,
    before_batch: Callable[[], None] | None = None,
    on_total: Callable[[int], None] | None = None,
) -> SplitFigures:
    """Evaluate a model file.

    Args:
        scratch: a folder for ultralytics' output.
        img_size: None: the model's own.
        device: as ultralytics takes it.
        one_by_one: each image separately, letterboxed to a full square, as exported models require: metrics of several
            formats are then comparable. Those of `yolo val` on a .pt differ slightly.
        batch: images per batch.
        add_image: called for each image.
        before_batch: called before each batch; an exception ends the measurement.
        on_total: called with the number of images, before the first one.

    Raises:
        WeightsError: the file is not a model.
        DataError: the images cannot be read.
    """
    model = load(weights, task)
    base = model._smart_load("validator")
    values = {**model.overrides, "rect": True, "mode": "val", "plots": False, "verbose": False, "batch": batch}
    values |= {"data": data_of(images.data, task), "split": images.split, "device": device or None}
    values |= {"imgsz": img_size} if img_size else {}
    values |= {"rect": False, "batch": 1} if one_by_one else {}
    validator = type(f"Listening{base.__name__}", (RecordingValidator, base), {})(args=values, save_dir=scratch)
    validator.add_image, validator.classes = add_image, images.classes
    if before_batch is not None:
        validator.callbacks["on_val_batch_start"].append(lambda _validator: before_batch())
    if on_total is not None:
        validator.callbacks["on_val_start"].append(lambda me: on_total(len(me.dataloader.dataset)))
    validator(model=model.model)
    return measured(validator, task)


def load(weights: Path, task: str) -> Any:
    """ultralytics' model.

    Raises:
        WeightsError: the file is not a model, or missing.
    """
    from ultralytics import YOLO

    try:
        with loading(weights):
            return YOLO(str(weights), task=task)
    except Exception as error:
        raise_as(WeightsError, error)


def data_of(path: Path, task: str) -> str:
    """Classification has no YAML: the folders of its images name the classes."""
    return str(path.parent / "images" if task == "classify" else path)


def measured(validator: Any, task: str) -> SplitFigures:
    metrics = validator.metrics
    part = None if task == "classify" else getattr(metrics, PARTS[LETTERS[task]])
    classes = by_class(validator, f"mAP50({LETTERS.get(task, '')})")
    names = [str(name) for name in validator.names.values()]
    return SplitFigures(
        names=names,
        images=len(validator.dataloader.dataset),
        objects=sum(item["instances"] for item in classes),
        metrics=figures(metrics, part),
        parts={name: short(value) for name, value in metrics.results_dict.items()},
        classes=[named(item, names, metrics) for item in classes],
        part=part,
        inference_ms=validator.inference_ms,
        speed_ms={name: round(value, 2) for name, value in validator.speed.items() if name != "loss"},
        matches=validator.matches,
    )


def figures(metrics: Any, part: Any) -> SplitMetrics:
    """The main metrics of a validation."""
    fitness = short(metrics.fitness)
    if part is None:
        return {"top1": short(metrics.top1), "top5": short(metrics.top5), "fitness": fitness}
    precision, recall, map50, map95 = (short(value) for value in part.mean_results())
    return {"precision": precision, "recall": recall, "map50": map50, "map95": map95, "fitness": fitness}


def named(item: ClassMetrics, names: list[str], metrics: Any) -> ClassFigures:
    """A row of `by_class` with the class's name, as in an evaluation."""
    per_image = getattr(metrics, "nt_per_image", None)
    return {
        "name": names[item["class"]],
        "images": item["instances"] if per_image is None else int(per_image[item["class"]]),
        "objects": item["instances"],
        "precision": item["precision"],
        "recall": item["recall"],
        "map50": item["ap50"],
        "map95": item["ap95"],
    }
