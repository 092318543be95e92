"""Answers by Idempotency-Key, and estimates that were measured."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.estimate import EstimateResult
from app.core.json_object import JsonObject
from app.models.base import JSONText, Model, UTCDateTime, now


class IdempotencyKey(Model):
    """The answer to a POST that carried this key; written in the transaction of what it did."""

    __tablename__ = "idempotency_key"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    scope: Mapped[str] = mapped_column(String(100), primary_key=True)  # the action and what it was about
    digest: Mapped[str] = mapped_column(String(64))  # of the request's body: the same key must mean the same request
    answer: Mapped[JsonObject] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Estimate(Model):
    """What a few real batches took on a device, by configuration."""

    __tablename__ = "estimate"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # hash of everything that the figures depend on
    figures: Mapped[EstimateResult] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
