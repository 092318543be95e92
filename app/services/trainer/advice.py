"""Records the coach's advice on each recorded epoch, each code once."""

from datetime import datetime

from sqlalchemy import select

from app.core.metrics import EpochFigures
from app.core.room_messages import MessagePayload
from app.core.text_data import TextData
from app.extensions import db
from app.models import Training, TrainingEvent, TrainingMetric
from app.services.trainer import coach
from app.services.trainer.learning import early_signs
from app.services.trainer.messages import RoomMessage, message, stamp
from app.services.trainer.schedules import schedule_of

WINDOW = 300  # latest epochs that are considered


def advise(row: Training, epoch: int, time: datetime) -> list[RoomMessage]:
    """Advice after an epoch that was recorded in this transaction."""
    epochs, planned, before = recent_epochs(row.id, epoch), row.total_epochs or row.epochs, recorded_advice(row.id)
    messages = []
    for item in [*coach.advise(epochs, planned, before), *learning(row, epochs, planned, before)]:
        payload: MessagePayload = {
            "code": item.code,
            "data": {**item.data, **names(row, item.data)},
            "level": item.level,
            "epoch": item.epoch,
            "timestamp": stamp(time),
        }
        messages.append(message("training_advice", row, **payload))
    return messages


def learning(row: Training, epochs: coach.Epochs, planned: int, before: dict[str, int]) -> list[coach.Advice]:
    """Advice on whether the run can learn at all: enough iterations, and correct labels. Once."""
    if row.task == "classify" or before.keys() & {"diverging", "learning_rate_high"}:
        return []
    sign = early_signs(epochs, planned, schedule_of(row))
    return [coach.Advice(sign[0], "warning", epochs[-1]["epoch"], sign[1])] if sign and sign[0] not in before else []


def recent_epochs(training_id: int, epoch: int) -> coach.Epochs:
    """The latest epochs up to one, oldest first."""
    mine = (TrainingMetric.training_id == training_id) & (TrainingMetric.epoch <= epoch)
    newest = TrainingMetric.epoch.desc()
    scalars = select(
        TrainingMetric.epoch,
        TrainingMetric.loss,
        TrainingMetric.val_loss,
        TrainingMetric.map50,
        TrainingMetric.fitness,
        TrainingMetric.learning_rate,
        TrainingMetric.seconds,
    )
    epochs: list[EpochFigures] = [
        {
            "epoch": number,
            "loss": loss,
            "val_loss": val_loss,
            "map50": map50,
            "fitness": fitness,
            "learning_rate": learning_rate,
            "seconds": seconds,
            "parts": {},
            "timing": {},
            "classes": [],
        }
        for number, loss, val_loss, map50, fitness, learning_rate, seconds in db.session.execute(
            scalars.where(mine).order_by(newest).limit(WINDOW)
        )
    ]
    heavy = select(TrainingMetric.parts, TrainingMetric.timing, TrainingMetric.classes)  # of the newest epochs only
    rows = db.session.execute(heavy.where(mine).order_by(newest).limit(2 * coach.RECENT))
    for item, (parts, timing, classes) in zip(epochs, rows, strict=False):
        item["parts"], item["timing"], item["classes"] = parts, timing, classes
    return epochs[::-1]


def recorded_advice(training_id: int) -> dict[str, int]:
    """The epoch of each advice code since this run began, which is known by the number of its first epoch's message."""
    mine = TrainingMetric.training_id == training_id
    first = select(TrainingMetric.seq).where(mine).order_by(TrainingMetric.epoch).limit(1).scalar_subquery()
    query = select(TrainingEvent.payload).where(
        TrainingEvent.training_id == training_id,
        TrainingEvent.event == "training_advice",
        TrainingEvent.seq > first,
    )
    return {item["code"]: item["epoch"] for item in db.session.scalars(query.order_by(TrainingEvent.seq))}


def names(row: Training, data: TextData) -> dict[str, list[str]]:
    """The names of the classes in the data."""
    classes = row.dataset.classes
    numbers = data.get("classes")
    if not numbers or not isinstance(numbers, list):
        return {}
    return {"names": [classes[index] if index < len(classes) else str(index) for index in numbers]}
