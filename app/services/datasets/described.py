"""A dataset's folder says what its row says, for a day without the database."""

from app.extensions import db
from app.models import Dataset, RevisionStatus
from app.services import about
from app.services.storage import StorageService


def describe(storage: StorageService, dataset_id: int) -> None:
    """Have the dataset's folder say what its row says; see services/about.py."""
    dataset = db.session.get(Dataset, dataset_id)
    if dataset is not None:
        ready = [row for row in dataset.revisions if row.status == RevisionStatus.READY]
        about.write(storage.dataset_dir(dataset_id), "dataset", dataset, {"revisions": ready})
    db.session.rollback()
