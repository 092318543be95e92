"""DatasetService: import, list, delete, revisions, and what they show."""

import logging
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select

from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db, socketio
from app.models import Dataset, Training
from app.services.datasets.contents import DatasetContents
from app.services.datasets.details import DatasetDetails
from app.services.datasets.files import DatasetFiles
from app.services.datasets.importing import DatasetImport
from app.services.datasets.present import DatasetView
from app.services.datasets.restart import DatasetRestart
from app.services.datasets.review import DatasetReview

logger = logging.getLogger("yolo.dataset")


class DatasetService(
    DatasetImport, DatasetDetails, DatasetContents, DatasetRestart, DatasetFiles, DatasetReview, DatasetView
):
    """Datasets as rows and as folders.

    Args:
        storage: where their files are.
    """

    def delete(self, dataset_id: int) -> None:
        """Delete a dataset with its files; the making of a revision is ended.

        Raises:
            Conflict: a training used it. Nothing is changed.
        """
        refuse_used(db.session, dataset_id)
        db.session.rollback()  # no transaction may be open while we wait
        self.board.end(dataset_id)  # before the folder moves: it would be written to anew
        with writing() as session:
            refuse_used(session, dataset_id)
            session.delete(session.get_one(Dataset, dataset_id))
            session.flush()
            folder = self.storage.take_away(dataset_id)  # a rename, here so that no new row with this id can meet it
        logger.info("dataset %d deleted", dataset_id)
        if folder is not None:
            socketio.start_background_task(self.remove_files, folder)

    def remove_files(self, folder: Path) -> None:
        """What deleting leaves for later. The images that only it used go with the janitor's next round."""
        self.storage.remove(folder)


def refuse_used(session: Any, dataset_id: int) -> None:
    """Raises: NotFound: no such dataset. Conflict: trainings use it."""
    if session.get(Dataset, dataset_id) is None:
        raise NotFound(_("Dataset %(id)s doesn't exist.", id=dataset_id))
    mine = select(func.count(Training.id)).where(Training.dataset_id == dataset_id)
    if used := session.scalar(mine.where(Training.deleted_at.is_(None))):
        raise Conflict(ngettext("%(num)d run uses this dataset. Delete it first.",
                                "%(num)d runs use this dataset. Delete them first.", used))  # fmt: skip
    if used := session.scalar(mine):
        raise Conflict(ngettext("The trash has %(num)d run that uses this dataset. Delete it permanently first.",
                                "The trash has %(num)d runs that use this dataset. Delete them permanently first.",
                                used))  # fmt: skip
