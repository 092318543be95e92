"""Pauses trainings before the disk is full, and resumes them once there is enough space."""

from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.jobs.disk import DiskSpace
from app.jobs.model import PAUSE
from app.models import Training, TrainingStatus
from app.services.trainer.checkpoints import newest
from app.services.trainer.messages import RoomMessage, status_message
from app.services.trainer.recover import add_note, folder, requeue
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import request_stop

MB = 1024**2


class DiskPauses:
    """Pauses for lack of disk space.

    Args:
        store: locks the rows.
    """

    def __init__(self, store: TrainingStore) -> None:
        self.store = store

    def pause(self, training_id: int, space: DiskSpace) -> list[RoomMessage]:
        """Request the pause of a running training until there is enough disk space."""
        with writing() as session:
            row = self.store.lock_existing(session, training_id)
            if row is None or row.status != TrainingStatus.RUNNING or row.stop_requested or row.pause_requested:
                return []
            request_stop(row, PAUSE, "disk")
            return [*add_note(row, "disk_low", free=space.free // MB, needed=space.needed // MB), status_message(row)]

    def resume(self, space: DiskSpace) -> list[RoomMessage]:
        """Resume trainings that paused for lack of disk space, once there is enough."""
        table = Training.__table__.c  # not the class, which would configure mappers even if no training waits
        waits = (table.status == TrainingStatus.PAUSED) & (table.pause_reason == "disk") & table.deleted_at.is_(None)
        if not space.enough or db.session.scalar(select(table.id).where(waits).limit(1)) is None:
            return []
        messages: list[RoomMessage] = []
        with writing() as session:
            for row in self.store.lock_each(session, select(Training).where(waits)):
                if space.free < space.needed + space_for(row):
                    continue
                messages += requeue(row, add_note(row, "disk_free", free=space.free // MB))
        return messages


def space_for(row: Training) -> int:
    """Bytes that the training writes at first, so that it does not pause again at its next checkpoint.

    It has two copies and the latest weights; each is replaced by a file that is written beside it.
    """
    checkpoint = newest(folder(row))
    return 3 * (folder(row) / checkpoint.path).stat().st_size if checkpoint else 0
