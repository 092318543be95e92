"""What a queued training waits for, and the actions that a training allows now."""

from datetime import datetime
from typing import Any, cast

from flask_babel import format_datetime, format_decimal
from flask_babel import gettext as _

from app.core.train import WaitingReason
from app.i18n import ngettext
from app.jobs.model import WaitingFor
from app.models import Training, TrainingStatus
from app.services.trainer.read_models import WaitingView

GB = 2**30  # the unit of the pages and the settings


def queue_order() -> tuple[Any, ...]:
    """The order of the queue."""
    return Training.priority.desc(), Training.position, Training.id


def for_trainings(waiting: WaitingFor | None) -> WaitingReason | None:
    """What its job waits for, in the form stored with trainings."""
    if waiting is None or waiting["code"] != "device":
        return cast(WaitingReason | None, waiting)  # with the same fields
    holder = waiting.get("id")
    if waiting.get("type") == "training" and holder is not None:
        return {"code": "device", "training_id": holder}
    return {"code": "device"}


def waiting_for(row: Training, names: dict[int, str]) -> WaitingView | None:
    """`row.waiting_for` with a `message` for the reader; None if it does not wait.

    Args:
        names: of the trainings that others wait for.
    """
    if row.status != TrainingStatus.PENDING or not row.waiting_for:
        return None
    view = row.waiting_for.copy()
    holder = view.get("training_id")
    if holder is not None and holder in names:
        view["name"] = names[holder]
    else:  # deleted, or another person's
        view.pop("training_id", None)
    return {**view, "message": reason(view)}


def reason(waiting: WaitingReason) -> str:
    """The sentence of a `waiting_for`; its code if it is unknown to this version."""
    try:
        match waiting["code"]:
            case "device" if "training_id" not in waiting:
                return _("Waiting for the device.")
            case "device":
                return _("Waiting for the device, in use by “%(name)s”.", name=waiting["name"])
            case "missing_device":
                return _(
                    "This machine doesn't have the device %(device)s. Clone the run and choose another one.",
                    device=waiting["device"],
                )
            case "files":
                return _("Waiting until its files are in the store of the workers.")
            case "turn":
                return turn(waiting["ahead"])
            case "schedule":
                until = format_datetime(datetime.fromisoformat(waiting["until"]), "d MMM y, HH:mm")
                return _("Scheduled to start at %(time)s (UTC).", time=until)
            case "disk":
                return _(
                    "Waiting for disk space: %(free)s GB free, %(needed)s GB needed.",
                    free=gigabytes(waiting["free"]),
                    needed=gigabytes(waiting["needed"]),
                )
    except (KeyError, ValueError, TypeError):
        pass
    return str(waiting.get("code"))


def turn(ahead: int) -> str:
    if not ahead:
        return _("Next in the queue.")
    return ngettext("Queued: %(num)s run ahead.", "Queued: %(num)s runs ahead.", ahead)


def gigabytes(size: float) -> str:
    return format_decimal(round(size / GB, 1))


def allowed_actions(row: Training, epochs: set[int]) -> list[str]:
    """The actions that are possible now; `epochs` are those of its resumable checkpoints."""
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
