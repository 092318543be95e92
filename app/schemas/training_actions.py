"""Requests and responses about what is done with trainings: actions, the queue, the trash, checkpoints."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length, Regexp
from flask_babel import lazy_gettext as _l

from app.schemas.base import (
    MAX_ID,
    DateTime,
    Message,
    MessageValues,
    Schema,
    StrictBoolean,
    between,
    moment,
    name_field,
    one_of,
)
from app.schemas.creators import shared_field
from app.schemas.trainings import TrainingCreated, TrainingCreatedValues, TrainingOut


class TrainingPatch(Schema):
    """What can be changed at any time; what is left out stays."""

    name = name_field()
    priority = Integer(
        strict=True, validate=between(-100, 100), metadata={"description": "Runs with a higher number start first."}
    )
    start_not_before = moment(allow_none=True, metadata={"description": "ISO 8601; null: as soon as possible."})
    important = StrictBoolean(metadata={"description": "Its weights are always backed up."})
    shared = shared_field()


class TrainingPatchValues(TypedDict):
    name: NotRequired[str]
    priority: NotRequired[int]
    start_not_before: NotRequired[datetime | None]
    important: NotRequired[bool]
    shared: NotRequired[bool]


class ExtendIn(Schema):
    epochs = Integer(required=True, strict=True, validate=between(1, 10_000), metadata={"description": "More epochs."})
    schedule = String(
        load_default="stretch",
        validate=one_of(["stretch", "keep"]),
        metadata={
            "description": "stretch: the learning rate's schedule is laid over all epochs, so that the rate rises and "
            "falls again. keep: it stays as it was in the last epoch."
        },
    )


class ExtendInValues(TypedDict):
    epochs: int
    schedule: str


class DeleteQuery(Schema):
    permanent = Boolean(
        load_default=False, metadata={"description": "Delete a run in the trash permanently, with its files."}
    )


class DeleteQueryValues(TypedDict):
    permanent: bool


class QueueIn(Schema):
    order = List(
        Integer(strict=True, validate=between(1, MAX_ID)),
        required=True,
        validate=Length(1, 10_000),
        metadata={
            "description": "IDs of queued runs, in order. Runs that are left out keep their places.",
            "uniqueItems": True,
        },
    )


class QueueInValues(TypedDict):
    order: list[int]


class KeyHeader(Schema):
    """The header of a POST that is to be done once."""

    key = String(
        data_key="Idempotency-Key",
        validate=Regexp(r"[!-~]{1,200}\Z", error=_l("Must be 1 to 200 visible ASCII characters.")),
        metadata={
            "pattern": "^[!-~]{1,200}$",
            "description": "Any text that is new for each request. Within 24 hours, the same key returns the "
            "first response and does nothing; with another body, it is refused (422).",
        },
    )


class KeyHeaderValues(TypedDict):
    key: NotRequired[str]


class QueueOut(Schema):
    queue = List(Nested(TrainingOut))


class RatesOut(Schema):
    """Learning rates: of the last epoch that was done, of the first and of the last new one."""

    last = Float(allow_none=True)
    first = Float(allow_none=True)
    final = Float(allow_none=True)


class RatesOutValues(TypedDict):
    last: float | None
    first: float | None
    final: float | None


class Extended(TrainingCreated):
    epochs = Integer(metadata={"description": "The new total."})
    schedule = String()
    learning_rate = Nested(RatesOut)


class ExtendedValues(TrainingCreatedValues):
    epochs: int
    schedule: str
    learning_rate: RatesOutValues


class TrainingDeleted(Message):
    training_id = Integer()
    until = DateTime(
        allow_none=True, metadata={"description": "The run can be restored until then; null: permanently deleted."}
    )


class TrainingDeletedValues(MessageValues):
    training_id: int
    until: datetime | None


class CheckpointOut(Schema):
    epoch = Integer()
    is_best = Boolean()
    resumable = Boolean(metadata={"description": "Holds the optimizer's state; a training can go on from it."})
    periodic = Boolean(metadata={"description": "Stays, as `save_period` asks."})
    metrics = Dict()
    size_bytes = Integer()
    created_at = DateTime()
    url = String()


class CheckpointOutValues(TypedDict):
    epoch: int
    is_best: bool
    resumable: bool
    periodic: bool
    metrics: dict[str, float | None]
    size_bytes: int
    created_at: datetime
    url: str


class CheckpointsOut(Schema):
    checkpoints = List(Nested(CheckpointOut))


class CheckpointsOutValues(TypedDict):
    checkpoints: list[CheckpointOutValues]
