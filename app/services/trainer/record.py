"""Records each event of a training's child in the training's rows."""

import logging
from dataclasses import asdict
from datetime import datetime
from functools import singledispatch
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.config import settings
from app.core import metrics
from app.core.clock import CLOCK
from app.core.paths import data_folder_of, redact_paths
from app.core.train import RunProgress
from app.events import (
    RETAINED_CHECKPOINTS,
    Cancelled,
    CheckpointSaved,
    Completed,
    Download,
    Epoch,
    Event,
    Failed,
    Figures,
    Note,
    Paused,
    Progress,
    Stage,
    Started,
)
from app.extensions import db
from app.models import Checkpoint, Training, TrainingMetric, TrainingStatus
from app.services.trainer import recover
from app.services.trainer.advance import advance, present_epoch, stage
from app.services.trainer.advice import advise
from app.services.trainer.ephemeral import RunState
from app.services.trainer.messages import (
    RoomMessage,
    message,
    note_message,
    progress_message,
    stamp,
    status_message,
    with_more,
)
from app.services.trainer.output import without_controls
from app.services.trainer.present import duration
from app.services.trainer.transitions import change
from app.services.trainer.unrecorded import unrecorded_epochs

logger = logging.getLogger("yolo.training")


@singledispatch
def record(event: Event, row: Any, time: datetime) -> list[RoomMessage]:
    """Record one event in the training's rows; returns the resulting messages. Other events change nothing."""
    return []


@record.register
def _(event: Stage, row: Training | RunState, time: datetime) -> list[RoomMessage]:
    stage(row, event.name)
    if event.eta is not None:
        row.eta = event.eta
    return [progress_message(row)]


@record.register
def _(event: Download, row: Training | RunState, time: datetime) -> list[RoomMessage]:
    advance(row, {"stage": "weights", "name": event.name, "received": event.received, "total": event.total})
    return [progress_message(row)]


@record.register
def _(event: Note, row: Training, time: datetime) -> list[RoomMessage]:
    data = {key: redact(row, value) if isinstance(value, str) else value for key, value in event.data.items()}
    row.notes = [*row.notes, {"code": event.code, "data": data}]
    return [note_message(row, event.code, data, time), status_message(row)]


@record.register
def _(event: Started, row: Training, time: datetime) -> list[RoomMessage]:
    messages: list[RoomMessage] = []
    for envelope in unrecorded_epochs(row, recover.folder(row), event.start_epoch):
        messages += record(envelope.event, row, CLOCK.shared(envelope.time))
    row.device, row.total_epochs = event.device[:40], event.epochs
    row.weights = event.weights if event.start_epoch == 1 else row.weights
    row.current_epoch = event.start_epoch - 1
    row.dataset_revision = event.dataset_revision or row.dataset_revision
    # Epochs recorded after the checkpoint will be repeated.
    again = (TrainingMetric.training_id == row.id) & (TrainingMetric.epoch >= event.start_epoch)
    db.session.execute(delete(TrainingMetric).where(again))
    stale = (Checkpoint.training_id == row.id) & (Checkpoint.epoch >= event.start_epoch)
    if event.start_epoch > 1:  # a run from the start has no best weights yet; a resumed one keeps them
        stale &= ~Checkpoint.is_best
    db.session.execute(delete(Checkpoint).where(stale))
    row.learning_rate = float(event.arguments.get("lr0", row.learning_rate))
    row.config_path = f"models/{row.id}/config.yaml"
    advance(row, {"epoch": event.start_epoch, "batch": 0, "batches": event.batches})
    return [*messages, status_message(row)]


@record.register
def _(event: Progress, row: Training | RunState, time: datetime) -> list[RoomMessage]:
    batch: RunProgress = {"epoch": event.epoch, "batch": event.batch, "batches": event.batches}
    advance(row, {**batch, "loss": event.loss, "parts": event.parts})
    row.eta = event.eta
    return [progress_message(row)]


@record.register
def _(event: Figures, row: Training | RunState, time: datetime) -> list[RoomMessage]:
    return [message("training_system", row, **asdict(event), timestamp=stamp(time))]


@record.register
def _(event: Epoch, row: Training, time: datetime) -> list[RoomMessage]:
    measures = {name: getattr(event, name) for name in metrics.IN_EVENT}
    row.current_epoch, row.total_epochs, row.eta = event.epoch, event.epochs, event.eta
    row.restarts = 0  # progress: automatic restarts are counted again
    advance(row, present_epoch(row.progress))
    update_message = message(
        "training_update",
        row,
        epoch=event.epoch,
        metrics=measures,
        parts=event.parts,
        status=str(row.status),
        progress=row.progress,
        eta=event.eta,
        seconds=event.seconds,
        timing=event.timing,
        fitness=event.fitness,
        timestamp=stamp(time),
    )
    mine = (TrainingMetric.training_id == row.id) & (TrainingMetric.epoch == event.epoch)
    db.session.execute(delete(TrainingMetric).where(mine))  # a repeated epoch replaces its row
    metric = TrainingMetric(training_id=row.id, epoch=event.epoch, timestamp=time, parts=event.parts, **measures)
    metric.seconds, metric.fitness, metric.timing = event.seconds, event.fitness, event.timing
    # stored only here, since a row per class and epoch would be too much
    metric.classes, metric.seq = event.classes, row.seq
    db.session.add(metric)
    return [with_more(update_message, classes=event.classes), *advice(row, event.epoch, time)]


def advice(row: Training, epoch: int, time: datetime) -> list[RoomMessage]:
    """The coach's advice; an error in it must not end the run."""
    try:
        return advise(row, epoch, time)
    except SQLAlchemyError:
        raise
    except Exception:
        logger.exception("training %s: advice on epoch %s failed", row.id, epoch)
        return []


@record.register
def _(event: CheckpointSaved, row: Training, time: datetime) -> list[RoomMessage]:
    mine = Checkpoint.training_id == row.id
    if event.is_best:
        db.session.execute(delete(Checkpoint).where(mine, Checkpoint.is_best))
    else:  # its file was replaced, or deleted when this one was written
        stale = (Checkpoint.epoch <= event.epoch - RETAINED_CHECKPOINTS) & ~Checkpoint.periodic
        db.session.execute(
            delete(Checkpoint).where(mine, ~Checkpoint.is_best, stale | (Checkpoint.epoch >= event.epoch))
        )
    db.session.add(
        Checkpoint(
            training_id=row.id,
            epoch=event.epoch,
            model_path=f"models/{row.id}/{event.path}",
            metrics=event.metrics,
            is_best=event.is_best,
            resumable=event.resumable and not event.is_best,  # best.pt is stripped at the end
            periodic=event.periodic,
            size_bytes=event.size,
            created_at=time,
        )
    )
    return [message("training_checkpoint", row, epoch=event.epoch, is_best=event.is_best)]


@record.register
def _(event: Completed, row: Training, time: datetime) -> list[RoomMessage]:
    progress: RunProgress = {"stage": "completed", "best_epoch": event.best_epoch, "final_metrics": event.metrics}
    path = recover.below(row, event.model_path)
    change(row, TrainingStatus.COMPLETED, end_time=time, model_path=path, progress=progress)
    return [
        message(
            "training_completed",
            row,
            final_metrics=event.metrics,
            model_path=f"/models/{row.id}/best.pt",
            duration=duration(row),
            training_seconds=row.training_seconds,
        ),
        status_message(row),
    ]


@record.register
def _(event: Cancelled, row: Training, time: datetime) -> list[RoomMessage]:
    return recover.record_cancel(row, time, event.model_path)


@record.register
def _(event: Paused, row: Training, time: datetime) -> list[RoomMessage]:
    return recover.record_pause(row, event, time)


@record.register
def _(event: Failed, row: Training, time: datetime) -> list[RoomMessage]:
    if row.stop_requested:  # the request is obsolete, since the run has ended anyway
        return recover.record_cancel(row, time, recover.best_weights(recover.folder(row)))
    messages = recover.recover_from(row, event)
    if messages is not None:
        return messages
    kind = recover.failure_kind(row, event)
    change(
        row,
        TrainingStatus.FAILED,
        end_time=time,
        model_path=recover.below(row, recover.best_weights(recover.folder(row))),
        error=redact(row, event.error),
        error_kind=kind,
        traceback=redact(row, event.traceback),
    )
    return [
        message("training_error", row, error=row.error, traceback=row.traceback, kind=kind),
        status_message(row),
    ]


def redact(row: Training, text: str) -> str:
    """A child's text, without terminal colors and this machine's paths."""
    data = data_folder_of(settings().MODELS_DIR / str(row.id) / "attempts" / str(row.attempt))
    return redact_paths(without_controls(text), data, {row.dataset_id: row.dataset.name})
