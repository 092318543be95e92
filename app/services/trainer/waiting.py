"""What a training waits for, and what may be done with one now."""

from datetime import datetime
from typing import Any

from flask_babel import format_datetime, format_decimal, ngettext
from flask_babel import gettext as _

from app.models import Training, TrainingStatus

GB = 1e9


def waiting_for(row: Training) -> dict[str, Any] | None:
    """`row.waiting_for` with a `message` for the reader; None for one that does not wait."""
    if row.status != TrainingStatus.PENDING or not row.waiting_for:
        return None
    return row.waiting_for | {"message": reason(row.waiting_for)}


def reason(told: dict[str, Any]) -> str:
    """The sentence of a `waiting_for`; its code where this version has none."""
    try:
        match told["code"]:
            case "device":
                return _("Waits for its device, which “%(name)s” uses.", name=told["name"])
            case "turn":
                return turn(told["ahead"])
            case "schedule":
                until = format_datetime(datetime.fromisoformat(told["until"]), "short")
                return _("Waits until %(time)s (UTC).", time=until)
            case "disk":
                return _("Waits for room on the disk: %(free)s GB are free, %(needed)s GB are needed.",
                         free=gigabytes(told["free"]), needed=gigabytes(told["needed"]))  # fmt: skip
    except (KeyError, ValueError, TypeError):
        pass
    return str(told.get("code"))


def turn(ahead: int) -> str:
    if not ahead:
        return _("It is next.")
    return ngettext("%(num)d training is before it.", "%(num)d trainings are before it.", ahead)


def gigabytes(size: float) -> str:
    return format_decimal(round(size / GB, 1))


def allowed(row: Training, epochs: set[int]) -> list[str]:
    """The actions that make sense now; `epochs` are those of its resumable checkpoints."""
    if row.deleted_at is not None:
        return ["restore", "delete"]
    match row.status:
        case TrainingStatus.PENDING:
            return ["stop", "pause", "clone", "delete"]
        case TrainingStatus.RUNNING if row.stop_requested:
            return ["clone"]
        case TrainingStatus.RUNNING if row.pause_requested:
            return ["stop", "clone"]
        case TrainingStatus.RUNNING:
            return ["stop", "pause", "clone"]
        case TrainingStatus.PAUSED:
            return ["resume", "stop", "clone", "delete"]
        case TrainingStatus.COMPLETED:
            return [*(["extend"] if row.current_epoch in epochs else []), "clone", "delete"]
    return [*(["resume"] if epochs else []), "retry", "clone", "delete"]
