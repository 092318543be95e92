"""The contract between the trainings' service and the program that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.spec import Spec


@dataclass(frozen=True)
class TrainSpec(Spec):
    """What a training's child is told, in its spec.json.

    Args:
        training_dir: the training's folder.
        data: our dataset.yaml.
        architecture: None: YOLOv8 of `model_version`.
        start: see models/training.py; a training's checkpoint with its `path`.
        resume: the checkpoint to go on from.
        batch_size: what the user asked for. batch_now: what fits.
        learning_rate: None: ultralytics chooses.
        extensions: see services/trainer/extend.py.
        device: as ultralytics takes it: "", "cpu", "0", "0,1", numbered among `devices`.
        devices: of the machine; there to hold the same ones after a restart.
        params: further parameters of ultralytics, checked against an allow-list.
        memory_limit: bytes; 0: none.
    """

    training_id: int
    training_dir: str
    data: str
    task: str
    model_version: str
    architecture: str | None
    start: dict[str, Any]
    resume: str | None
    epochs: int
    batch_size: int
    batch_now: int
    img_size: int
    learning_rate: float | None
    device: str
    params: dict[str, Any]
    extensions: Sequence[dict[str, Any]]
    memory_limit: int
    weights_dir: str
    weights_url: str
    devices: Sequence[str] = field(default=())

    @property
    def folder(self) -> Path:
        return Path(self.training_dir)

    @property
    def model(self) -> str:
        """The name of the architecture, such as yolo11n-seg."""
        return self.architecture or f"yolov8{self.model_version}"
