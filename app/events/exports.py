"""The events of a model export, beside those of every program."""

from dataclasses import dataclass

from app.core.exports import ExportCurves, Verification
from app.events.base import Event


@dataclass(frozen=True)
class Verified(Event):
    """The measurements of an export, good or bad; see `app/worker/exporting/verdict.py`."""

    verification: Verification
    curves: ExportCurves | None = None  # of the export
