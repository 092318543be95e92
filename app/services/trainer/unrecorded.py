"""Finds epochs that a resumed run has completed, but that have no row in the database.

When another machine takes a run over, the old process may still train until it notices: it writes epochs and
checkpoints that its supervisor can no longer record. The new process resumes from the newest of these checkpoints, so
these epochs are part of the run. Each epoch is in the event file before its checkpoint is written.
"""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from app.events import Envelope, Epoch, read_events
from app.extensions import db
from app.models import Training, TrainingMetric


def unrecorded_epochs(row: Training, folder: Path, start_epoch: int) -> Iterator[Envelope]:
    """The epochs before `start_epoch` (from 1) without a row, in order, from the event files of earlier attempts.

    Args:
        folder: of the training.
    """
    mine = (TrainingMetric.training_id == row.id) & (TrainingMetric.epoch < start_epoch)
    missing = set(range(1, start_epoch)) - set(db.session.scalars(select(TrainingMetric.epoch).where(mine)))
    epochs: dict[int, Envelope] = {}
    for attempt in range(row.attempt - 1, 0, -1):  # the last attempt at an epoch has written its checkpoint
        if not missing:
            break
        for _offset, envelope in read_events(folder / "attempts" / str(attempt)):
            if isinstance(envelope.event, Epoch) and envelope.event.epoch in missing:
                epochs[envelope.event.epoch] = envelope
        missing -= epochs.keys()
    for number in sorted(epochs):
        yield epochs[number]
