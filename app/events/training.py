"""The events of a training."""

from dataclasses import dataclass, field
from typing import ClassVar

from app.core.metrics import ClassMetrics
from app.core.text_data import TextData
from app.core.train import GpuFigures, UltralyticsArguments
from app.events.base import Event

RETAINED_CHECKPOINTS = 2  # resumable copies beside best.pt


@dataclass(frozen=True)
class Stage(Event):
    """A phase before the first batch: `importing`, `weights`, `dataset`, `model`; later `validating`, `saving`."""

    name: str
    eta: float | None = None  # seconds until the end of the run; None: unchanged


@dataclass(frozen=True)
class Download(Event):
    """Progress of a weights download; `total` is 0 if the server does not report it. Bytes."""

    name: str
    received: int
    total: int


@dataclass(frozen=True)
class Note(Event):
    """A decision or an incident for the user: `code` selects the text, `data` fills its placeholders.

    Codes: `weights_official`, `weights_downloaded` (name), `weights_rejected` (name, reason), `weights_scratch`
    (reason), `optimizer_auto` and `optimizer_set` (name, learning_rate), `nan_recovered` (epoch),
    `resumed` (epoch), `schedule_stretched` and `schedule_kept` (from, to: learning rates).
    """

    code: str
    data: TextData = field(default_factory=dict)


@dataclass(frozen=True)
class Started(Event):
    """The model is built and the first epoch begins."""

    device: str  # "cpu" or the GPU's name
    weights: str  # official or scratch
    epochs: int
    batches: int  # per epoch
    train_images: int
    val_images: int
    parameters: int
    optimizer: str
    arguments: UltralyticsArguments  # every ultralytics argument as used
    versions: dict[str, str]
    start_epoch: int = 1  # from 1; later if the run was resumed
    task: str = "detect"
    model: str = ""  # what the model was built from: "yolov8n.yaml", "yolov8n.pt", "checkpoints/epoch-7.pt"
    dataset_revision: str = ""  # SHA-256 of images, labels, classes and split
    drawing: float | None = None  # CPU seconds for the plot of the labels; None: not drawn


@dataclass(frozen=True)
class Progress(Event):
    """A batch of the present epoch, at most four per second."""

    repeated: ClassVar[bool] = True
    epoch: int  # from 1
    batch: int  # from 1
    batches: int
    loss: float | None
    parts: dict[str, float] = field(default_factory=dict)
    eta: float | None = None  # seconds until the end of the run


@dataclass(frozen=True)
class Epoch(Event):
    """An epoch with its validation. `loss` and `val_loss` are sums of `parts`; `seconds` covers both."""

    epoch: int  # from 1
    epochs: int
    loss: float | None
    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    val_loss: float | None
    learning_rate: float | None
    parts: dict[str, float | None]
    seconds: float
    eta: float  # seconds until the end
    fitness: float | None = None
    timing: dict[str, float] = field(default_factory=dict)  # seconds: load (waiting for images), train, val
    classes: list[ClassMetrics] = field(default_factory=list)  # in the validation set


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """Weights were written; `path` is relative to the training's folder."""

    epoch: int
    path: str
    is_best: bool
    metrics: dict[str, float | None]
    resumable: bool = True  # has the optimizer and the epoch
    periodic: bool = False  # retained by save_period
    size: int = 0  # bytes


@dataclass(frozen=True)
class Figures(Event):
    """Machine figures during the run, every two seconds. Sizes in bytes, rates in bytes per second, percent of all
    cores.

    `gpus`: {"index", "name", "utilization" (%), "memory_used", "memory_total", "temperature" (°C), "power" (W)} each.
    """

    background: ClassVar[bool] = True
    cpu: float
    memory_used: int
    memory_total: int
    process_memory: int  # resident memory of the training and its helper processes
    disk_read: float
    disk_write: float
    net_sent: float
    net_received: float
    gpus: list[GpuFigures] = field(default_factory=list)


@dataclass(frozen=True)
class Completed(Event):
    """The run completed; `model_path` is relative to the training's folder."""

    terminal: ClassVar[bool] = True
    model_path: str
    epochs: int  # completed epochs; fewer than requested after early stopping
    best_epoch: int
    metrics: dict[str, float | None]  # precision, recall, map50, map95 of the best weights
    seconds: float


@dataclass(frozen=True)
class Cancelled(Event):
    """The run was cancelled; `model_path` is None if no weights were saved."""

    terminal: ClassVar[bool] = True
    epoch: int
    model_path: str | None


@dataclass(frozen=True)
class Paused(Event):
    """The run ended and can resume from its last checkpoint; `epoch` is the last complete one, 0 for none.

    `reason`: "asked" (the stop file says pause) or "terminated" (SIGTERM from outside, as at a shutdown).
    """

    terminal: ClassVar[bool] = True
    epoch: int
    reason: str


@dataclass(frozen=True)
class Failed(Event):
    """The child failed. `kind`: out_of_memory, disk_full, data, weights, code."""

    terminal: ClassVar[bool] = True
    kind: str
    error: str
    traceback: str = ""
