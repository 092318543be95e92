"""The dataset version of a training, and the iterations of its epochs."""

from sqlalchemy import select

from app.extensions import db
from app.models import Dataset, DatasetRevision, Training
from app.services.trainer.learning import Schedule, iterations


def dataset_of(row: Training) -> Dataset | DatasetRevision:
    """The version that it used; the dataset if it was trained before versions existed."""
    mine = (DatasetRevision.dataset_id == row.dataset_id) & (DatasetRevision.number == row.revision)
    return db.session.scalar(select(DatasetRevision).where(mine)) or row.dataset


def schedule_of(row: Training) -> Schedule:
    images = dataset_of(row).train_images
    batch = row.batch_now or row.batch_size
    scratch = row.weights == "scratch" or (row.weights is None and (row.start or {}).get("kind") == "scratch")
    return Schedule(iterations=iterations(images, batch, row.params), scratch=scratch)
