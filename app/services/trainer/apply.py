"""Events of a training child become rows: `apply` is the only writer of a training's progress.

Idempotent: an event is applied once, by the attempt and its number, in one transaction with the place in the file.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import singledispatch
from pathlib import Path

from flask import current_app
from sqlalchemy import delete, update

from app.database import writing
from app.events import (
    KEPT_CHECKPOINTS,
    Cancelled,
    CheckpointSaved,
    Completed,
    Download,
    Envelope,
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
from app.services.trainer.advance import KEPT, advance, stage
from app.services.trainer.advice import advise
from app.services.trainer.ending import cancelled, finish
from app.services.trainer.messages import (
    LogPiece,
    Message,
    log_message,
    message,
    note_message,
    progress_message,
    stamp,
    status_message,
    with_more,
)
from app.services.trainer.output import plain
from app.services.trainer.paths import without_folders
from app.services.trainer.present import duration

MEASURES = ("loss", "precision", "recall", "map50", "map95", "val_loss", "learning_rate")


def apply(
    training_id: int, attempt: int, said: Sequence[tuple[int, Envelope]], log: LogPiece | None = None
) -> list[Message]:
    """Apply a batch of (offset behind it, event); returns what to send once this has returned.

    Events of an older attempt, events that were applied before and events after the end change nothing.
    `log` is what the child wrote meanwhile; it counts after the end, too.
    """
    messages: list[Message] = []
    with writing() as session:
        row = session.get(Training, training_id, with_for_update=True)
        if row is None or row.attempt != attempt:
            return []
        for offset, envelope in without_stale(said):
            if envelope.seq <= row.event_seq or row.status != TrainingStatus.RUNNING:
                continue
            row.event_seq, row.event_offset = envelope.seq, offset
            if envelope.worked is not None:
                row.training_seconds = round(row.seconds_before + envelope.worked, 1)
            messages += record(envelope.event, row, envelope.time)
        if log is not None:
            messages.append(log_message(row, log))
    return messages


def end(training_id: int, attempt: int, event: Event, time: datetime) -> list[Message]:
    """Apply an ending that the child could not tell itself."""
    row = db.session.get(Training, training_id)
    if row is None:
        return []
    said = [(row.event_offset, Envelope(row.event_seq + 1, time, event))]
    return apply(training_id, attempt, said)


def without_stale(said: Sequence[tuple[int, Envelope]]) -> list[tuple[int, Envelope]]:
    """Of each run of progress events only the last, which says it all."""
    kept: list[tuple[int, Envelope]] = []
    for place in said:
        if kept and isinstance(kept[-1][1].event, Progress) and isinstance(place[1].event, Progress):
            kept.pop()
        kept.append(place)
    return kept


@singledispatch
def record(event: Event, row: Training, time: datetime) -> list[Message]:
    """Write one event into the training's rows; the messages that follow from it. Others' events change nothing."""
    return []


@record.register
def _(event: Stage, row: Training, time: datetime) -> list[Message]:
    stage(row, event.name)
    return [progress_message(row)]


@record.register
def _(event: Download, row: Training, time: datetime) -> list[Message]:
    advance(row, stage="weights", name=event.name, received=event.received, total=event.total)
    return [progress_message(row)]


@record.register
def _(event: Note, row: Training, time: datetime) -> list[Message]:
    data = {key: told(row, value) if isinstance(value, str) else value for key, value in event.data.items()}
    row.notes = [*row.notes, {"code": event.code, "data": data}]
    return [note_message(row, event.code, data, time), status_message(row)]


@record.register
def _(event: Started, row: Training, time: datetime) -> list[Message]:
    row.device, row.total_epochs = event.device[:40], event.epochs
    row.weights = event.weights if event.start_epoch == 1 else row.weights
    row.current_epoch = event.start_epoch - 1
    row.dataset_revision = event.dataset_revision or row.dataset_revision
    # What was recorded beyond the checkpoint comes again.
    again = (TrainingMetric.training_id == row.id) & (TrainingMetric.epoch >= event.start_epoch)
    db.session.execute(delete(TrainingMetric).where(again))
    gone = (Checkpoint.training_id == row.id) & (Checkpoint.epoch >= event.start_epoch)
    if event.start_epoch > 1:  # the best weights stay until there are better ones; a run from the start drops them
        gone &= ~Checkpoint.is_best
    db.session.execute(delete(Checkpoint).where(gone))
    row.learning_rate = float(event.arguments.get("lr0", row.learning_rate))
    row.config_path = f"models/{row.id}/config.yaml"
    advance(row, epoch=event.start_epoch, batch=0, batches=event.batches)
    return [status_message(row)]


@record.register
def _(event: Progress, row: Training, time: datetime) -> list[Message]:
    advance(row, **{name: getattr(event, name) for name in ("epoch", "batch", "batches", "loss", "parts")})
    row.eta = event.eta
    return [progress_message(row)]


@record.register
def _(event: Figures, row: Training, time: datetime) -> list[Message]:
    return [message("training_system", row, **asdict(event), timestamp=stamp(time))]


@record.register
def _(event: Epoch, row: Training, time: datetime) -> list[Message]:
    measures = {name: getattr(event, name) for name in MEASURES}
    row.current_epoch, row.total_epochs, row.eta = event.epoch, event.epochs, event.eta
    row.restarts = 0  # it gets on
    advance(row, **{key: value for key, value in row.progress.items() if key in KEPT})
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
    db.session.execute(delete(TrainingMetric).where(mine))  # a repeated epoch counts once
    metric = TrainingMetric(training_id=row.id, epoch=event.epoch, timestamp=time, parts=event.parts, **measures)
    metric.seconds, metric.fitness, metric.timing = event.seconds, event.fitness, event.timing
    metric.classes, metric.seq = event.classes, row.seq  # kept here alone: a row of each class for each epoch is much
    db.session.add(metric)
    return [with_more(update_message, classes=event.classes), *advise(row, event.epoch, time)]


@record.register
def _(event: CheckpointSaved, row: Training, time: datetime) -> list[Message]:
    mine = Checkpoint.training_id == row.id
    if event.is_best:
        db.session.execute(delete(Checkpoint).where(mine, Checkpoint.is_best))
    else:  # its file was replaced, or went when this one was written
        gone = (Checkpoint.epoch <= event.epoch - KEPT_CHECKPOINTS) & ~Checkpoint.periodic
        db.session.execute(
            delete(Checkpoint).where(mine, ~Checkpoint.is_best, gone | (Checkpoint.epoch >= event.epoch))
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
def _(event: Completed, row: Training, time: datetime) -> list[Message]:
    finish(row, TrainingStatus.COMPLETED, time, event.model_path)
    row.progress = {"stage": "completed", "best_epoch": event.best_epoch, "final_metrics": event.metrics}
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
def _(event: Cancelled, row: Training, time: datetime) -> list[Message]:
    return cancelled(row, time, event.model_path)


@record.register
def _(event: Paused, row: Training, time: datetime) -> list[Message]:
    return recover.paused(row, event, time)


@record.register
def _(event: Failed, row: Training, time: datetime) -> list[Message]:
    if row.stop_requested:  # it ends all the same, and nobody waits for it any more
        return cancelled(row, time, recover.weights_left(recover.folder(row)))
    messages = recover.goes_on(row, event)
    if messages is not None:
        return messages
    finish(row, TrainingStatus.FAILED, time, recover.weights_left(recover.folder(row)))
    row.error, row.error_kind, row.traceback = told(row, event.error), event.kind[:20], told(row, event.traceback)
    return [
        message("training_error", row, error=row.error, traceback=row.traceback, kind=event.kind),
        status_message(row),
    ]


def told(row: Training, text: str) -> str:
    """What a child says, without colours and this machine's folders."""
    return without_folders(plain(text), Path(current_app.config["DATA_ROOT"]), {row.dataset_id: row.dataset.name})


def remember_child(training_id: int, attempt: int, pid: int, started: float) -> None:
    """Keep where the child of this attempt is, so that a later server finds it."""
    with writing() as session:
        mine = (Training.id == training_id) & (Training.attempt == attempt)
        session.execute(update(Training).where(mine).values(pid=pid, pid_started=started))
