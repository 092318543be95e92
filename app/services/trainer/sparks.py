"""Sparklines of a list, in a single query."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select

from app.extensions import db
from app.models import Training, TrainingMetric

SPARK_POINTS = 40  # for a chart of a few centimeters


def sparklines(ids: Iterable[int]) -> dict[int, list[list[float]]]:
    """The mAP50 of each training as at most some 40 points [epoch, value], including its last epoch; one query.

    Epochs are selected in SQL by the index: the rows between them, with their long texts, are not read.
    """
    newest = Training.current_epoch
    step = 1 + newest // SPARK_POINTS
    query = (
        select(TrainingMetric.training_id, TrainingMetric.epoch, TrainingMetric.map50)
        .join(Training, Training.id == TrainingMetric.training_id)
        .where(TrainingMetric.training_id.in_(list(ids)))
        .where((newest - TrainingMetric.epoch) % step == 0)
        .order_by(TrainingMetric.training_id, TrainingMetric.epoch)
    )
    points: dict[int, list[list[float]]] = defaultdict(list)
    for training_id, epoch, value in db.session.execute(query):
        if value is not None:
            points[training_id].append([epoch, round(value, 4)])
    return points
