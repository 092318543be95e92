"""The contract between the trainings' service and the program that trains."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from app.core.spec import Spec


class TrainingStart(TypedDict):
    """What a training starts from.

    `kind`: auto, official, scratch, training (`training_id`, `checkpoint`: best, last or an epoch; for the child with
    its `path`) or uploaded (`file`, `sha256`, `classes`: weights that were trained elsewhere).
    """

    kind: str
    training_id: NotRequired[int]
    checkpoint: NotRequired[str | int]
    path: NotRequired[str]
    file: NotRequired[str]
    sha256: NotRequired[str]
    classes: NotRequired[list[str]]


class Extension(TypedDict):
    """Epochs that were added after `from_epoch`, up to `epochs` in all; `schedule` of the learning rate."""

    from_epoch: int
    epochs: int
    schedule: str


@dataclass(frozen=True)
class TrainSpec(Spec):
    """The task of a training's child, in its spec.json.

    Args:
        training_dir: the training's folder.
        data: our dataset.yaml.
        architecture: None: YOLOv8 of `model_version`.
        start: see TrainingStart.
        resume: the checkpoint to go on from.
        batch_size: what the user asked for. batch_now: what fits.
        learning_rate: None: ultralytics chooses.
        extensions: see Extension.
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
    start: TrainingStart
    resume: str | None
    epochs: int
    batch_size: int
    batch_now: int
    img_size: int
    learning_rate: float | None
    device: str
    params: dict[str, Any]
    extensions: Sequence[Extension]
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
