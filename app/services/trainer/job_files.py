"""The files that the children of a training's jobs read and write, for workers without a shared volume
(STORAGE_URL).
"""

from typing import Any

from sqlalchemy import select

from app.jobs.files import DatasetFiles
from app.models import DatasetRevision, Training
from app.services.weights import published_name


def dataset_files(session: Any, dataset_id: int, number: int | None) -> DatasetFiles:
    """The version of a dataset that a job reads.

    Args:
        number: None: the dataset is from before versions existed, and cannot be stored.
    """
    table = DatasetRevision.__table__.c
    rows = session.execute(select(table.number, table.hash).where(table.dataset_id == dataset_id)).all()
    hashes = {row.number: row.hash or "" for row in rows}
    version_hash = hashes.pop(number, "")
    folder = f"datasets/{dataset_id}/revisions/{number or 0}"
    return DatasetFiles(dataset_id, number or 0, folder, version_hash, [item for item in hashes.values() if item])


def results_files(training_id: int) -> list[str]:
    """Files that the child of a training writes to its folder, besides those of its attempts."""
    return [f"models/{training_id}/{name}" for name in ("run", "checkpoints", "previews", "evaluation", "config.yaml")]


def official_weights(row: Training) -> str:
    """The published weights of its model, if they are in the data folder."""
    return f"weights/{published_name(row.architecture or f'yolov8{row.model_version}')}"


def weights_files(training_id: int) -> list[str]:
    """All files that may be the weights of a training."""
    return [f"models/{training_id}/run/weights", f"models/{training_id}/checkpoints"]
