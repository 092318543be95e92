"""Datasets and their versions as rows."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import Text, select, type_coerce

from app.access.creators import creator_conditions
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus
from app.schemas.datasets import DatasetQueryValues
from app.services.storage import StorageService

SAMPLE_KEY = '"sample":'  # key of a version's origin; quotes in values are escaped, so this matches the key alone


class DatasetStore:
    """Finds the rows of datasets and versions.

    Args:
        storage: of their files.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage

    def list(self, query: DatasetQueryValues) -> Pagination:
        """A page of datasets; `query` as in schemas.DatasetQuery."""
        column = getattr(Dataset, query["sort"].lstrip("-"))
        order = column.desc() if query["sort"].startswith("-") else column.asc()
        statement = select(Dataset).order_by(order, Dataset.id.desc())
        statement = statement.where(*creator_conditions(Dataset.created_by, query.get("created_by")))
        if query.get("status"):
            statement = statement.where(self.has_status(query["status"]))
        if query.get("search"):
            statement = statement.where(
                Dataset.name.icontains(query["search"], autoescape=True)
                | Dataset.description.icontains(query["search"], autoescape=True)
            )
        return db.paginate(statement, page=query["page"], per_page=query["per_page"], error_out=False)

    def get(self, dataset_id: int) -> Dataset:
        """One dataset.

        Raises:
            NotFound: there is none with this id.
        """
        dataset = db.session.get(Dataset, dataset_id)
        if dataset is None:
            raise NotFound(_("Dataset %(id)s doesn't exist.", id=dataset_id))
        return dataset

    def names(self, ids: Collection[int]) -> dict[int, str]:
        """The names of existing datasets, by id."""
        if not ids:
            return {}
        rows = db.session.execute(select(Dataset.id, Dataset.name).where(Dataset.id.in_(ids)))
        return {row.id: row.name for row in rows}

    def has_status(self, status: str) -> Any:
        """The condition for a displayed status: a dataset with missing files is invalid."""
        matches, missing = Dataset.status == status, self.missing_ids()
        if status == DatasetStatus.VALID:
            return matches & Dataset.id.not_in(missing)
        return matches | Dataset.id.in_(missing) if status == DatasetStatus.INVALID else matches

    def is_missing(self, dataset: Dataset) -> bool:
        """Whether its files were removed from the server. Checked each time, since they may return."""
        checked = dataset.status in {DatasetStatus.VALID, DatasetStatus.INVALID}
        return bool(
            checked
            and dataset.path
            and not self.storage.has_images(dataset.id, dataset.revision)
            and not (dataset.revision is None and dataset.error)
        )

    def missing_ids(self) -> set[int]:
        """Valid datasets whose folder is missing."""
        valid = select(Dataset.id).where(Dataset.status == DatasetStatus.VALID, Dataset.path.is_not(None))
        return set(db.session.scalars(valid)) - set(self.storage.stored_datasets())

    def valid_id(self, dataset_id: int | None) -> int | None:
        """This dataset's id if it can be trained on, otherwise that of the newest one that can; None: there is none."""
        dataset = db.session.get(Dataset, dataset_id) if dataset_id else None
        if dataset is not None and dataset.status == DatasetStatus.VALID and not self.is_missing(dataset):
            return dataset.id
        newest = select(Dataset.id).order_by(Dataset.created_at.desc(), Dataset.id.desc())
        return db.session.scalar(newest.where(self.has_status(DatasetStatus.VALID)).limit(1))

    def newest_sample(self, since: datetime | None = None) -> Dataset | None:
        """The newest sample dataset that is usable, or being imported.

        Args:
            since: created after that; None: at any time.
        """
        drawn = type_coerce(DatasetRevision.origin, Text).contains(SAMPLE_KEY)
        query = select(Dataset).join(DatasetRevision).where(drawn, Dataset.status != DatasetStatus.INVALID)
        query = query.where(Dataset.id.not_in(self.missing_ids()))
        if since is not None:
            query = query.where(Dataset.created_at >= since)
        return db.session.scalar(query.order_by(Dataset.id.desc()).limit(1))

    def get_revision(self, dataset_id: int, number: int | None = None) -> DatasetRevision:
        """A version whose files exist; None: the current one.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: it is not ready.
        """
        revision_number = number or self.get(dataset_id).revision
        row = find_revision(db.session, dataset_id, revision_number) if revision_number else None
        if row is None and number is None:
            raise Conflict(_("The dataset check isn't finished, so there is no version yet."))
        if row is None:
            self.get(dataset_id)
            raise NotFound(_("The dataset has no version %(number)s.", number=number))
        if row.status != RevisionStatus.READY:
            raise Conflict(_("Version %(number)s isn't ready.", number=row.number))
        return row


def find_revision(session: Any, dataset_id: int, number: int) -> DatasetRevision | None:
    """The row of a revision."""
    return session.scalar(
        select(DatasetRevision).where(DatasetRevision.dataset_id == dataset_id, DatasetRevision.number == number)
    )
