"""Trainings as sent by the API and in Socket.IO messages. Reads only."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Label, SQLColumnExpression, func, select
from sqlalchemy.orm import defer

from app.access.creators import creator_conditions
from app.core.paths import redact_paths
from app.extensions import db
from app.models import Checkpoint, Dataset, Training, TrainingMetric, TrainingStatus, now
from app.schemas import TrainingOut
from app.schemas.training_lists import TrainingQueryValues
from app.services.paging import page_numbers
from app.services.trainer import advance, texts
from app.services.trainer.ephemeral import COLUMNS, EphemeralMessages
from app.services.trainer.levels import MainFigures, level_of, main_value
from app.services.trainer.read_models import FilterChoicesView, TrainingPageView, TrainingView
from app.services.trainer.sparks import sparklines
from app.services.trainer.waiting import allowed_actions, queue_order, waiting_for

SORTS: dict[str, SQLColumnExpression[Any]] = {
    "created_at": Training.created_at,
    "name": func.lower(Training.name),
    "status": Training.status,
    "map50": TrainingMetric.map50,
    "map95": TrainingMetric.map95,
    "dataset": func.lower(Dataset.name),
    "model": func.coalesce(Training.architecture, "yolov8" + Training.model_version),
    "epochs": Training.current_epoch,
}
COPIED = [
    column.key for column in Training.__table__.columns if column.key in TrainingOut._declared_fields
]  # columns shown unchanged


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


def list_rows() -> Any:
    """`rows` for lists: the best epoch without its classes, whose JSON is long."""
    return rows().options(defer(TrainingMetric.classes))


class TrainingPresenter:
    """Reads trainings as TrainingOut.

    Args:
        models: the folder of all trainings.
        ephemeral: has data newer than the rows.
    """

    def __init__(self, models: Path, ephemeral: EphemeralMessages) -> None:
        self.models, self.ephemeral = models, ephemeral

    def one(self, training_id: int) -> TrainingView | None:
        """One training, ready for TrainingOut."""
        return next(iter(self.to_dicts(rows().where(Training.id == training_id))), None)

    def active(self) -> list[TrainingView]:
        """Running trainings, then the queue in its order."""
        query = rows().where(Training.status.in_([TrainingStatus.RUNNING, TrainingStatus.PENDING]), ~in_trash())
        return self.to_dicts(query.order_by(Training.status.desc(), *queue_order()))

    def waiting(self) -> list[TrainingView]:
        """The queue in its order."""
        query = rows().where(Training.status == TrainingStatus.PENDING, ~in_trash())
        return self.to_dicts(query.order_by(*queue_order()))

    def page(self, query: TrainingQueryValues) -> TrainingPageView:
        """One page of the list: a query for the rows, one for their number, one for their small curves."""
        conditions = conditions_of(query)
        total = db.session.scalar(select(func.count()).select_from(Training).where(*conditions)) or 0
        key = query["sort"].lstrip("-")
        order = SORTS[key].desc() if query["sort"].startswith("-") else SORTS[key].asc()
        size = query["per_page"]
        part = (
            list_rows()
            .where(*conditions)
            .order_by(order.nulls_last(), Training.id.desc())
            .limit(size)
            .offset((query["page"] - 1) * size)
        )
        trainings = self.to_dicts(part)
        points = sparklines([item["id"] for item in trainings]) if trainings else {}
        return {
            "trainings": [{**item, "spark": points.get(item["id"], [])} for item in trainings],
            **page_numbers(query, total),
        }

    def to_dicts(self, query: Any) -> list[TrainingView]:
        """`to_dict` of each of `rows()`; one more query if some wait for others, whose names are included."""
        rows = db.session.execute(query).all()
        holders = {(row.waiting_for or {}).get("training_id") for row, *_ in rows} - {None}
        # On behalf of an ended run, an evaluation or an export uses the device, not the run itself.
        running = Training.status == TrainingStatus.RUNNING
        named = select(Training.id, Training.name).where(Training.id.in_(holders), running)
        names = {row.id: row.name for row in db.session.execute(named)} if holders else {}
        counts = class_counts({row.dataset_id for row, *_ in rows if row.task == "classify"})
        return [self.to_dict(item, names, counts) for item in rows]

    def to_dict(self, record: Any, names: dict[int, str], counts: dict[int, int]) -> TrainingView:
        """A training as TrainingOut, from one of `rows()`."""
        row, dataset_name, best = record
        folder = self.models / str(row.id)
        epochs = resumable_epochs(folder)
        # Earlier versions stored the unredacted text.
        error = row.error and redact_paths(row.error, self.models.parent, {row.dataset_id: dataset_name}, stored=True)
        newest = self.ephemeral.newest(row)
        columns = {name: getattr(newest if name in COLUMNS else row, name) for name in COPIED}
        added = {
            "dataset_name": dataset_name,
            "best": best,
            "level": level_of(row.task, main_value(row.task, as_mapping(best)), counts.get(row.dataset_id, 0)),
            "notes": [{"code": item["code"], "message": texts.note(item["code"], item["data"])} for item in row.notes],
            "error": texts.failure(row.error_kind, error),
            "progress": advance.progress_to_dict(newest),
            "duration": duration(row),
            "downloadable": weights(folder) is not None,
            "evaluated": (folder / "evaluation" / "evaluation.json").is_file(),
            "start": row.start or {"kind": "auto"},
            "waiting_for": waiting_for(row, names),
            "resumable": bool(epochs),
            "actions": allowed_actions(row, epochs),
        }
        return cast(TrainingView, columns | added)


def in_trash() -> Any:
    """In the trash."""
    return Training.deleted_at.is_not(None)


def conditions_of(query: TrainingQueryValues) -> list[Any]:
    conditions: list[Any] = [in_trash() if query.get("trash") else ~in_trash()]
    conditions += [
        getattr(Training, name) == query[name]
        for name in ("status", "dataset_id", "task")
        if query.get(name) is not None
    ]
    conditions += creator_conditions(Training.created_by, query.get("created_by"))
    if query.get("model"):
        conditions.append(SORTS["model"] == query["model"])
    if query.get("search"):
        datasets = select(Dataset.id).where(Dataset.name.icontains(query["search"], autoescape=True))
        conditions.append(Training.name.icontains(query["search"], autoescape=True) | Training.dataset_id.in_(datasets))
    return conditions


def choices() -> FilterChoicesView:
    """The filters of lists: datasets, models and tasks of existing trainings, each with their number."""
    model: Label[str] = SORTS["model"].label("model")
    number = func.count().label("number")
    counted = select(Training.dataset_id, model, Training.task, number).where(~in_trash())
    groups = db.session.execute(counted.group_by(Training.dataset_id, model, Training.task)).all()
    named = select(Dataset.id, Dataset.name).where(Dataset.id.in_({row.dataset_id for row in groups}))
    names = {row.id: row.name for row in db.session.execute(named.order_by(func.lower(Dataset.name), Dataset.id))}

    def totals(key: str) -> dict[Any, int]:
        counts: dict[Any, int] = {}
        for row in groups:
            counts[getattr(row, key)] = counts.get(getattr(row, key), 0) + row.number
        return counts

    datasets = totals("dataset_id")
    return {
        "datasets": [{"id": key, "name": name, "trainings": datasets[key]} for key, name in names.items()],
        "models": [{"name": key, "trainings": count} for key, count in sorted(totals("model").items())],
        "tasks": [{"name": key, "trainings": count} for key, count in sorted(totals("task").items())],
    }


def class_counts(datasets: set[int]) -> dict[int, int]:
    """The number of classes by dataset, to judge whether a classification is better than guessing."""
    query = select(Dataset.id, Dataset.classes).where(Dataset.id.in_(datasets))
    return {key: len(classes) for key, classes in db.session.execute(query)} if datasets else {}


def as_mapping(epoch: TrainingMetric | None) -> MainFigures | None:
    """The metrics that determine the level; without the classes, which lists do not load."""
    return None if epoch is None else {"map50": epoch.map50, "parts": epoch.parts}


def duration(row: Training) -> float | None:
    """Seconds from the start to the end, the present pause (its row's last change), or until now."""
    if row.start_time is None:
        return None
    end = row.end_time or (row.updated_at if row.status == TrainingStatus.PAUSED else now())
    return round((end - row.start_time).total_seconds(), 1)


def weights(folder: Path) -> Path | None:
    """The best weights of a training that exist on the disk; None before the first checkpoint."""
    files = (folder / "run" / "weights" / name for name in ("best.pt", "last.pt"))
    return next((path for path in files if path.is_file() and path.stat().st_size), None)


def resumable_epochs(folder: Path) -> set[int]:
    """The epochs from which it can resume, by the names of the files: cheap enough for each row of a list."""
    try:
        with os.scandir(folder / "checkpoints") as entries:
            matches = [re.fullmatch(r"epoch-(\d+)\.pt", entry.name) for entry in entries]
    except FileNotFoundError:
        return set()
    return {int(match[1]) for match in matches if match}


def metrics(training_id: int) -> Sequence[TrainingMetric]:
    """Every epoch so far, in order."""
    query = select(TrainingMetric).where(TrainingMetric.training_id == training_id).order_by(TrainingMetric.epoch)
    return db.session.scalars(query).all()


def as_json(training: TrainingView) -> dict[str, object]:
    """The training as sent by the API."""
    return TrainingOut().dump(training)
