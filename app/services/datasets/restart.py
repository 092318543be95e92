"""At the server's start, reconciles rows and folders, restarts interrupted builds, and builds the first version of
datasets from before versions existed.
"""

import logging
import time
from typing import Any

from sqlalchemy import delete, select

from app.database import writing
from app.extensions import db, socketio
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus, Training, TrainingStatus
from app.services.datasets.dataset_about import repair_description
from app.services.datasets.imports import DatasetImports
from app.services.datasets.legacy_imports import end_earlier
from app.services.datasets.options import DEFAULTS
from app.services.datasets.outcome import invalidate, update_status
from app.services.datasets.store import DatasetStore, find_revision
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

NEW_S = 600.0
UNFINISHED = (TrainingStatus.PENDING, TrainingStatus.RUNNING, TrainingStatus.PAUSED)


class DatasetRestart:
    """Recovers datasets after a restart of the server.

    Args:
        imports: builds versions.
    """

    def __init__(self, store: DatasetStore, imports: DatasetImports) -> None:
        self.store, self.storage, self.imports = store, store.storage, imports

    def reconcile(self) -> None:
        """Called before the first request."""
        end_earlier(self.storage.ingests)
        table, mine = (
            Dataset.__table__.c,
            DatasetRevision.__table__.c,
        )  # not the classes: setting up the mappers would delay the server's first answer
        followed = self.imports.subjects()  # read before the rows: a job that ends in between leaves a complete row
        rows = {row.id: row for row in db.session.execute(select(table.id, table.status, table.revision))}
        statuses: dict[int, dict[int, str]] = {}
        for dataset_id, number, status in db.session.execute(select(mine.dataset_id, mine.number, mine.status)):
            statuses.setdefault(dataset_id, {})[number] = status
        db.session.rollback()
        stored = set(self.storage.stored_datasets())
        for dataset_id in stored - rows.keys():
            if not self.is_new(dataset_id):
                self.storage.set_aside(self.storage.dataset_dir(dataset_id))
        for dataset_id, row in rows.items():
            if dataset_id in followed:  # a job is building it
                continue
            if row.status == DatasetStatus.PENDING:
                self.invalidate(dataset_id, "interrupted")
            elif dataset_id not in stored:
                # otherwise it is reported as missing, and valid again when its files return
                if row.status == DatasetStatus.VALIDATING:
                    self.invalidate(dataset_id, "files_missing")
            else:
                self.reconcile_dataset(dataset_id, row, statuses.get(dataset_id, {}))

    def is_new(self, dataset_id: int) -> bool:
        """Whether another process may be creating the row of this folder at the moment."""
        changed = self.storage.dataset_dir(dataset_id).stat().st_ctime
        return self.imports.jobs.cluster.on and time.time() - changed < NEW_S

    def reconcile_dataset(self, dataset_id: int, row: Any, revisions: dict[int, str]) -> None:
        """Reconcile a dataset whose files exist."""
        remove_unknown(self.storage, dataset_id, revisions)
        if row.status == DatasetStatus.INVALID:
            self.revalidate(dataset_id)
        building = [number for number, status in revisions.items() if status == RevisionStatus.BUILDING]
        ready = [number for number, status in revisions.items() if status == RevisionStatus.READY]
        for number in [None, *ready] if row.revision is None else ready:
            self.rewrite_yaml(dataset_id, number)
        if row.revision is not None:
            self.storage.remove_all(self.storage.revisions.show_revision(dataset_id, row.revision))
        if building:
            self.rebuild(dataset_id, building[0])
        elif row.revision is None and not revisions:
            self.create_first_revision(dataset_id)
        elif row.status == DatasetStatus.VALIDATING:
            self.correct_status(dataset_id)

    def revalidate(self, dataset_id: int) -> None:
        """Files that were missing at an earlier start have returned: validate them again."""
        dataset = db.session.get_one(Dataset, dataset_id)
        reason, number = dataset.report.get("reason"), dataset.revision
        db.session.rollback()
        if reason is None or reason["code"] != "files_missing" or not self.storage.has_images(dataset_id, number):
            return
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            report = dataset.report.copy()
            report.pop("reason", None)
            dataset.report = report
            revision = find_revision(session, dataset_id, number) if number else None
            dataset.error = revision.error if revision else None
            update_status(dataset)
        logger.info("dataset %d: its files have returned", dataset_id)

    def rewrite_yaml(self, dataset_id: int, number: int | None) -> None:
        """Rewrite the path in a version's dataset.yaml, or a damaged file; a failure does not stop the start."""
        try:
            repair_description(self.storage, dataset_id, number)
            self.storage.revisions.correct_path(dataset_id, number)
        except (OSError, ValueError) as error:
            logger.error("dataset %d: dataset.yaml could not be rewritten: %s", dataset_id, error)

    def rebuild(self, dataset_id: int, number: int) -> None:
        """Restart the build of a version."""
        mine = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.number == number)
        revision = db.session.scalars(select(DatasetRevision).where(mine)).one()
        self.imports.follow(dataset_id, number, revision.options, revision.origin)

    def correct_status(self, dataset_id: int) -> None:
        """Correct a status that no job will change."""
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            if dataset.revision is None:
                invalidate(dataset, {"code": "interrupted", "data": {}})
            else:
                update_status(dataset)

    def create_first_revision(self, dataset_id: int) -> None:
        """Build the first version of a dataset from before versions existed. It stays usable meanwhile. Skipped while
        an unfinished training uses it, since its files must not move.
        """
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            busy = Training.status.in_(UNFINISHED) & (Training.dataset_id == dataset_id)
            if session.scalar(select(Training.id).where(busy).limit(1)):
                return
            failed = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.status == RevisionStatus.FAILED)
            session.execute(delete(DatasetRevision).where(failed))
            origin = {"kind": "adopted", "base": "source"}
            options = DEFAULTS | {"task": dataset.task}
            session.add(DatasetRevision(dataset_id=dataset_id, number=1, origin=origin, options=options))
        logger.info("building the first version of dataset %d, which was created before versions existed", dataset_id)
        self.rebuild(dataset_id, 1)

    def invalidate(self, dataset_id: int, code: str) -> None:
        """Mark a dataset as unusable."""
        with writing() as session:
            invalidate(session.get_one(Dataset, dataset_id), {"code": code, "data": {}})
        logger.warning("dataset %d is invalid: %s", dataset_id, code)

    def remove_unused_objects(self, older_than: float) -> int:
        """Remove images that no version links to, unless a version is being built; returns how many.

        Args:
            older_than: seconds since the epoch; newer files may be about to be linked.
        """
        if self.imports.busy():
            return 0
        count = 0
        for path in self.storage.revisions.unused_objects():
            if path.stat().st_ctime < older_than:
                path.unlink(missing_ok=True)
                count += 1
            socketio.sleep(0)
        return count


def remove_unknown(storage: StorageService, dataset_id: int, revisions: dict[int, str]) -> None:
    """Remove incomplete builds. A complete version without a row is set aside, since the database may have been
    restored from a backup; its number is reused, and its exports must not be mistaken for the next version's.
    """
    storage.revisions.remove_unfinished(dataset_id)
    for number in list(storage.revisions.stored_revisions(dataset_id)):
        if number not in revisions:
            set_revision_aside(storage, dataset_id, number)
        elif revisions[number] != RevisionStatus.READY:
            storage.revisions.remove_revision(dataset_id, number)


def set_revision_aside(storage: StorageService, dataset_id: int, number: int) -> None:
    """Set the folder of a version without a row aside; a failure is logged."""
    try:
        storage.set_revision_aside(dataset_id, number)
    except OSError as error:
        logger.error("version %d of dataset %d has no row and cannot be set aside: %s", number, dataset_id, error)
