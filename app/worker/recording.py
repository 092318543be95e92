"""Records the detections of ultralytics' validators in each image, and the ground truth. Supports datasets with other
classes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from app.core.outcomes import LEAST_CONF, LEAST_IOU, MAX_DETECTIONS, MOST_OVERLAPS, ImageResult
from app.worker.failures import DataError, raise_as
from app.worker.shapes import (
    Batch,
    ImageLabel,
    InputGeometry,
    Predictions,
    corners_of,
    input_geometry,
    top_by_confidence,
)

Classes = Mapping[str, str | None]  # the dataset's class → the model's; None: its objects are excluded
ARRAYS: tuple[Literal["cls", "bboxes", "keypoints"], ...] = ("cls", "bboxes", "keypoints")


@dataclass(frozen=True)
class ImageDetections:
    """One image with its objects and detections.

    Args:
        width, height: px; 0 for classification.
    """

    file: str
    width: int
    height: int
    instances: ImageResult


class RecordingValidator:
    """Mixed into ultralytics' validator of a task: records the detections of each image; maps another dataset's classes
    to the model's."""

    add_image: Callable[[ImageDetections], None] | None = None
    classes: Classes | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.matches: dict[str, list[Any]] = {}
        self.inference_ms: list[float] = []
        self.began = 0.0

    def preprocess(self, batch: Any) -> Any:
        prepared = super().preprocess(batch)  # type: ignore[misc]
        self.began = time.perf_counter()
        return prepared

    def postprocess(self, preds: Any) -> Any:
        self.inference_ms.append(1000 * (time.perf_counter() - self.began))
        return super().postprocess(preds)  # type: ignore[misc]

    def build_dataset(self, *args: Any, **kwargs: Any) -> Any:
        me: Any = self
        names = me.names
        if me.args.task == "classify" and self.classes is not None:
            me.names = None  # ultralytics would drop classes with other names
        dataset = super().build_dataset(*args, **kwargs)  # type: ignore[misc]
        me.names = names
        if hasattr(dataset, "samples"):
            dataset.__class__ = named_images()
        if self.classes is not None:
            numbers = {str(name): int(number) for number, name in names.items()}
            mapping = {theirs: None if ours is None else numbers[ours] for theirs, ours in self.classes.items()}
            map_classes(dataset, mapping, me.data["names"])
        return dataset

    def get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_dataloader(*args, **kwargs)  # type: ignore[misc]
        except Exception as error:
            raise_as(DataError, error)

    def update_metrics(self, preds: Any, batch: Batch) -> None:
        super().update_metrics(preds, batch)  # type: ignore[misc]
        if self.add_image is not None:
            for index, pred in enumerate(preds):
                self.add_image(detected(self, pred, index, batch))

    def get_stats(self) -> Any:
        stats = getattr(getattr(self, "metrics", None), "stats", None) or {}
        self.matches = {name: list(values) for name, values in stats.items()}
        return super().get_stats()  # type: ignore[misc]


def named_images() -> Any:
    from app.worker.named_images import NamedImages

    return NamedImages


def map_classes(dataset: Any, mapping: Mapping[str, int | None], names: Mapping[int, str]) -> None:
    """Map the objects of a dataset to the model's classes; drop those without one."""
    if hasattr(dataset, "samples"):
        root = Path(dataset.root)
        kinds = [mapping.get(Path(item[0]).relative_to(root).parts[0]) for item in dataset.samples]
        pairs = zip(dataset.samples, kinds, strict=True)
        dataset.samples = [[item[0], kind, *item[2:]] for item, kind in pairs if kind is not None]
        return
    numbers = {int(number): mapping.get(str(name)) for number, name in names.items()}
    for label in dataset.labels:
        map_label(label, numbers)


def map_label(label: ImageLabel, numbers: Mapping[int, int | None]) -> None:
    kinds = [numbers.get(int(kind)) for kind in label["cls"].reshape(-1)]
    rows = [row for row, kind in enumerate(kinds) if kind is not None]
    count = len(kinds)
    for name in ARRAYS:
        if label.get(name) is not None and len(label[name]) == count:
            label[name] = label[name][rows]
    if len(label.get("segments") or ()) == count:
        label["segments"] = [label["segments"][row] for row in rows]
    for row, index in enumerate(rows):
        label["cls"][row] = kinds[index]


def detected(validator: Any, pred: Any, index: int, batch: Batch) -> ImageDetections:
    """One image of a batch, after ultralytics' own update."""
    file = str(batch["im_file"][index])
    if validator.args.task == "classify":
        conf, kinds = pred.float().topk(min(5, len(pred)))
        actual = [int(batch["cls"].reshape(-1)[index])]
        return ImageDetections(
            file, 0, 0, ImageResult(actual, [()], kinds.tolist(), conf.tolist(), [()] * len(kinds), [])
        )
    truth = objects_of(validator, index, batch)
    boxes: Predictions = {"bboxes": pred["bboxes"], "conf": pred["conf"], "cls": pred["cls"]}
    detections = top_by_confidence(boxes, LEAST_CONF, MAX_DETECTIONS)
    geometry = input_geometry(index, batch)
    height, width = (int(side) for side in geometry["ori_shape"])
    return ImageDetections(
        file,
        width,
        height,
        ImageResult(
            objects=truth["cls"].int().tolist(),
            object_corners=in_pixels(truth["bboxes"], geometry),
            detections=detections["cls"].int().tolist(),
            confidences=detections["conf"].float().tolist(),
            detection_corners=in_pixels(detections["bboxes"], geometry),
            overlaps=overlaps(truth["bboxes"], detections["bboxes"]),
        ),
    )


def objects_of(validator: Any, index: int, batch: Batch) -> Any:
    """Classes and boxes of an image; for masks and keypoints without these, which would take time."""
    from ultralytics.models.yolo.detect import DetectionValidator

    boxes_only = validator.args.task in {"segment", "pose"}
    prepare = DetectionValidator._prepare_batch if boxes_only else type(validator)._prepare_batch
    return prepare(validator, index, cast(dict[str, Any], batch))


def in_pixels(boxes: Any, geometry: InputGeometry) -> list[list[float]]:
    """Boxes in pixels of the image, from those of the network's input."""
    if not len(boxes):
        return []
    height, width = geometry["ori_shape"]
    corners = corners_of(boxes, geometry)
    return (corners * corners.new_tensor([width, height] * (corners.shape[1] // 2))).tolist()


def overlaps(objects: Any, detections: Any) -> list[tuple[int, int, float]]:
    """Overlaps as in `ImageResult`; for oriented boxes, their probabilistic IoU."""
    from ultralytics.utils.metrics import batch_probiou, box_iou

    if not len(objects) or not len(detections):
        return []
    iou = (batch_probiou if objects.shape[1] == 5 else box_iou)(objects, detections).float()
    object_rows, detection_rows = (iou > LEAST_IOU).nonzero(as_tuple=True)
    values = iou[object_rows, detection_rows].tolist()
    rows = zip(detection_rows.tolist(), object_rows.tolist(), values, strict=True)
    return sorted(rows, key=lambda row: (row[0], -row[2], row[1]))[:MOST_OVERLAPS]
