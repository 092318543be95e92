"""Messages of a training's room: numbered in the transaction of their change, stored for readers who were away."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import delete, func, select

from app.core.room_messages import MessagePayload, QueuePosition
from app.core.text_data import TextData
from app.extensions import db
from app.models import Training, TrainingEvent, TrainingStatus
from app.services.trainer.ephemeral import COLUMNS, RunState

EPHEMERAL = ("training_progress", "training_system", "training_log")  # not replayed: thinned out with age
EPHEMERAL_RETENTION = 2_000  # distance from the newest number, within which every message is kept
THIN_EVERY = 500
SPARSER = 8
WARNINGS = {  # codes of notes that are more than information
    "weights_rejected",
    "nan_recovered",
    "batch_halved",
    "restarted_killed",
    "restarted_stalled",
    "restarted_terminated",
    "restarted_program_changed",
    "resume_rejected",
    "disk_low",
    "disk_full",
}


@dataclass(frozen=True)
class RoomMessage:
    """A message to send after the commit: to the training's room and, if `dashboard`, to the dashboard's.

    A message without a `training_id` concerns all trainings and is sent to the dashboard only.
    """

    event: str
    payload: MessagePayload
    dashboard: bool = True


@dataclass(frozen=True)
class LogPiece:
    """Lines of an attempt's worker.log: bytes `start` to `offset`, and their text without colours."""

    attempt: int
    start: int
    offset: int
    text: str


def message(event: str, row: Training | RunState, **payload: Unpack[MessagePayload]) -> RoomMessage:
    """A message with the next number of the training's room. Send it after the commit.

    A `training_status` is stored without its training: later readers get the present one.

    Args:
        row: a new one, or one locked by TrainingStore, which is up to date with all messages that were sent.
    """
    if isinstance(row, RunState):
        row.seq += 1
        row.append(event, payload)
    else:
        row.seq += 1
        db.session.add(TrainingEvent(training_id=row.id, seq=row.seq, event=event, payload=payload))
        if row.seq % THIN_EVERY == 0:
            thin_out(row)
    return RoomMessage(event, {"training_id": row.id, "seq": row.seq, **payload})


def write_ephemeral(row: Training, state: RunState) -> None:
    """Write the messages that were sent ahead of the row, in the caller's write transaction."""
    before = row.seq
    for item in state.messages:
        if item.seq > before:
            columns = {"seq": item.seq, "event": item.event, "payload": item.payload, "time": item.time}
            db.session.add(TrainingEvent(training_id=row.id, **columns))
    row.seq = state.seq
    if row.status == TrainingStatus.RUNNING and row.attempt == state.attempt:
        for name in COLUMNS:
            setattr(row, name, getattr(state, name))
    if row.seq // THIN_EVERY > before // THIN_EVERY:
        thin_out(row)


def with_more(item: RoomMessage, **more: Unpack[MessagePayload]) -> RoomMessage:
    """The message with content that is sent but stored elsewhere."""
    return replace(item, payload={**item.payload, **more})


def thin_out(row: Training) -> None:
    """Thin out ephemeral messages with age: an eighth is kept after 2,000 numbers, an eighth of that after 16,000, and
    so on. They are kept in runs of eight, so that no kind of message is lost because of its rhythm.

    Of the log only the newest message is kept, since the text is in worker.log.
    """
    db.session.flush()
    mine = TrainingEvent.training_id == row.id
    age, step = EPHEMERAL_RETENTION, SPARSER
    while age < row.seq:
        old = mine & (TrainingEvent.seq <= row.seq - age) & ((TrainingEvent.seq // SPARSER) % step != 0)
        db.session.execute(delete(TrainingEvent).where(old, TrainingEvent.event.in_(EPHEMERAL[:2])))
        age, step = age * SPARSER, step * SPARSER
    log = mine & (TrainingEvent.event == "training_log")
    newest = db.session.scalar(select(func.max(TrainingEvent.seq)).where(log)) or 0
    db.session.execute(
        delete(TrainingEvent).where(log, TrainingEvent.seq <= min(row.seq - EPHEMERAL_RETENTION, newest - 1))
    )


def stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def progress_message(row: Training | RunState) -> RoomMessage:
    return message(
        "training_progress",
        row,
        status=str(row.status),
        progress=row.progress,
        eta=row.eta,
        current_epoch=row.current_epoch,
        total_epochs=row.total_epochs,
    )


def status_message(row: Training, dashboard: bool = True) -> RoomMessage:
    """A status message; the feed adds the training itself, which takes a separate query."""
    return replace(message("training_status", row), dashboard=dashboard)


def queue_message(queue: Iterable[Any]) -> RoomMessage:
    """The pending trainings, in order, for the dashboard. `queue`: rows with id, priority, position and waiting_for."""
    entries: list[QueuePosition] = [
        {
            "training_id": row.id,
            "priority": row.priority,
            "position": row.position,
            "ahead": (row.waiting_for or {}).get("ahead"),
        }
        for row in queue
    ]
    return RoomMessage("training_queue", {"order": [entry["training_id"] for entry in entries], "queue": entries})


def note_message(row: Training, code: str, data: TextData, time: datetime) -> RoomMessage:
    """A decision or an incident; its text is formatted when it is read."""
    level = "warning" if code in WARNINGS else "info"
    epoch = data.get("epoch")
    if not isinstance(epoch, int) or not epoch:
        epoch = row.progress.get("epoch") or row.current_epoch
    return message("training_note", row, code=code, data=data, epoch=epoch, level=level, timestamp=stamp(time))


def log_message(row: Training | RunState, piece: LogPiece) -> RoomMessage:
    """Only the position is stored; the text is in the file."""
    payload = message("training_log", row, attempt=piece.attempt, start=piece.start, offset=piece.offset)
    return with_more(payload, text=piece.text)
