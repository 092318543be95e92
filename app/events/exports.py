"""The events of a model export, beside those of every program."""

from dataclasses import dataclass, field
from typing import Any

from app.events.base import Event


@dataclass(frozen=True)
class Verified(Event):
    """What was measured of an export, good or bad; see `app/worker/exporting/verdict.py`."""

    verification: dict[str, Any]
    curves: dict[str, Any] = field(default_factory=dict)  # of the export: x, precision, recall; empty: it has none
