"""Trainings, their epochs, checkpoints and events."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.metrics import ClassMetrics
from app.core.room_messages import MessagePayload
from app.core.thresholds import ModelThresholds
from app.core.train import Extension, RunNote, RunProgress, TrainingParams, TrainingStart, WaitingReason
from app.models.base import Created, JSONText, Model, Real, Shared, UTCDateTime, now
from app.models.dataset import Dataset
from app.models.status import TrainingStatus

if TYPE_CHECKING:
    from app.models.test import Test


UPLOADED = "uploaded"  # a `kind` of `start`


def new_position() -> int:
    """A position behind all others in the queue: the time, in µs."""
    return round(now().timestamp() * 1_000_000)


class Training(Created, Shared, Model):
    """One training run; its files are below `data/models/{id}`. Its status: services/trainer/transitions.py."""

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

    params: Mapped[TrainingParams] = mapped_column(JSONText, default=dict)  # further ultralytics parameters
    task: Mapped[str] = mapped_column(String(20), default="detect", server_default="detect")
    architecture: Mapped[str | None] = mapped_column(String(40))  # "yolo11n-seg"; None: YOLOv8 of `model_version`
    # {"kind": "auto" | "official" | "scratch"} or {"kind": "training", "training_id": 5, "checkpoint": "best"}; for
    # weights trained elsewhere {"kind": "uploaded", "file", "sha256", "classes"}
    start: Mapped[TrainingStart] = mapped_column(JSONText, default=lambda: {"kind": "auto"}, server_default="{}")
    cloned_from: Mapped[int | None]
    revision: Mapped[int | None]  # of the dataset; None: the dataset had no versions yet
    dataset_revision: Mapped[str | None] = mapped_column(String(64))  # hash of images, labels, classes and split
    # {"confidence", "iou", "classes": {name: confidence}} chosen for its model; None: defaults
    thresholds: Mapped[ModelThresholds | None] = mapped_column(JSONText)
    important: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # always backed up
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # when it was moved to the trash

    # Queue order: by priority, then position, which is the age unless reordered.
    priority: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(BigInteger, default=new_position, server_default="0")
    start_not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    waiting_for: Mapped[WaitingReason | None] = mapped_column(JSONText)
    devices: Mapped[list[str] | None] = mapped_column(JSONText)  # held now: ["cpu"], ["0", "1"]
    device: Mapped[str | None] = mapped_column(String(40))  # as the worker reported it
    weights: Mapped[str | None] = mapped_column(String(20))  # official or scratch
    notes: Mapped[list[RunNote]] = mapped_column(JSONText, default=list)  # decisions and incidents for the user
    error: Mapped[str | None] = mapped_column(Text)
    error_kind: Mapped[str | None] = mapped_column(String(20))
    traceback: Mapped[str | None] = mapped_column(Text)
    eta: Mapped[Real | None]  # seconds
    # Working time of its processes in seconds, without queueing, pauses and suspension of the machine; and that of
    # earlier attempts.
    training_seconds: Mapped[Real] = mapped_column(default=0.0, server_default="0")
    seconds_before: Mapped[Real] = mapped_column(default=0.0, server_default="0")
    stop_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    pause_requested: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    pause_reason: Mapped[str | None] = mapped_column(String(20))  # asked, disk
    # Resuming: the checkpoint (below the training's folder; None: from the start), the number of automatic restarts
    # since the last new epoch, the number of times the batch was halved, and the present batch size (None: batch_size).
    resume_from: Mapped[str | None] = mapped_column(String(255))
    restarts: Mapped[int] = mapped_column(default=0, server_default="0")
    halvings: Mapped[int] = mapped_column(default=0, server_default="0")
    batch_now: Mapped[int | None]
    extensions: Mapped[list[Extension]] = mapped_column(JSONText, default=list, server_default="[]")
    # The supervisor's position: the applied part of its event file, and the room's sequence number.
    attempt: Mapped[int] = mapped_column(default=0)
    event_seq: Mapped[int] = mapped_column(default=0)
    event_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    seq: Mapped[int] = mapped_column(default=0)
    progress: Mapped[RunProgress] = mapped_column(JSONText, default=dict)  # stage, batch of the present epoch

    dataset: Mapped[Dataset] = relationship(back_populates="trainings")
    metrics: Mapped[list["TrainingMetric"]] = relationship(
        back_populates="training", cascade="all, delete-orphan", order_by="TrainingMetric.epoch"
    )
    checkpoints: Mapped[list["Checkpoint"]] = relationship(back_populates="training", cascade="all, delete-orphan")
    happenings: Mapped[list["TrainingEvent"]] = relationship(back_populates="training", cascade="all, delete-orphan")
    tests: Mapped[list["Test"]] = relationship(back_populates="training", cascade="all, delete-orphan")

    @property
    def is_uploaded(self) -> bool:
        """Whether its weights were trained elsewhere: their classes are in `start`, and may differ from the
        dataset's.
        """
        return self.start.get("kind") == UPLOADED


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
    fitness: Mapped[Real | None]
    timing: Mapped[dict[str, float]] = mapped_column(JSONText, default=dict, server_default="{}")  # load, train, val: s
    # per class of the validation set
    classes: Mapped[list[ClassMetrics]] = mapped_column(JSONText, default=list, server_default="[]")
    seq: Mapped[int] = mapped_column(default=0)

    training: Mapped[Training] = relationship(back_populates="metrics")


class Checkpoint(Model):
    """Weights saved during a training."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("ix_checkpoint_training", "training_id", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    model_path: Mapped[str] = mapped_column(String(255))
    metrics: Mapped[dict[str, float | None]] = mapped_column(JSONText, default=dict)
    is_best: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    resumable: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    periodic: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # retained by save_period
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    training: Mapped[Training] = relationship(back_populates="checkpoints")


class TrainingEvent(Model):
    """A message of a training's room, stored for clients that reconnect; `seq` has no gaps among stored messages,
    except after a killed server.

    Progress, figures and log are written a few times a minute (services/trainer/ephemeral.py) and thinned out later;
    the others stay.
    """

    __tablename__ = "training_event"
    __table_args__ = (UniqueConstraint("training_id", "seq"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    event: Mapped[str] = mapped_column(String(40))  # as in Socket.IO: training_update ...
    payload: Mapped[MessagePayload] = mapped_column(JSONText, default=dict)
    time: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    training: Mapped[Training] = relationship(back_populates="happenings")
