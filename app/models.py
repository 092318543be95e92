"""The tables of the specification, with what we add to them, the statuses and their legal transitions."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from sqlalchemy import BigInteger, Boolean, DateTime, Float, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from app.errors import IllegalTransition
from app.extensions import Base, db

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

Real = Annotated[float, mapped_column(Float(53))]


class JSONText(TypeDecorator):
    """JSON in a TEXT column, as the specification's schema has it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


class UTCDateTime(TypeDecorator):
    """An aware UTC datetime; stored without its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class DatasetStatus(StrEnum):
    PENDING = "pending"
    VALIDATING = "validating"
    VALID = "valid"
    INVALID = "invalid"


class TrainingStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in {TrainingStatus.COMPLETED, TrainingStatus.FAILED, TrainingStatus.CANCELLED}


# By kind of status first: "pending" of a dataset and "pending" of a training are equal as dictionary keys.
TRANSITIONS: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    DatasetStatus: {
        DatasetStatus.PENDING: frozenset({DatasetStatus.VALIDATING, DatasetStatus.INVALID}),
        DatasetStatus.VALIDATING: frozenset({DatasetStatus.VALID, DatasetStatus.INVALID}),
        DatasetStatus.VALID: frozenset({DatasetStatus.VALIDATING}),
        DatasetStatus.INVALID: frozenset({DatasetStatus.VALIDATING}),
    },
    TrainingStatus: {
        TrainingStatus.PENDING: frozenset({TrainingStatus.RUNNING, TrainingStatus.CANCELLED, TrainingStatus.FAILED}),
        TrainingStatus.RUNNING: frozenset({TrainingStatus.COMPLETED, TrainingStatus.FAILED, TrainingStatus.CANCELLED}),
        TrainingStatus.COMPLETED: frozenset(),
        TrainingStatus.FAILED: frozenset(),
        TrainingStatus.CANCELLED: frozenset(),
    },
}


class Transitions:
    """A row whose `status` changes only along TRANSITIONS."""

    status: Any

    def become(self, status: StrEnum) -> None:
        """Change the status.

        Raises:
            IllegalTransition: the present status does not lead there (answered as 409).
        """
        current = type(status)(self.status)
        if status not in TRANSITIONS[type(status)][current]:
            raise IllegalTransition(current, status)
        self.status = status


class Dataset(Transitions, Model):
    """An uploaded dataset; its files are under `path`."""

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    classes: Mapped[list[str]] = mapped_column(JSONText, default=list)
    total_images: Mapped[int] = mapped_column(default=0, server_default="0")
    train_images: Mapped[int] = mapped_column(default=0, server_default="0")
    val_images: Mapped[int] = mapped_column(default=0, server_default="0")
    test_images: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, onupdate=now)
    path: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20), default=DatasetStatus.PENDING, server_default="pending", index=True)

    task: Mapped[str] = mapped_column(String(20), default="detect")
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)  # why it is invalid
    # decisions taken at import and what the validation counted; see services/datasets.py
    report: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)

    findings: Mapped[list["DatasetFinding"]] = relationship(back_populates="dataset", cascade="all, delete-orphan")
    trainings: Mapped[list["Training"]] = relationship(back_populates="dataset")


class DatasetFinding(Model):
    """One thing that is wrong with a dataset, by file and line."""

    __tablename__ = "dataset_finding"
    __table_args__ = (Index("ix_dataset_finding_dataset_severity", "dataset_id", "severity", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    severity: Mapped[str] = mapped_column(String(10))  # error, warning, info
    code: Mapped[str] = mapped_column(String(40))
    file: Mapped[str | None] = mapped_column(String(255))  # below the dataset's folder
    line: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)  # what fills the message's places

    dataset: Mapped[Dataset] = relationship(back_populates="findings")


class Training(Transitions, Model):
    """One training run; its files are below `data/models/{id}`."""

    __tablename__ = "training"
    __table_args__ = (Index("ix_training_status_created", "status", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), index=True)
    model_version: Mapped[str] = mapped_column(String(10))
    epochs: Mapped[int] = mapped_column(default=100, server_default="100")
    batch_size: Mapped[int] = mapped_column(default=16, server_default="16")
    img_size: Mapped[int] = mapped_column(default=640, server_default="640")
    learning_rate: Mapped[Real] = mapped_column(default=0.01, server_default="0.01")
    status: Mapped[str] = mapped_column(String(20), default=TrainingStatus.PENDING)
    current_epoch: Mapped[int] = mapped_column(default=0, server_default="0")
    total_epochs: Mapped[int | None]
    start_time: Mapped[datetime | None] = mapped_column(UTCDateTime)
    end_time: Mapped[datetime | None] = mapped_column(UTCDateTime)
    model_path: Mapped[str | None] = mapped_column(String(255))
    config_path: Mapped[str | None] = mapped_column(String(255))
    log_path: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, onupdate=now)

    params: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)  # further ultralytics parameters
    priority: Mapped[int] = mapped_column(default=0)
    device: Mapped[str | None] = mapped_column(String(40))  # as the worker reported it
    weights: Mapped[str | None] = mapped_column(String(20))  # official or scratch
    notes: Mapped[list[dict[str, Any]]] = mapped_column(JSONText, default=list)  # decisions the user is told
    error: Mapped[str | None] = mapped_column(Text)
    error_kind: Mapped[str | None] = mapped_column(String(20))
    traceback: Mapped[str | None] = mapped_column(Text)
    eta: Mapped[Real | None]  # seconds
    stop_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    # The supervisor's place: which child, how much of its event file is applied, and the room's sequence number.
    attempt: Mapped[int] = mapped_column(default=0)
    pid: Mapped[int | None]
    pid_started: Mapped[Real | None]
    event_seq: Mapped[int] = mapped_column(default=0)
    event_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    seq: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)  # stage, batch of the present epoch

    dataset: Mapped[Dataset] = relationship(back_populates="trainings")
    metrics: Mapped[list["TrainingMetric"]] = relationship(
        back_populates="training", cascade="all, delete-orphan", order_by="TrainingMetric.epoch"
    )
    checkpoints: Mapped[list["Checkpoint"]] = relationship(back_populates="training", cascade="all, delete-orphan")
    tests: Mapped[list["Test"]] = relationship(back_populates="training", cascade="all, delete-orphan")


class TrainingMetric(Model):
    """One epoch's metrics; `loss` and `val_loss` are the sums of `parts`."""

    __tablename__ = "training_metric"
    __table_args__ = (UniqueConstraint("training_id", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"))
    epoch: Mapped[int]  # from 1
    loss: Mapped[Real | None]
    precision: Mapped[Real | None]
    recall: Mapped[Real | None]
    map50: Mapped[Real | None]
    map95: Mapped[Real | None]
    val_loss: Mapped[Real | None]
    learning_rate: Mapped[Real | None]
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    parts: Mapped[dict[str, float]] = mapped_column(JSONText, default=dict)  # train/box_loss, val/cls_loss, ...
    seconds: Mapped[Real | None]  # training and validation of the epoch
    seq: Mapped[int] = mapped_column(default=0)

    training: Mapped[Training] = relationship(back_populates="metrics")


class Checkpoint(Model):
    """Weights that were saved during a training."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("ix_checkpoint_training", "training_id", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    model_path: Mapped[str] = mapped_column(String(255))
    metrics: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)
    is_best: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    training: Mapped[Training] = relationship(back_populates="checkpoints")


class Test(Model):
    """One image that a trained model was tried on."""

    __test__ = False  # not a test case for pytest
    __tablename__ = "test"

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"), index=True)
    image_path: Mapped[str | None] = mapped_column(String(255))
    results: Mapped[list[dict[str, Any]]] = mapped_column(JSONText, default=list)
    confidence_threshold: Mapped[Real]
    iou_threshold: Mapped[Real]
    inference_time: Mapped[Real | None]  # ms, the model's own
    total_time: Mapped[Real | None]  # ms, reading, letterbox and NMS included
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    training: Mapped[Training] = relationship(back_populates="tests")
