"""Recovers a run that ended unexpectedly: it resumes, waits for disk space, or fails.

In any case, a training ends with weights or with a clear reason.
"""

from datetime import datetime
from pathlib import Path

from app.config import settings
from app.core.children import PROGRAM_CHANGED
from app.core.text_data import TextValue
from app.events import Failed, Paused
from app.models import Training, TrainingStatus, new_position, now
from app.services.trainer import advance
from app.services.trainer.checkpoints import newest
from app.services.trainer.messages import RoomMessage, message, note_message, status_message
from app.services.trainer.present import weights
from app.services.trainer.transitions import change

TRIES = 3  # consecutive ones without a new epoch
HALVINGS = 3  # of the batch
CRASHES = {"killed", "stalled", "terminated", PROGRAM_CHANGED}
LOADING = {"importing", "weights", "dataset"}  # stages before the first batch


def recover_from(row: Training, event: Failed) -> list[RoomMessage] | None:
    """Requeue a failed training if possible; None if its failure is final.

    Called in the transaction that applies the event; `row` is running.
    """
    if row.pause_requested and event.kind in {*CRASHES, "out_of_memory", "disk_full"}:
        return pause(row, row.pause_reason or "asked", [])
    if event.kind == "out_of_memory":
        return None if is_loading(row) else with_smaller_batch(row)
    if event.kind in CRASHES:
        return restart_from_checkpoint(row, event.kind)
    if event.kind == "disk_full" and row.restarts < TRIES:
        row.restarts += 1
        return pause(row, "disk", add_note(row, "disk_full", epoch=row.current_epoch))
    return None


def is_loading(row: Training) -> bool:
    """Whether its process was still loading libraries, weights or the dataset, where the batch size does not matter."""
    return row.progress.get("stage") in LOADING


def failure_kind(row: Training, event: Failed) -> str:
    """The row's `error_kind`; running out of memory during loading has a kind of its own.

    Called before the row is changed.
    """
    if event.kind == "out_of_memory" and is_loading(row):
        return "memory_limit" if settings().TRAINING_MEMORY_LIMIT else "memory_start"
    return event.kind[:20]


def with_smaller_batch(row: Training) -> list[RoomMessage] | None:
    """Restart with half the batch; gradient accumulation preserves the effective batch size."""
    devices = max(1, len(row.devices or []))
    batch = row.batch_now or row.batch_size
    smaller = max(devices, batch // 2 // devices * devices)
    if row.halvings >= HALVINGS or smaller >= batch:
        return None
    row.halvings += 1
    row.batch_now = smaller
    note = add_note(row, "batch_halved", batch=batch, smaller=smaller, epoch=row.current_epoch)
    return requeue(row, note)


def restart_from_checkpoint(row: Training, kind: str) -> list[RoomMessage] | None:
    """Restart from the last checkpoint, unless it crashes repeatedly at the same epoch."""
    if row.restarts >= TRIES:
        return None
    row.restarts += 1
    note = add_note(row, f"restarted_{kind}", number=row.restarts, epoch=row.current_epoch)
    if kind == "stalled":  # behind others, since a hung device must not block the queue
        row.position = new_position()
    return requeue(row, note)


def record_pause(row: Training, event: Paused, time: datetime) -> list[RoomMessage]:
    """Record a requested pause."""
    if row.stop_requested:
        return record_cancel(row, time, best_weights(folder(row)))
    if row.pause_requested:
        return pause(row, row.pause_reason or "asked", [])
    if event.reason == "terminated":  # sent from outside, not by the supervisor
        messages = restart_from_checkpoint(row, "terminated")
        return messages if messages is not None else pause(row, "terminated", [])
    return requeue(row, add_note(row, "shutdown", epoch=event.epoch))  # the server was stopped


def requeue(row: Training, messages: list[RoomMessage]) -> list[RoomMessage]:
    checkpoint = newest(folder(row))
    progress = {"stage": "queued", "fraction": advance.fraction(row)}  # repeated batches do not decrease the progress
    change(row, TrainingStatus.PENDING, resume_from=checkpoint.path if checkpoint else None, progress=progress)
    return [*messages, status_message(row)]


def pause(row: Training, reason: str, messages: list[RoomMessage]) -> list[RoomMessage]:
    checkpoint = newest(folder(row))
    change(row, TrainingStatus.PAUSED, resume_from=checkpoint.path if checkpoint else None, pause_reason=reason)
    return [*messages, message("training_paused", row, epoch=row.current_epoch, reason=reason), status_message(row)]


def record_cancel(row: Training, time: datetime, path: str | None) -> list[RoomMessage]:
    """Record a requested end; `path` of its weights is relative to the training's folder."""
    change(row, TrainingStatus.CANCELLED, end_time=time, model_path=below(row, path))
    return [message("training_cancelled", row, downloadable=row.model_path is not None), status_message(row)]


def below(row: Training, path: str | None) -> str | None:
    """A path in the training's folder, relative to the data folder."""
    return f"models/{row.id}/{path}" if path else None


def add_note(row: Training, code: str, **data: TextValue) -> list[RoomMessage]:
    """Store a note with the training; returns its message."""
    row.notes = [*row.notes, {"code": code, "data": data}]
    return [note_message(row, code, data, now())]


def folder(row: Training) -> Path:
    return settings().MODELS_DIR / str(row.id)


def best_weights(folder: Path) -> str | None:
    """The best weights of a run, relative to the training's folder."""
    path = weights(folder)
    return None if path is None else path.relative_to(folder).as_posix()
