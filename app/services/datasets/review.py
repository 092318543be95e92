"""Readings that the import chose automatically, until a person confirms them."""

from flask_babel import gettext as _

from app.core.imports import DatasetReport
from app.core.readings import together
from app.core.report import Decision
from app.database import writing
from app.errors import Conflict
from app.models import Dataset, DatasetRevision
from app.notify import to_dashboard
from app.services.datasets.store import DatasetStore, find_revision

PREFIX = "reading_"


def needs_review(report: DatasetReport) -> bool:
    """Whether a report has an unconfirmed reading."""
    return any(is_open(item) for item in report.get("decisions", []))


def is_open(decision: Decision) -> bool:
    return str(decision["code"]).startswith(PREFIX) and not decision.get("confirmed")


class DatasetReview:
    """Confirms the readings of a dataset."""

    def __init__(self, store: DatasetStore) -> None:
        self.store = store

    def confirm(self, dataset_id: int) -> Dataset:
        """Confirm the readings of the current version; later versions preserve them.

        Raises:
            NotFound: no such dataset.
            Conflict: it is being checked.
        """
        self.store.get(dataset_id)
        with writing() as session:
            dataset = session.get_one(Dataset, dataset_id)
            row = find_revision(session, dataset_id, dataset.revision) if dataset.revision else None
            if row is None:
                raise Conflict(_("The dataset check isn't finished, so there is no version yet."))
            confirm_readings(dataset, row)
            status, total = str(dataset.status), dataset.total_images
        to_dashboard(
            "dataset_update",
            {
                "dataset_id": dataset_id,
                "status": status,
                "error": None,
                "stage": None,
                "done": total,
                "total": total,
                "revision": row.number,
            },
        )
        return self.store.get(dataset_id)


def confirm_readings(dataset: Dataset, revision: DatasetRevision) -> None:
    """Record the import's readings as chosen, in the report and for the next version."""
    chosen = [item["reading"] for item in dataset.report.get("decisions", []) if is_open(item) and "reading" in item]
    decisions: list[Decision] = [
        {**item, "confirmed": True} if is_open(item) else item for item in dataset.report.get("decisions", [])
    ]
    for row in (dataset, revision):
        row.report = {**row.report, "decisions": decisions}
    revision.options = revision.options | {"reading": together(revision.options.get("reading"), chosen) or None}
