"""The inlet of Socket.IO: joining and leaving rooms, with a snapshot on joining.

Each handler answers with an acknowledgement: `{"ok": true, ...}` or `{"ok": false, "error": "...", ...}`, with `status`
and `title` as the REST API would have them.
"""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_socketio import emit, join_room, leave_room
from sqlalchemy import select

from app.errors import AppError, Unprocessable
from app.extensions import db, socketio
from app.i18n import LOCALES, select_locale
from app.models import Dataset, DatasetStatus
from app.notify import DASHBOARD, SYSTEM, in_language, training_room
from app.problems import told
from app.schemas import MAX_ID, DatasetOut
from app.services import services
from app.services.trainer.present import as_json

logger = logging.getLogger("yolo.live")

Answer = dict[str, Any]


def register() -> None:
    """Bind the handlers to the present server."""
    for name, handler in HANDLERS.items():
        socketio.on_event(name, acknowledged(handler))
    socketio.default_exception_handler = failed


def acknowledged(handler: Callable[[Any], Answer]) -> Callable[..., Answer]:
    """A handler that takes any payload and always acknowledges."""

    @wraps(handler)
    def answer(*payload: Any) -> Answer:
        try:
            return {"ok": True} | handler(payload[0] if payload else None)
        except Exception as error:
            return failed(error)

    return answer


def failed(error: Exception) -> Answer:
    """What the client can do about it. Where something went wrong on our side, the log has it, the client does not."""
    answer = told(error)
    if answer["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("socket event", exc_info=error)
    return {"ok": False} | answer


def training_id_of(payload: Any) -> int:
    """The id in `{"training_id": 5}`.

    Raises:
        Unprocessable: there is none.
    """
    value = payload.get("training_id") if isinstance(payload, dict) else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)  # from an address or a form field
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ID:
        raise Unprocessable(_("Send an object with training_id, a positive whole number."))
    return value


def enter(room: str) -> None:
    """The room, and the part of it that reads the language of this connection."""
    join_room(room)
    join_room(in_language(room, select_locale()))


def leave(room: str) -> None:
    leave_room(room)
    for locale in LOCALES:
        leave_room(in_language(room, locale))


def join_training(payload: Any) -> Answer:
    """Enter first, then look: nothing between the snapshot and the first message is lost.

    More in the payload, for who wants less: `metrics`, the version of those that are known, which are not sent again;
    `event` false, for the snapshot in the acknowledgement alone.
    """
    training_id = training_id_of(payload)
    known = payload.get("metrics")
    enter(training_room(training_id))
    try:
        snapshot = {"training_id": training_id} | services().trainer.snapshot(training_id, known)
    except AppError:
        leave(training_room(training_id))
        raise
    if payload.get("event") is not False:
        emit("training_snapshot", snapshot)
    return snapshot


def leave_training(payload: Any) -> Answer:
    training_id = training_id_of(payload)
    leave(training_room(training_id))
    return {"training_id": training_id}


def join_dashboard(_payload: Any) -> Answer:
    enter(DASHBOARD)
    unready = select(Dataset).where(Dataset.status.in_([DatasetStatus.PENDING, DatasetStatus.VALIDATING]))
    return {
        "trainings": [as_json(training) for training in services().trainer.list_active_trainings()],
        "datasets": [
            DatasetOut().dump(services().datasets.view(dataset))
            for dataset in db.session.scalars(unready.order_by(Dataset.id))
        ],
    }


def leave_dashboard(_payload: Any) -> Answer:
    leave(DASHBOARD)
    return {}


def join_system(_payload: Any) -> Answer:
    """The figures now, and `system_update` with them every two seconds; `system_error` when they cannot be had."""
    enter(SYSTEM)
    try:
        snapshot = services().system.figures()
    except Exception:
        leave(SYSTEM)
        raise
    services().system.start(current_app._get_current_object())  # type: ignore[attr-defined]
    return snapshot


def leave_system(_payload: Any) -> Answer:
    leave(SYSTEM)
    return {}


HANDLERS = {
    "join_training": join_training,
    "leave_training": leave_training,
    "join_dashboard": join_dashboard,
    "leave_dashboard": leave_dashboard,
    "join_system": join_system,
    "leave_system": leave_system,
}
