"""Edits a dataset's name and description, and counts the trainings that use it."""

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy import case, func, select

from app.database import writing
from app.extensions import db
from app.models import Dataset, Training
from app.notify import to_dashboard
from app.schemas.datasets import DatasetPatchValues
from app.services.datasets.dataset_about import describe
from app.services.datasets.store import DatasetStore


class DatasetDetails:
    """Edits a dataset's name and description."""

    def __init__(self, store: DatasetStore) -> None:
        self.store = store

    def edit(self, dataset_id: int, changes: DatasetPatchValues) -> Dataset:
        """Change name or description; omitted fields are unchanged.

        Raises:
            NotFound: no such dataset.
        """
        self.store.get(dataset_id)
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            for name, value in changes.items():
                setattr(dataset, name, value)
            update = {
                "dataset_id": dataset_id,
                "status": str(dataset.status),
                "error": None,
                "stage": None,
                "done": dataset.total_images,
                "total": dataset.total_images,
            }
        describe(self.store.storage, dataset_id)
        to_dashboard("dataset_update", update)
        return self.store.get(dataset_id)


class DatasetUsers(TypedDict):
    """Runs that use a dataset, and how many more are in the trash."""

    trainings: int
    trashed: int


def users_of(dataset_ids: Sequence[int]) -> dict[int, DatasetUsers]:
    """The users by dataset; unused datasets are missing. One query."""
    trashed = func.sum(case((Training.deleted_at.is_not(None), 1), else_=0))
    query = select(Training.dataset_id, func.count(), trashed).where(Training.dataset_id.in_(dataset_ids))
    rows = db.session.execute(query.group_by(Training.dataset_id))
    return {key: {"trainings": count - int(in_trash), "trashed": int(in_trash)} for key, count, in_trash in rows}
