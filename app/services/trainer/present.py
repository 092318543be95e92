"""Trainings as the API and the Socket.IO messages show them. Reads only."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import Checkpoint, Dataset, Training, TrainingMetric, TrainingStatus, now
from app.schemas import MetricsOut, TrainingOut
from app.services.trainer import texts
from app.services.trainer.waiting import allowed, waiting_for

SORTS: dict[str, Any] = {
    "created_at": Training.created_at,
    "name": func.lower(Training.name),
    "status": Training.status,
    "map50": TrainingMetric.map50,
}
PLAIN = [
    column.key for column in Training.__table__.columns if column.key in TrainingOut._declared_fields
]  # columns that are shown as they are


def queue_order() -> tuple[Any, ...]:
    """The order in which trainings wait: by priority, then position, which is the age until someone reorders."""
    return Training.priority.desc(), Training.position, Training.id


def rows() -> Any:
    """Trainings with the name of their dataset and the metrics of their best epoch, in one query."""
    return (
        select(Training, Dataset.name, TrainingMetric)
        .join(Dataset, Dataset.id == Training.dataset_id)
        .outerjoin(Checkpoint, (Checkpoint.training_id == Training.id) & Checkpoint.is_best)
        .outerjoin(
            TrainingMetric,
            (TrainingMetric.training_id == Training.id) & (TrainingMetric.epoch == Checkpoint.epoch),
        )
    )


def one(training_id: int, models: Path) -> dict[str, Any] | None:
    """One training, ready for TrainingOut."""
    found = db.session.execute(rows().where(Training.id == training_id)).first()
    return None if found is None else shown(found, models)


def active(models: Path) -> list[dict[str, Any]]:
    """Running trainings, then the queue in its order."""
    wanted = rows().where(Training.status.in_([TrainingStatus.RUNNING, TrainingStatus.PENDING]), ~deleted())
    return [
        shown(found, models) for found in db.session.execute(wanted.order_by(Training.status.desc(), *queue_order()))
    ]


def waiting(models: Path) -> list[dict[str, Any]]:
    """The queue in its order."""
    wanted = rows().where(Training.status == TrainingStatus.PENDING, ~deleted())
    return [shown(found, models) for found in db.session.execute(wanted.order_by(*queue_order()))]


def deleted() -> Any:
    """In the trash."""
    return Training.deleted_at.is_not(None)


def page(query: dict[str, Any], models: Path) -> dict[str, Any]:
    """One page of the list: a query for the rows, one for their number."""
    conditions = conditions_of(query)
    total = db.session.scalar(select(func.count()).select_from(Training).where(*conditions)) or 0
    key = query["sort"].lstrip("-")
    order = SORTS[key].desc() if query["sort"].startswith("-") else SORTS[key].asc()
    size = query["per_page"]
    part = (
        rows()
        .where(*conditions)
        .order_by(order.nulls_last(), Training.id.desc())
        .limit(size)
        .offset((query["page"] - 1) * size)
    )
    return {
        "trainings": [shown(found, models) for found in db.session.execute(part)],
        "total": total,
        "page": query["page"],
        "per_page": size,
        "pages": -(-total // size),
    }


def conditions_of(query: dict[str, Any]) -> list[Any]:
    conditions: list[Any] = [deleted() if query.get("trash") else ~deleted()]
    conditions += [
        getattr(Training, name) == query[name] for name in ("status", "dataset_id") if query.get(name) is not None
    ]
    if query.get("search"):
        conditions.append(Training.name.icontains(query["search"], autoescape=True))
    return conditions


def shown(found: Any, models: Path) -> dict[str, Any]:
    """What TrainingOut takes, from one of `rows()`; `models` is the folder of all trainings."""
    row, dataset_name, best = found
    folder = models / str(row.id)
    epochs = resumable_epochs(folder)
    return {name: getattr(row, name) for name in PLAIN} | {
        "dataset_name": dataset_name,
        "best": best,
        "notes": [{"code": item["code"], "message": texts.note(item["code"], item["data"])} for item in row.notes],
        "error": texts.failure(row.error_kind, row.error),
        "duration": duration(row),
        "downloadable": weights(folder) is not None,
        "start": row.start or {"kind": "auto"},
        "waiting_for": waiting_for(row),
        "resumable": bool(epochs),
        "actions": allowed(row, epochs),
    }


def duration(row: Training) -> float | None:
    """Seconds from the start to the end, or until now."""
    if row.start_time is None:
        return None
    return round(((row.end_time or now()) - row.start_time).total_seconds(), 1)


def weights(folder: Path) -> Path | None:
    """The best weights of a training that are on the disk now; None before the first checkpoint."""
    files = (folder / "run" / "weights" / name for name in ("best.pt", "last.pt"))
    return next((path for path in files if path.is_file() and path.stat().st_size), None)


def resumable_epochs(folder: Path) -> set[int]:
    """The epochs that it could go on after, by the names of the files: cheap enough for each row of a list."""
    try:
        with os.scandir(folder / "checkpoints") as entries:
            matches = [re.fullmatch(r"epoch-(\d+)\.pt", entry.name) for entry in entries]
    except FileNotFoundError:
        return set()
    return {int(match[1]) for match in matches if match}


def metrics(training_id: int) -> Sequence[TrainingMetric]:
    """Every epoch so far, in order."""
    wanted = select(TrainingMetric).where(TrainingMetric.training_id == training_id).order_by(TrainingMetric.epoch)
    return db.session.scalars(wanted).all()


def as_json(training: dict[str, Any]) -> dict[str, Any]:
    """The training as the API would send it."""
    return TrainingOut().dump(training)


def metrics_as_json(training_id: int) -> dict[str, Any]:
    return MetricsOut().dump({"epochs": metrics(training_id)})
