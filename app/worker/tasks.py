"""A trainer for each task of YOLO. Classes by name: multi-GPU training imports them in new processes."""

from typing import ClassVar

from ultralytics.models.yolo.detect import DetectionTrainer

from app.worker.trainer import EventTrainer

BOXES = {"precision": "precision(B)", "recall": "recall(B)", "map50": "mAP50(B)", "map95": "mAP50-95(B)"}


class DetectTrainer(EventTrainer, DetectionTrainer):
    """Boxes."""

    measures: ClassVar[dict[str, str]] = BOXES


TRAINERS: dict[str, type[EventTrainer]] = {"detect": DetectTrainer}
