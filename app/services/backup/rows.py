"""What a backup says about its training, and which training has the best model."""

from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import Checkpoint, Dataset, DatasetStatus, Training, TrainingMetric, TrainingStatus, now

MEASURES = ("loss", "precision", "recall", "map50", "map95", "val_loss", "learning_rate", "fitness", "seconds")
COLUMNS = ("model_version", "architecture", "task", "epochs", "batch_size", "img_size", "learning_rate", "params",
           "device", "weights", "dataset_revision", "current_epoch")  # fmt: skip


def best_of(dataset_id: int) -> int | None:
    """The completed training of a dataset with the best map95; of equal ones the first."""
    mine = (Training.dataset_id == dataset_id) & (Training.status == TrainingStatus.COMPLETED)
    best = func.max(TrainingMetric.map95)
    query = select(Training.id).join(TrainingMetric).where(mine, Training.deleted_at.is_(None)).group_by(Training.id)
    return db.session.scalar(query.order_by(best.desc().nulls_last(), Training.id).limit(1))


def describe(row: Training) -> dict[str, Any]:
    """What a backup says about its training: enough to make its row again."""
    best = db.session.scalar(
        select(Checkpoint.epoch).where(Checkpoint.training_id == row.id, Checkpoint.is_best).limit(1)
    )
    epochs = [{"epoch": item.epoch, "parts": item.parts} | {name: getattr(item, name) for name in MEASURES}
              for item in row.metrics]  # fmt: skip
    metrics = next((item for item in epochs if item["epoch"] == best), {})
    return {
        "training_id": row.id,
        "name": row.name,
        "important": row.important,
        "dataset": {"id": row.dataset_id, "name": row.dataset.name, "classes": row.dataset.classes},
        "metrics": {name: metrics.get(name) for name in ("precision", "recall", "map50", "map95")},
        "best_epoch": best or row.current_epoch,
        "written": now().isoformat().replace("+00:00", "Z"),
        "training": {name: getattr(row, name) for name in COLUMNS},
        "epochs": epochs,
    }


def dataset_for(session: Any, manifest: dict[str, Any]) -> Dataset:
    """The dataset that a backup names; where it is gone, one without images that says so."""
    told = manifest["dataset"]
    found = session.get(Dataset, told["id"])
    if found is not None and found.name == told["name"]:
        return found
    missing = {"reason": {"code": "files_missing", "data": {}}}
    made = Dataset(name=told["name"], classes=told["classes"], status=DatasetStatus.INVALID, report=missing)
    session.add(made)
    session.flush()
    return made
