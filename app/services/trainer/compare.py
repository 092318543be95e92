"""Compares trainings. Reads only; the number of queries is independent of the number of trainings."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask_babel import ngettext
from sqlalchemy import select

from app.core.metrics import KEYS as METRIC_KEYS
from app.errors import NotFound
from app.extensions import db
from app.models import Training, TrainingMetric
from app.services.trainer import params
from app.services.trainer.present import TrainingPresenter, list_rows
from app.services.trainer.read_models import Comparison, TrainingView


def compare(ids: Sequence[int], presenter: TrainingPresenter) -> Comparison:
    """Trainings in the requested order, with their curves; `missing`: ids without a training.

    Raises:
        NotFound: none of them exists.
    """
    by_id = {item["id"]: item for item in presenter.to_dicts(list_rows().where(Training.id.in_(ids)))}
    if not by_id:
        count = len(set(ids))
        raise NotFound(ngettext("This run no longer exists.", "These runs no longer exist.", count))
    order = [training_id for training_id in dict.fromkeys(ids) if training_id in by_id]
    defaults = params.defaults_of({name for item in by_id.values() for name in item["params"]})
    drawn = curves(order)
    return {
        "trainings": [by_id[training_id] for training_id in order],
        "curves": [{"training_id": training_id, **drawn[training_id]} for training_id in order],
        "defaults": defaults,
        "differs": differing([by_id[training_id] for training_id in order]),
        "missing": [training_id for training_id in dict.fromkeys(ids) if training_id not in by_id],
    }


def differing(trainings: Sequence[TrainingView]) -> list[str]:
    """Why their metrics cannot be compared: `task`, `dataset`, `version` (of the dataset, including the split).

    Or only their losses: `model`, since each model family has its own loss.
    """
    same_data = {
        (item["dataset_id"], item["revision"]): item["dataset_revision"]
        for item in trainings
        if item["dataset_revision"]
    }

    def data(item: TrainingView) -> Any:
        """The dataset's identity: the content hash if known, so that one that was uploaded twice is the same."""
        version = (item["dataset_id"], item["revision"])
        return item["dataset_revision"] or same_data.get(version, version)

    names = [] if same(item["task"] for item in trainings) else ["task"]
    if not same(data(item) for item in trainings):
        names.append("version" if same(item["dataset_id"] for item in trainings) else "dataset")
    return names if same(family(item) for item in trainings) else [*names, "model"]


def same(values: Iterable[Any]) -> bool:
    return len(set(values)) < 2


def family(training: TrainingView) -> str:
    """The architecture without its size: yolov8, yolo11, rtdetr."""
    name = training["architecture"] or "yolov8"
    match = re.match(r"(?:yolov?\d+|[a-z]+)", name)
    return match[0] if match else name


def curves(ids: Sequence[int]) -> dict[int, dict[str, list[Any]]]:
    """By training: `epoch`, `time` (s of training until its end, without pauses) and METRIC_KEYS, as columns."""
    columns = [getattr(TrainingMetric, name) for name in METRIC_KEYS]
    query = (
        select(TrainingMetric.training_id, TrainingMetric.epoch, *columns)
        .where(TrainingMetric.training_id.in_(ids))
        .order_by(TrainingMetric.training_id, TrainingMetric.epoch)
    )
    drawn: dict[int, dict[str, list[Any]]] = {
        training_id: {name: [] for name in ("epoch", "time", *METRIC_KEYS)} for training_id in ids
    }
    for training_id, epoch, *values in db.session.execute(query):
        one = drawn[training_id]
        one["epoch"].append(epoch)
        for name, value in zip(METRIC_KEYS, values, strict=True):
            one[name].append(value)
        one["time"].append(round((one["time"][-1] if one["time"] else 0.0) + (one["seconds"][-1] or 0.0), 3))
    return drawn
