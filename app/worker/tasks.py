"""The trainer class of each task. Importable by name, since multi-GPU training imports them in new processes."""

from pathlib import Path
from typing import Any, ClassVar

from ultralytics.models.rtdetr.train import RTDETRTrainer
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.models.yolo.obb import OBBTrainer
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.models.yolo.segment import SegmentationTrainer

from app.core.metrics import REPORTED
from app.core.train import TrainSpec
from app.worker import plots
from app.worker.named_images import NamedImages
from app.worker.trainer import EventTrainer

ALL = ("val/", "metrics/")


def measures(letter: str) -> dict[str, str]:
    """ultralytics' names of the metrics of boxes (B), masks (M) or keypoints (P)."""
    return {key: f"{name}({letter})" for key, name in REPORTED.items()}


class DetectTrainer(EventTrainer, DetectionTrainer):
    """Boxes."""

    measures: ClassVar[dict[str, str]] = measures("B")


class TransformerTrainer(EventTrainer, RTDETRTrainer):
    """Boxes by RT-DETR."""

    measures: ClassVar[dict[str, str]] = measures("B")


class TurnedTrainer(EventTrainer, OBBTrainer):
    """Oriented boxes."""

    measures: ClassVar[dict[str, str]] = measures("B")


class SegmentTrainer(EventTrainer, SegmentationTrainer):
    """Masks, whose metrics are reported; the metrics of their boxes are among the parts."""

    measures: ClassVar[dict[str, str]] = measures("M")
    metric_prefixes: ClassVar[tuple[str, ...]] = ALL


class KeypointTrainer(EventTrainer, PoseTrainer):
    """Keypoints, whose metrics are reported; the metrics of their boxes are among the parts."""

    measures: ClassVar[dict[str, str]] = measures("P")
    metric_prefixes: ClassVar[tuple[str, ...]] = ALL


class ClassifyTrainer(EventTrainer, ClassificationTrainer):
    """Classification. There is no mAP: the accuracies are among the parts, and the fitness is their mean."""

    measures: ClassVar[dict[str, str]] = dict.fromkeys(REPORTED, "")  # no metric has these names: each is None
    metric_prefixes: ClassVar[tuple[str, ...]] = ALL

    def get_dataset(self) -> Any:
        """The dataset from the folder of images: for classification, ultralytics reads no YAML; the folders name the
        classes.
        """
        path = Path(self.args.data)
        if path.suffix == ".yaml":
            self.args.data = str(path.parent / "images")
        return super().get_dataset()

    def build_dataset(self, img_path: str, mode: str = "train", batch: Any = None) -> Any:
        dataset = super().build_dataset(img_path, mode, batch)
        if mode != "train":
            dataset.__class__ = NamedImages  # a new object would read the folder again
        return dataset


TRAINERS: dict[str, type[EventTrainer]] = {  # by trainer_key
    "detect": DetectTrainer,
    "segment": SegmentTrainer,
    "pose": KeypointTrainer,
    "obb": TurnedTrainer,
    "classify": ClassifyTrainer,
    "rtdetr": TransformerTrainer,
}


plots.install()  # once every trainer is there


def trainer_key(spec: TrainSpec) -> str:
    """A spec's key in TRAINERS: its task, but RT-DETR has a trainer of its own."""
    return "rtdetr" if "rtdetr" in (spec.architecture or "") else spec.task
