"""DatasetService: imports, lists, deletes and presents datasets and their versions."""

import logging
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select

from app.access.private import everything
from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db, socketio
from app.i18n import ngettext
from app.jobs import JobService
from app.models import Dataset, Evaluation, Training
from app.services.datasets.contents import DatasetContents
from app.services.datasets.details import DatasetDetails
from app.services.datasets.files import DatasetFiles
from app.services.datasets.importing import DatasetCreation
from app.services.datasets.imports import DatasetImports
from app.services.datasets.present import DatasetView
from app.services.datasets.reindex import IndexRebuilds
from app.services.datasets.restart import DatasetRestart
from app.services.datasets.review import DatasetReview
from app.services.datasets.revisions import DatasetRevisions
from app.services.datasets.sample_drawing import SampleDrawing
from app.services.datasets.server_folders import ServerFolders
from app.services.datasets.store import DatasetStore
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")


@dataclass(frozen=True)
class DatasetService:
    """Datasets as rows and folders; holds the objects that create, change and present them, see
    `create_dataset_service`.
    """

    store: DatasetStore
    imports: DatasetImports
    creation: DatasetCreation
    server_folders: ServerFolders
    details: DatasetDetails
    revisions: DatasetRevisions
    contents: DatasetContents
    files: DatasetFiles
    review: DatasetReview
    views: DatasetView
    restart: DatasetRestart

    def delete(self, dataset_id: int) -> None:
        """Delete a dataset with its files; a running build of a version is ended.

        Raises:
            Conflict: a training uses it; nothing was changed.
        """
        storage = self.store.storage
        with everything():  # other accounts' runs may use it, and their requests may rebuild its index
            refuse_used(db.session, dataset_id)
            db.session.rollback()  # no transaction may stay open during the wait
            self.imports.end(dataset_id)  # before the folder moves, since its processes write to it
        with writing() as session:
            refuse_used(session, dataset_id)
            session.delete(session.get_one(Dataset, dataset_id))
            session.flush()
            # inside the transaction, so that no new row with this id can find the folder
            folder = storage.move_dataset_to_tmp(dataset_id)
        logger.info("dataset %d deleted", dataset_id)
        if folder is not None:  # the janitor's next round removes images that only this dataset used
            socketio.start_background_task(storage.remove, folder)


def create_dataset_service(storage: StorageService, jobs: JobService) -> DatasetService:
    """Create the service with its parts.

    Args:
        storage: of the datasets' files.
        jobs: runs imports.
    """
    store = DatasetStore(storage)
    jobs.subjects.register("dataset", store.names)
    imports = DatasetImports(storage, jobs)
    server_folders = ServerFolders(storage)
    revisions = DatasetRevisions(store, imports)
    return DatasetService(
        store=store,
        imports=imports,
        creation=DatasetCreation(store, imports, server_folders, SampleDrawing(storage, jobs)),
        server_folders=server_folders,
        details=DatasetDetails(store),
        revisions=revisions,
        contents=DatasetContents(store, revisions, IndexRebuilds(storage, jobs)),
        files=DatasetFiles(store),
        review=DatasetReview(store),
        views=DatasetView(store, imports),
        restart=DatasetRestart(store, imports),
    )


def refuse_used(session: Any, dataset_id: int) -> None:
    """Check that a dataset may be deleted.

    Raises:
        NotFound: no such dataset.
        Conflict: trainings or an evaluation use it.
    """
    if session.get(Dataset, dataset_id) is None:
        raise NotFound(_("Dataset %(id)s doesn't exist.", id=dataset_id))
    evaluated = Evaluation.dataset_id == dataset_id, Evaluation.status.in_(("pending", "running"))
    if session.scalar(select(func.count(Evaluation.id)).where(*evaluated)):
        raise Conflict(_("An evaluation is using this dataset. Wait until it ends, or stop it."))
    mine = select(func.count(Training.id)).where(Training.dataset_id == dataset_id)
    if used := session.scalar(mine.where(Training.deleted_at.is_(None))):
        raise Conflict(
            ngettext(
                "%(num)s run uses this dataset. Delete it first.",
                "%(num)s runs use this dataset. Delete them first.",
                used,
            )
        )
    if used := session.scalar(mine):
        raise Conflict(
            ngettext(
                "The trash has %(num)s run that uses this dataset. Delete it permanently first.",
                "The trash has %(num)s runs that use this dataset. Delete them permanently first.",
                used,
            )
        )
