"""Reads a training's past: its epochs, recent curves of losses and system figures, and the position in its log."""

import json
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Text, func, select, type_coerce

from app.core.metrics import ClassMetrics
from app.core.room_messages import MessagePayload
from app.core.train import RunProgress
from app.extensions import db
from app.models import TrainingEvent, TrainingMetric
from app.services.trainer.ephemeral import Unwritten
from app.services.trainer.read_models import EpochView, LogPosition

FINE = ("training_log", "training_system")  # not sent to the dashboard
LOCALIZED = ("training_status", "training_note", "training_advice")  # in the reader's language
MOST_LOSSES = 2_000
MOST_FIGURES = 900  # half an hour
MOST_CLASS_ROWS = 4_000  # in a snapshot; /metrics has all


def losses(training_id: int, seq: int, newer: Sequence[Unwritten] = ()) -> list[MessagePayload]:
    """The loss of batches, at most MOST_LOSSES of the stored ones, evenly spaced, and the newer ones: {"seq", "epoch",
    ...}.
    """
    count_stored = select(func.count()).where(*up_to(training_id, "training_progress", seq))
    step = -(-(db.session.scalar(count_stored) or 0) // MOST_LOSSES) or 1
    messages = sample_messages(training_id, "training_progress", seq, step) + unwritten(newer, "training_progress")
    return [
        loss_of(number, payload["progress"])
        for number, payload in messages
        if payload["progress"].get("loss") is not None
    ]


def loss_of(number: int, progress: RunProgress) -> MessagePayload:
    """The losses of a batch, without the other fields of its message."""
    return {
        "seq": number,
        "epoch": progress["epoch"],
        "batch": progress.get("batch"),
        "batches": progress.get("batches"),
        "loss": progress.get("loss"),
        "parts": progress.get("parts"),
    }


def figures(training_id: int, seq: int, newer: Sequence[Unwritten] = ()) -> list[MessagePayload]:
    """The latest figures of the machine, oldest first."""
    rows = newest(training_id, "training_system", seq, MOST_FIGURES)[::-1] + unwritten(newer, "training_system")
    return [{"seq": number, **payload} for number, payload in rows[-MOST_FIGURES:]]


def metrics(training_id: int, seq: int) -> list[EpochView]:
    """Every epoch as MetricOut; values of classes for the latest epochs only, up to a limit."""
    columns = [column for column in TrainingMetric.__table__.columns if column.key != "classes"]
    mine = (TrainingMetric.training_id == training_id) & (TrainingMetric.seq <= seq)
    rows = db.session.execute(select(*columns).where(mine).order_by(TrainingMetric.epoch)).mappings().all()
    pairs = zip(rows, classes(mine, len(rows)), strict=True)
    return [cast(EpochView, {**row} | {"classes": measured}) for row, measured in pairs]


def version(training_id: int, seq: int) -> str:
    """The version of the metrics: a reader with the same version need not load them. A repeated epoch changes it."""
    mine = (TrainingMetric.training_id == training_id) & (TrainingMetric.seq <= seq)
    count, newest_seq = db.session.execute(select(func.count(), func.max(TrainingMetric.seq)).where(mine)).one()
    return f"{count}-{newest_seq or 0}"


def classes(mine: Any, epochs: int) -> list[list[ClassMetrics]]:
    """The classes' values by epoch, oldest first; empty lists where omitted."""
    newest_first = TrainingMetric.epoch.desc()
    one = db.session.scalar(select(TrainingMetric.classes).where(mine).order_by(newest_first).limit(1))
    count = min(epochs, MOST_CLASS_ROWS // len(one)) if one else 0
    lists = db.session.scalars(select(TrainingMetric.classes).where(mine).order_by(newest_first).limit(count)).all()
    return [[] for _ in range(epochs - len(lists))] + [item or [] for item in reversed(lists)]


def log_position(training_id: int, seq: int, newer: Sequence[Unwritten] = ()) -> LogPosition | None:
    """The position up to which the log was sent."""
    rows = unwritten(newer, "training_log")[-1:] or newest(training_id, "training_log", seq, 1)
    return cast(LogPosition, rows[0][1]) if rows else None


def unwritten(newer: Sequence[Unwritten], event: str) -> list[tuple[int, MessagePayload]]:
    return [(item.seq, item.payload) for item in newer if item.event == event]


def up_to(training_id: int, event: str, seq: int) -> tuple[Any, ...]:
    return TrainingEvent.training_id == training_id, TrainingEvent.event == event, TrainingEvent.seq <= seq


def newest(training_id: int, event: str, seq: int, limit: int) -> list[tuple[int, MessagePayload]]:
    raw = select(TrainingEvent.seq, type_coerce(TrainingEvent.payload, Text)).where(*up_to(training_id, event, seq))
    return parse_payloads(db.session.execute(raw.order_by(TrainingEvent.seq.desc()).limit(limit)).all())


def sample_messages(training_id: int, event: str, seq: int, step: int) -> list[tuple[int, MessagePayload]]:
    """Every n-th message, counted from the newest; oldest first."""
    number = func.row_number().over(order_by=TrainingEvent.seq.desc()).label("place")
    text = type_coerce(TrainingEvent.payload, Text).label("text")
    inner = select(TrainingEvent.seq, text, number).where(*up_to(training_id, event, seq)).subquery()
    query = select(inner.c.seq, inner.c.text).where((inner.c.place - 1) % step == 0).order_by(inner.c.seq)
    return parse_payloads(db.session.execute(query).all())


def parse_payloads(rows: Sequence[Any]) -> list[tuple[int, MessagePayload]]:
    """Parse all in one call, which is several times faster than one call each."""
    payloads = json.loads("[" + ",".join(text for _, text in rows) + "]")
    return [(number, payload) for (number, _), payload in zip(rows, payloads, strict=True)]
