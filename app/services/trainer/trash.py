"""The trash: deleted trainings can be restored for a while, then are removed with their files."""

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete, select

from app import notify
from app.access.principal import current
from app.access.private import is_limited
from app.config import settings
from app.database import writing
from app.errors import Conflict, IllegalTransition
from app.extensions import db, socketio
from app.models import PredictionRun, Test, Training, TrainingStatus, now
from app.schemas.training_actions import TrainingDeletedValues
from app.schemas.trainings import TrainingCreatedValues
from app.services.idempotency import RequestKey
from app.services.trainer import present
from app.services.trainer.messages import RoomMessage, message, status_message
from app.services.trainer.run_endings import end_work
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import change
from app.services.trainer.writer import TrainingWriter

logger = logging.getLogger("yolo.training")

UNFINISHED = (TrainingStatus.PENDING, TrainingStatus.RUNNING, TrainingStatus.PAUSED)


class TrainingTrash:
    """Deletes and restores trainings."""

    def __init__(self, store: TrainingStore, writer: TrainingWriter) -> None:
        self.store, self.writer = store, writer

    def delete(self, training_id: int) -> TrainingDeletedValues:
        """Move a training to the trash; a pending or paused one is cancelled. Idempotent.

        Raises:
            NotFound: there is no such training.
            IllegalTransition: it is running.
        """

        def work(session: Any) -> tuple[TrainingDeletedValues, list[RoomMessage]]:
            row = self.store.lock_any(session, training_id)
            messages = []
            if row.deleted_at is None:
                if row.status == TrainingStatus.RUNNING:
                    raise IllegalTransition(row.status, "deleted", _("Stop the run first."))
                if not TrainingStatus(row.status).ended:
                    messages.append(cancel(row, self.store.folder(training_id)))
                row.deleted_at = now()
                end_work(training_id)
                messages.append(status_message(row))
            until = row.deleted_at + timedelta(days=settings().TRASH_DAYS)
            return {"message": _("In the trash"), "training_id": training_id, "until": until}, messages

        return self.writer.write(None, work)

    def restore(self, training_id: int, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Restore a training from the trash, as it was.

        Raises:
            NotFound: there is no such training.
            Conflict: it is not in the trash.
        """

        def work(session: Any) -> tuple[TrainingCreatedValues, list[RoomMessage]]:
            row = self.store.lock_any(session, training_id)
            if row.deleted_at is None:
                raise Conflict(_("This run isn't in the trash."), members={"current": row.status})
            row.deleted_at = None
            answer: TrainingCreatedValues = {"message": _("Restored"), "training_id": training_id, "status": row.status}
            return answer, [status_message(row)]

        return self.writer.write(key, work)

    def delete_for_good(self, training_id: int) -> TrainingDeletedValues:
        """Remove a training that is in the trash, with its files and tests.

        Raises:
            NotFound: there is no such training.
            Conflict: it is not in the trash, or another one will start from its weights.
        """
        self.remove(training_id)
        return {"message": _("Deleted permanently"), "training_id": training_id, "until": None}

    def purge_trash(self, older_than: datetime) -> list[int]:
        """Remove trainings that were moved to the trash before this time; returns their ids. Those still
        needed stay.
        """
        old = select(Training.id).where(Training.deleted_at < older_than).order_by(Training.id)
        removed = []
        for training_id in db.session.scalars(old).all():
            try:
                self.remove(training_id)
            except Conflict as conflict:
                logger.info("training %s stays in the trash: %s", training_id, conflict.detail)
            else:
                removed.append(training_id)
        return removed

    def remove(self, training_id: int) -> None:
        """Remove rows and files, both or neither."""
        moves: list[tuple[Path, Path]] = []
        # before the removal, since afterwards it is unknown who may see the run
        rooms = notify.rooms_of(training_id, dashboard=True)
        try:
            with writing() as session:
                row = self.store.lock_any(session, training_id)
                if row.deleted_at is None:
                    raise Conflict(_("Move the run to the trash first."), members={"current": row.status})
                refuse_if_needed(session, training_id)
                tests = session.scalars(select(Test.id).where(Test.training_id == training_id)).all()
                mine = select(PredictionRun.id).where(PredictionRun.training_id == training_id)
                storage, predictions = self.store.storage, session.scalars(mine).all()
                folders = [self.store.folder(training_id), *map(storage.test_dir, tests)]
                folders += map(storage.prediction_dir, predictions)
                # its other rows are deleted by cascade
                session.execute(delete(Training).where(Training.id == training_id))
                # Renamed inside the transaction, so that a new row with this id cannot find the old files.
                moves += [(folder, moved) for folder in folders if (moved := self.store.storage.move_to_tmp(folder))]
        except BaseException:
            for folder, moved in moves:
                moved.rename(folder)
            raise
        logger.info("training %s deleted permanently", training_id)
        notify.send("training_deleted", rooms, lambda: {"training_id": training_id})
        socketio.start_background_task(self.store.storage.remove_all, [moved for _folder, moved in moves])


def is_hidden(row: Training) -> bool:
    """Whether the current person might not see this run; write transactions see everything. Sharing is not checked for
    a name.
    """
    principal = current()
    return is_limited(principal) and principal is not None and row.created_by != principal.account_id


def refuse_if_needed(session: Any, training_id: int) -> None:
    """Check that no unfinished training starts from this one's weights.

    Raises:
        Conflict: one does.
    """
    unfinished = select(Training).where(Training.status.in_(UNFINISHED))
    for dependent in session.scalars(unfinished):
        if dependent.start.get("training_id") == training_id:
            if is_hidden(dependent):
                raise Conflict(_("Another run uses the weights of this run as initial weights. Wait until it ends."))
            raise Conflict(
                _(
                    "The run “%(name)s” uses the weights of this run as initial weights. Wait until it ends.",
                    name=dependent.name,
                )
            )


def cancel(row: Training, folder: Path) -> RoomMessage:
    """End a training without a process; its weights stay. Returns the messages before the status."""
    best = present.weights(folder)
    path = f"models/{row.id}/{best.relative_to(folder).as_posix()}" if best else None
    change(row, TrainingStatus.CANCELLED, model_path=path)
    return message("training_cancelled", row, downloadable=best is not None)
