"""Restores dataset versions that were built after the database was saved."""

import logging
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select

from app.database import writing
from app.extensions import db
from app.models import Dataset, DatasetRevision
from app.services import about
from app.services.datasets.outcome import set_current_revision
from app.services.installation.adopt_datasets import current, revision_row, stored
from app.services.installation.contents import FOLDERS, stored_ids
from app.services.storage import StorageService

logger = logging.getLogger("yolo.installation")


def newer(session: Any, storage: StorageService) -> Iterator[tuple[int, list[int]]]:
    """(dataset, numbers) of complete versions above the highest one with a row. Incomplete builds have other names."""
    mine, table = DatasetRevision.__table__.c, Dataset.__table__.c
    highest = func.coalesce(func.max(mine.number), 0)
    rows = session.execute(
        select(table.id, highest).outerjoin(DatasetRevision.__table__, mine.dataset_id == table.id).group_by(table.id)
    ).all()
    here = set(stored_ids(storage.data_root / FOLDERS["dataset"]))
    for dataset_id, highest_number in rows:
        stored_numbers = stored(storage.dataset_dir(dataset_id)) if dataset_id in here else []
        if numbers := [number for number in stored_numbers if number > highest_number]:
            yield dataset_id, numbers


def adopt_newer(storage: StorageService) -> int:
    """Restore their rows, and set the current version as in the folder; returns how many."""
    revisions = list(newer(db.session, storage))
    db.session.rollback()
    for dataset_id, numbers in revisions:
        try:
            with writing() as session:
                add_rows(session, storage, session.get_one(Dataset, dataset_id), numbers)
        except Exception as error:  # a damaged one is skipped, and does not stop the others
            logger.warning(
                "versions of dataset %d could not be adopted: %s: %s", dataset_id, type(error).__name__, error
            )
            for number in numbers:
                storage.set_revision_aside(dataset_id, number)
    return sum(len(numbers) for _dataset_id, numbers in revisions)


def add_rows(session: Any, storage: StorageService, dataset: Dataset, numbers: list[int]) -> None:
    """Add rows for a folder's newer versions, and set the current one."""
    folder = storage.dataset_dir(dataset.id)
    description = about.read(folder, "dataset")
    described = {
        item["number"]: item for item in description.get("revisions", []) if isinstance(item.get("number"), int)
    }
    rows = {number: revision_row(folder, dataset.id, number, described.get(number)) for number in numbers}
    session.add_all(rows.values())
    session.flush()
    set_current_revision(dataset, rows[current(folder, None, rows)])


def set_newer_aside(storage: StorageService) -> int:
    """Set newer versions aside, which frees their numbers; returns how many."""
    revisions = list(newer(db.session, storage))
    db.session.rollback()
    for dataset_id, numbers in revisions:
        for number in numbers:
            storage.set_revision_aside(dataset_id, number)
    return sum(len(numbers) for _dataset_id, numbers in revisions)
