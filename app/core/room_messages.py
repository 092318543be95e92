"""The messages of a training's room, as stored and sent."""

from collections.abc import Mapping
from typing import TypedDict

from app.core.metrics import ClassMetrics
from app.core.text_data import TextData
from app.core.train import GpuFigures, RunProgress


class QueuePosition(TypedDict):
    """A waiting training; `ahead`: how many start before it, None: unknown."""

    training_id: int
    priority: int
    position: int
    ahead: int | None


class MessagePayload(TypedDict, total=False):
    """The payload of a message: `training_id` and `seq`, unless it is about all trainings, and the fields of its event.

    training_status: `training`, as TrainingOut sends it. training_progress: `status` to `total_epochs`.
    training_update: the epoch. training_note, training_advice: `code` and `data`, with the sentences for the reader.
    training_log: bytes `start` to `offset` of an attempt's log. training_system: `cpu` to `gpus`. training_error:
    `error`, `traceback`, `kind`. training_queue: `order` and `queue`. The others have one or two fields.
    """

    training_id: int
    seq: int
    time: str
    timestamp: str
    training: dict[str, object]
    status: str
    progress: RunProgress
    eta: float | None
    current_epoch: int
    total_epochs: int | None
    epoch: int
    batch: int | None
    batches: int | None
    loss: float | None
    metrics: dict[str, float | None]
    parts: Mapping[str, float | None] | None
    seconds: float
    timing: dict[str, float]
    fitness: float | None
    classes: list[ClassMetrics]
    is_best: bool
    code: str
    data: TextData
    level: str
    message: str
    hint: str
    attempt: int
    start: int
    offset: int
    text: str
    cpu: float
    memory_used: int
    memory_total: int
    process_memory: int
    disk_read: float
    disk_write: float
    net_sent: float
    net_received: float
    gpus: list[GpuFigures]
    error: str | None
    traceback: str | None
    kind: str
    reason: str
    downloadable: bool
    final_metrics: dict[str, float | None]
    model_path: str
    duration: float | None
    training_seconds: float
    order: list[int]
    queue: list[QueuePosition]


class StoredMessage(TypedDict):
    """A message with its number and its time, for clients that were disconnected."""

    seq: int
    event: str
    time: str
    payload: MessagePayload
