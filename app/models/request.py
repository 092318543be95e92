"""Responses by Idempotency-Key, and measured estimates."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.estimate import EstimateResult
from app.core.json_object import JsonObject
from app.models.base import JSONText, Model, UTCDateTime, now


class IdempotencyKey(Model):
    """The response to a POST with this key; written in the same transaction as its effect."""

    __tablename__ = "idempotency_key"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scope: Mapped[str] = mapped_column(String(100), primary_key=True)  # the action and its object
    # of the request's body: a key must not be reused for another request
    digest: Mapped[str] = mapped_column(String(64))
    answer: Mapped[JsonObject] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Estimate(Model):
    """The measurements of a few batches on a device, by configuration."""

    __tablename__ = "estimate"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # hash of everything that the measurements depend on
    figures: Mapped[EstimateResult] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
