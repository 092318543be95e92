"""Compares trainings. Reads only; the number of queries does not depend on how many they are."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from flask_babel import ngettext
from sqlalchemy import select

from app.core.metrics import KEYS as METRIC_KEYS
from app.errors import NotFound
from app.extensions import db
from app.models import Training, TrainingMetric
from app.services.trainer import params, present
from app.services.trainer.read_models import Comparison, TrainingView


def compare(ids: Sequence[int], models: Path) -> Comparison:
    """Trainings in the requested order, with their curves; `missing` are ids without a training.

    Raises:
        NotFound: there is none of them.
    """
    by_id = {item["id"]: item for item in present.to_dicts(present.list_rows().where(Training.id.in_(ids)), models)}
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
    """Why their metrics cannot be ranked: `task`, `dataset`, `version` (of the dataset, and with it the split).

    Or their losses alone: `model`, since each family of models has a loss of its own.
    """
    same_data = {
        (item["dataset_id"], item["revision"]): item["dataset_revision"]
        for item in trainings
        if item["dataset_revision"]
    }

    def data(item: TrainingView) -> Any:
        """The dataset's identity: the content hash where it is known, so that one that was uploaded twice is the
        same."""
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
