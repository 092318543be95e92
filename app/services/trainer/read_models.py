"""Types of trainings, epochs and messages, for their schemas."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from app.core.metrics import ClassMetrics
from app.core.room_messages import MessagePayload, StoredMessage
from app.core.thresholds import ModelThresholds
from app.core.train import Extension, RunProgress, TrainingParams, TrainingStart, UltralyticsArguments, WaitingReason
from app.models import TrainingMetric


class NoteView(TypedDict):
    """A note of a training for its user."""

    code: str
    message: str


class WaitingView(WaitingReason):
    """A waiting reason with a sentence for the reader."""

    message: str


class LogPosition(TypedDict):
    """The position up to which an attempt's log was sent: bytes `start` to `offset` in the last message."""

    attempt: int
    start: int
    offset: int


class TrainingView(TypedDict):
    """A training as TrainingOut: columns of its row, and what TrainingPresenter adds."""

    id: int
    name: str
    dataset_id: int
    dataset_name: str
    model_version: str
    epochs: int
    batch_size: int
    img_size: int
    learning_rate: float | None
    status: str
    current_epoch: int
    total_epochs: int | None
    start_time: datetime | None
    end_time: datetime | None
    model_path: str | None
    config_path: str | None
    log_path: str | None
    created_at: datetime
    updated_at: datetime
    params: TrainingParams
    device: str | None
    weights: str | None
    notes: list[NoteView]
    error: str | None
    error_kind: str | None
    eta: float | None
    duration: float | None
    training_seconds: float
    stop_requested: bool
    downloadable: bool
    evaluated: bool
    best: TrainingMetric | None
    progress: RunProgress
    level: str | None
    seq: int
    task: str
    architecture: str | None
    start: TrainingStart
    cloned_from: int | None
    revision: int | None
    dataset_revision: str | None
    thresholds: ModelThresholds | None
    important: bool
    deleted_at: datetime | None
    priority: int
    position: int
    start_not_before: datetime | None
    waiting_for: WaitingView | None
    devices: list[str] | None
    pause_requested: bool
    pause_reason: str | None
    restarts: int
    halvings: int
    batch_now: int | None
    extensions: list[Extension]
    resumable: bool
    actions: list[str]
    created_by: int | None
    shared: bool


class TrainingRowView(TrainingView):
    """A training in a list, with its sparkline: [epoch, map50] each."""

    spark: list[list[float]]


class TrainingPageView(TypedDict):
    """A page of the list."""

    trainings: list[TrainingRowView]
    total: int
    page: int
    per_page: int
    pages: int


class DatasetChoice(TypedDict):
    """A dataset used by trainings, and their number."""

    id: int
    name: str
    trainings: int


class NamedChoice(TypedDict):
    """A model or a task, and the number of trainings with it."""

    name: str
    trainings: int


class FilterChoicesView(TypedDict):
    """The values of the list's filters."""

    datasets: list[DatasetChoice]
    models: list[NamedChoice]
    tasks: list[NamedChoice]


class QueueView(TypedDict):
    """The waiting trainings, in order."""

    queue: list[TrainingView]


ComparedCurve = dict[str, int | list[float | None]]
"""`training_id`, and columns: `epoch`, `time` (s) and each metric of core/metrics.py."""


class Comparison(TypedDict):
    """Trainings side by side; see compare.compare."""

    trainings: list[TrainingView]
    curves: list[ComparedCurve]
    defaults: UltralyticsArguments
    differs: list[str]
    missing: list[int]


class EpochView(TypedDict):
    """An epoch as MetricOut; its metrics are those of core/metrics.py, None for not-a-number."""

    epoch: int
    loss: float | None
    precision: float | None
    recall: float | None
    map50: float | None
    map95: float | None
    val_loss: float | None
    learning_rate: float | None
    timestamp: datetime
    parts: dict[str, float]
    seconds: float | None
    fitness: float | None
    timing: dict[str, float]
    classes: list[ClassMetrics]


class MetricsView(TypedDict):
    """Every epoch so far; equal versions have equal metrics."""

    version: str
    epochs: Sequence[TrainingMetric] | list[EpochView]


class EventsPage(TypedDict):
    """Messages by number; see StoredMessages.page."""

    events: list[StoredMessage]
    seq: int
    more: bool
    thinned: bool


class LogEnd(TypedDict):
    """The end of an attempt's log, up to byte `offset`."""

    text: str
    offset: int
    attempt: int


class Snapshot(TypedDict):
    """The state with which a page continues to live messages; see TrainingFollowing.snapshot."""

    seq: int
    training: dict[str, object]  # as in TrainingOut
    metrics: dict[str, object] | None
    notes: list[MessagePayload]
    advice: list[MessagePayload]
    losses: list[MessagePayload]
    figures: list[MessagePayload]
    log: LogEnd
