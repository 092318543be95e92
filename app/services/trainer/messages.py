"""What browsers are told: numbered in the transaction of what it is about, kept for those who were away."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete

from app.extensions import db
from app.models import Training, TrainingEvent

PASSING = ("training_progress", "training_system", "training_log")  # of passing interest: only the newest are kept
KEPT_PASSING = 2_000
THIN_EVERY = 500


@dataclass(frozen=True)
class Message:
    """What goes to the browsers after the commit."""

    event: str
    payload: dict[str, Any]


def message(event: str, row: Training, **payload: Any) -> Message:
    """A message with the next number of the training's room. Send it after the commit.

    A `training_status` is kept without its training: whoever reads it later gets the present one.
    """
    row.seq += 1
    db.session.add(TrainingEvent(training_id=row.id, seq=row.seq, event=event, payload=payload))
    if row.seq % THIN_EVERY == 0:
        thin_out(row)
    return Message(event, {"training_id": row.id, "seq": row.seq} | payload)


def thin_out(row: Training) -> None:
    """Forget old messages of passing interest."""
    old = (TrainingEvent.training_id == row.id) & (TrainingEvent.seq <= row.seq - KEPT_PASSING)
    db.session.execute(delete(TrainingEvent).where(old, TrainingEvent.event.in_(PASSING)))


def progress_message(row: Training) -> Message:
    return message(
        "training_progress",
        row,
        status=str(row.status),
        progress=row.progress,
        eta=row.eta,
        current_epoch=row.current_epoch,
        total_epochs=row.total_epochs,
    )


def status_message(row: Training) -> Message:
    """The service fills in the training itself, which takes a query of its own."""
    return message("training_status", row)
