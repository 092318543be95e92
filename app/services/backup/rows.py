"""Describes a training for its backup, and finds the training with the best model."""

from typing import Any

from sqlalchemy import func, select

from app.core import metrics
from app.core.train import TrainingStart
from app.extensions import db
from app.models import Checkpoint, Dataset, DatasetStatus, Training, TrainingMetric, TrainingStatus, now
from app.services.backup.read_models import TrainingDescription

COLUMNS = (
    "model_version",
    "architecture",
    "task",
    "epochs",
    "batch_size",
    "img_size",
    "learning_rate",
    "params",
    "device",
    "weights",
    "dataset_revision",
    "current_epoch",
)


def best_of(dataset_id: int) -> int | None:
    """The completed training of a dataset with the best map95; the first of equal ones."""
    mine = (Training.dataset_id == dataset_id) & (Training.status == TrainingStatus.COMPLETED)
    best = func.max(TrainingMetric.map95)
    query = select(Training.id).join(TrainingMetric).where(mine, Training.deleted_at.is_(None)).group_by(Training.id)
    return db.session.scalar(query.order_by(best.desc().nulls_last(), Training.id).limit(1))


def describe(row: Training) -> TrainingDescription:
    """The manifest's description of a training, from which its row can be restored."""
    best = db.session.scalar(
        select(Checkpoint.epoch).where(Checkpoint.training_id == row.id, Checkpoint.is_best).limit(1)
    )
    best_epoch = next((item for item in row.metrics if item.epoch == best), None)
    return {
        "training_id": row.id,
        "name": row.name,
        "important": row.important,
        "dataset": {"id": row.dataset_id, "name": row.dataset.name, "classes": row.dataset.classes},
        "metrics": {name: getattr(best_epoch, name, None) for name in metrics.REPORTED},
        "best_epoch": best or row.current_epoch,
        "written": now().isoformat().replace("+00:00", "Z"),
        "training": {
            "model_version": row.model_version,
            "architecture": row.architecture,
            "task": row.task,
            "epochs": row.epochs,
            "batch_size": row.batch_size,
            "img_size": row.img_size,
            "learning_rate": row.learning_rate,
            "params": row.params,
            "device": row.device,
            "weights": row.weights,
            "dataset_revision": row.dataset_revision,
            "current_epoch": row.current_epoch,
            "start": row.start,
        },
        "epochs": [
            {"epoch": item.epoch, "parts": item.parts, **{name: getattr(item, name) for name in metrics.KEYS}}
            for item in row.metrics
        ],
    }


def start_of(manifest: TrainingDescription) -> TrainingStart:
    """The start of a restored training. Only uploaded weights are described, with their classes; other sources may no
    longer exist.
    """
    start = manifest["training"].get("start")
    return start if start and start.get("kind") == "uploaded" else {"kind": "auto"}


def dataset_for(session: Any, manifest: TrainingDescription) -> Dataset:
    """The dataset that a backup names; if it was deleted, a placeholder without images."""
    described = manifest["dataset"]
    dataset: Dataset | None = session.get(Dataset, described["id"])
    if dataset is not None and dataset.name == described["name"]:
        return dataset
    missing = {"reason": {"code": "files_missing", "data": {}}}
    placeholder = Dataset(
        name=described["name"], classes=described["classes"], status=DatasetStatus.INVALID, report=missing
    )
    session.add(placeholder)
    session.flush()
    return placeholder
