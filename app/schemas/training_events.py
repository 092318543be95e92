"""What happened in a training, for clients that poll."""

from typing import TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from marshmallow import EXCLUDE

from app.core.text_data import TextData
from app.schemas.base import MAX_ID, Schema, between


class EventQuery(Schema):
    after = Integer(load_default=0, validate=between(0, MAX_ID), metadata={"description": "The last number you have."})
    limit = Integer(load_default=500, validate=between(1, 1000))
    wait = Float(
        load_default=0.0,
        validate=between(0, 25),
        metadata={"description": "Seconds to wait for the first message where there is none yet."},
    )


class EventQueryValues(TypedDict):
    after: int
    limit: int
    wait: float


class EventOut(Schema):
    """A message as the Socket.IO room gets it."""

    seq = Integer()
    event = String()
    time = String()
    payload = Dict()


class EventsOut(Schema):
    events = List(Nested(EventOut))
    seq = Integer(metadata={"description": "Send it as `after` to go on."})
    more = Boolean()
    thinned = Boolean(
        metadata={"description": "Some of passing interest (progress, figures, log) are no longer kept in between."}
    )


class SentAdvice(Schema):
    class Meta:
        unknown = EXCLUDE

    seq = Integer()
    code = String()
    level = String()
    epoch = Integer()
    data = Dict()
    message = String()
    hint = String(metadata={"description": "What to try."})
    time = String()


class SentAdviceValues(TypedDict):
    seq: int
    code: str
    level: str
    epoch: int
    data: TextData
    message: str
    hint: str
    time: str


class AdvicesOut(Schema):
    advice = List(Nested(SentAdvice))


class AdvicesOutValues(TypedDict):
    advice: list[SentAdviceValues]
