"""The contract between the trainings' service and the training program."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from app.core.spec import Spec
from app.core.text_data import TextData


class TrainingStart(TypedDict):
    """The initial weights of a training.

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


# All arguments of ultralytics by name, whatever its version. Those that a request may set are TrainingParams.
UltralyticsArguments = dict[str, Any]


class TrainingParams(TypedDict, total=False):
    """Further parameters that a request may set; see app/services/trainer/params for their meaning."""

    amp: bool
    angle: float
    auto_augment: str
    bgr: float
    box: float
    cache: bool | str
    close_mosaic: int
    cls: float
    cls_pw: float
    cls_remap: bool
    copy_paste: float
    copy_paste_mode: str
    cos_lr: bool
    cutmix: float
    degrees: float
    deterministic: bool
    device: str
    dfl: float
    dropout: float
    erasing: float
    fliplr: float
    flipud: float
    fraction: float
    freeze: int
    hsv_h: float
    hsv_s: float
    hsv_v: float
    kobj: float
    lrf: float
    mask_ratio: int
    max_det: int
    mixup: float
    momentum: float
    mosaic: float
    multi_scale: float
    nbs: int
    optimizer: str
    overlap_mask: bool
    patience: int
    perspective: float
    plots: bool
    pose: float
    rect: bool
    rle: float
    save_period: int
    scale: float
    seed: int
    shear: float
    single_cls: bool
    translate: float
    warmup_bias_lr: float
    warmup_epochs: float
    warmup_momentum: float
    weight_decay: float
    workers: int


class RunProgress(TypedDict, total=False):
    """The current activity of a training: a batch of the present epoch, or a `stage` outside the epochs.

    `loss`, `parts`: of the batch; `name`, `received`, `total`: of a download, bytes; `fraction`: 0 to 1 of the run;
    `best_epoch`, `final_metrics`: of a completed run.
    """

    stage: str
    epoch: int
    batch: int
    batches: int
    loss: float | None
    parts: dict[str, float]
    name: str
    received: int
    total: int
    fraction: float
    best_epoch: int
    final_metrics: dict[str, float | None]


class GpuFigures(TypedDict):
    """A GPU's figures from NVML: percent, bytes, °C, W; None: not reported."""

    index: int
    name: str
    utilization: float | None
    memory_used: int | None
    memory_total: int | None
    temperature: float | None
    power: float | None


class RunNote(TypedDict):
    """A decision or an incident of a training, for its user."""

    code: str
    data: TextData


class WaitingReason(TypedDict):
    """What a training waits for, by `code`; see WaitingOut. Sizes in bytes."""

    code: str
    training_id: NotRequired[int]
    name: NotRequired[str]
    ahead: NotRequired[int]
    until: NotRequired[str]
    free: NotRequired[int]
    needed: NotRequired[int]
    device: NotRequired[str]


class Extension(TypedDict):
    """Epochs added after `from_epoch`, up to a total of `epochs`; `schedule` of the learning rate."""

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
        resume: the checkpoint to resume from.
        batch_size: as requested. batch_now: as reduced to fit into memory.
        learning_rate: None: chosen by ultralytics.
        extensions: see Extension.
        device: for ultralytics: "", "cpu", "0", "0,1", numbered among `devices`.
        devices: of the machine; recorded so that a restart uses the same ones.
        params: further parameters of ultralytics, checked against an allow-list.
        memory_limit: bytes; 0: unlimited.
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
    params: TrainingParams
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
