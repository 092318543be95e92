"""Several trainings side by side. Reads only; the number of queries does not depend on how many they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from app.errors import NotFound
from app.extensions import db
from app.models import Training, TrainingMetric
from app.services.trainer import params, present

CURVES = ("loss", "val_loss", "precision", "recall", "map50", "map95", "learning_rate", "fitness", "seconds")


def compare(ids: Sequence[int], models: Path) -> dict[str, Any]:
    """Trainings in the order that was asked for, with their curves; `missing` are ids that there is no training of.

    Raises:
        NotFound: there is none of them.
    """
    found = {item["id"]: item for item in present.shown_all(present.listed().where(Training.id.in_(ids)), models)}
    if not found:
        raise NotFound(_("None of these runs exists any more."))
    order = [training_id for training_id in dict.fromkeys(ids) if training_id in found]
    known = params.defaults_of({name for item in found.values() for name in item["params"]})
    drawn = curves(order)
    return {
        "trainings": [found[training_id] for training_id in order],
        "curves": [{"training_id": training_id, **drawn[training_id]} for training_id in order],
        "defaults": known,
        "missing": [training_id for training_id in dict.fromkeys(ids) if training_id not in found],
    }


def curves(ids: Sequence[int]) -> dict[int, dict[str, list[Any]]]:
    """By training: `epoch`, `time` (s of training until its end, without pauses) and CURVES, as columns."""
    columns = [getattr(TrainingMetric, name) for name in CURVES]
    wanted = (
        select(TrainingMetric.training_id, TrainingMetric.epoch, *columns)
        .where(TrainingMetric.training_id.in_(ids))
        .order_by(TrainingMetric.training_id, TrainingMetric.epoch)
    )
    drawn: dict[int, dict[str, list[Any]]] = {
        training_id: {name: [] for name in ("epoch", "time", *CURVES)} for training_id in ids
    }
    for training_id, epoch, *values in db.session.execute(wanted):
        one = drawn[training_id]
        one["epoch"].append(epoch)
        for name, value in zip(CURVES, values, strict=True):
            one[name].append(value)
        one["time"].append(round((one["time"][-1] if one["time"] else 0.0) + (one["seconds"][-1] or 0.0), 3))
    return drawn
