"""Trainings as rows and as folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from sqlalchemy import Select

from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Dataset, Training
from app.services import about
from app.services.datasets.store import find_revision
from app.services.trainer.ephemeral import EphemeralMessages
from app.services.trainer.messages import write_ephemeral

if TYPE_CHECKING:
    from app.services.storage import StorageService


class TrainingStore:
    """Finds the row and the folder of a training, and locks its row for a change.

    A locked row is up to date: the messages that were sent ahead of it are written first, so that the next one gets
    the next number.

    Args:
        storage: of the trainings' folders.
        ephemeral: has those messages.
    """

    def __init__(self, storage: "StorageService", ephemeral: EphemeralMessages) -> None:
        self.storage, self.ephemeral = storage, ephemeral

    @property
    def models(self) -> Path:
        """The folder of all trainings."""
        return self.storage.models

    def folder(self, training_id: int) -> Path:
        return self.storage.get_training_dir(training_id)

    def existing_folder(self, training_id: int) -> Path:
        """The folder of an existing training.

        Raises:
            NotFound: there is no such training.
        """
        self.row(training_id)
        return self.folder(training_id)

    def attempt_dir(self, training_id: int, attempt: int) -> Path:
        """The folder of an attempt's child; see app/worker/channel.py."""
        return self.folder(training_id) / "attempts" / str(attempt)

    def row(self, training_id: int) -> Training:
        """The training with this id.

        Raises:
            NotFound: there is no such training.
        """
        row = db.session.get(Training, training_id)
        if row is None:
            raise training_not_found(training_id)
        return row

    def lock_row(self, session: Any, training_id: int) -> Training:
        """The locked row, for a change in this transaction.

        Raises:
            NotFound: there is no such training.
            Conflict: it is in the trash.
        """
        return not_deleted(self.lock_any(session, training_id))

    def lock_any(self, session: Any, training_id: int) -> Training:
        """The locked row, even if it is in the trash.

        Raises:
            NotFound: there is no such training.
        """
        row = self.lock_existing(session, training_id)
        if row is None:
            raise training_not_found(training_id)
        return row

    def lock_existing(self, session: Any, training_id: int) -> Training | None:
        """The row with a lock, also in the trash; None: there is no such training."""
        row: Training | None = session.get(Training, training_id, with_for_update=True)
        if row is not None:
            self._bring_up_to_date(row)
        return row

    def lock_each(self, session: Any, query: Select[Training]) -> Sequence[Training]:
        """The rows of a query, each with a lock."""
        rows: Sequence[Training] = session.scalars(query.with_for_update()).all()
        for row in rows:
            self._bring_up_to_date(row)
        return rows

    def _bring_up_to_date(self, row: Training) -> None:
        state = self.ephemeral.interrupt(row.id)
        if state is not None and state.is_of(row):
            write_ephemeral(row, state)

    def describe(self, row: Training) -> None:
        """Write the training's row to its folder, for a restore without the database."""
        folder = self.folder(row.id)
        folder.mkdir(parents=True, exist_ok=True)
        about.write(folder, "training", row)


def training_not_found(training_id: int) -> NotFound:
    return NotFound(_("Run %(id)s doesn't exist.", id=training_id))


def not_deleted(row: Training) -> Training:
    """The training, unless it is in the trash.

    Raises:
        Conflict: the training is in the trash.
    """
    if row.deleted_at is not None:
        raise Conflict(_("This run is in the trash. Restore it first."), members={"current": str(row.status)})
    return row


def model_classes(row: Training) -> Sequence[str]:
    """The classes of its model by index: those of its dataset, or of uploaded weights."""
    if row.is_uploaded:
        return row.start["classes"]
    revision = find_revision(db.session, row.dataset_id, row.revision) if row.revision else None
    return revision.classes if revision is not None else db.session.get_one(Dataset, row.dataset_id).classes
