"""Socket.IO handlers: joining and leaving rooms, with a snapshot on joining.

Each handler answers with an acknowledgement: `{"ok": true, ...}` or `{"ok": false, "error": "...", ...}`, with `status`
and `title` as the REST API would have them.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import current_app, g, request
from flask_babel import gettext as _
from flask_socketio import emit, join_room, leave_room

from app.access.audience import account_room, rooms_for
from app.access.identify import access_of, identify
from app.access.principal import current
from app.access.private import expect_visible, is_limited
from app.core.roles import Role
from app.errors import AppError, BadEvent, LoginRequired, NotAllowed, TooManyRequests, Unprocessable
from app.extensions import socketio
from app.i18n import LOCALES, ngettext, select_locale
from app.inputs import Encoded
from app.jobs.model import Job
from app.models import Training
from app.notify import DASHBOARD, SYSTEM, in_language, job_room, training_room
from app.problems import problem_summary
from app.routes.permissions import EVENTS
from app.routes.snapshots import dashboard, shared
from app.schemas import MAX_ID, JobOut
from app.services import services
from app.sockets import MOST_ROOMS, Connection

logger = logging.getLogger("yolo.live")

Answer = Mapping[str, object]  # the acknowledgement of an event


# By engineio's id: a client that sends CONNECT again would get a new one from Socket.IO.
connections: dict[str, Connection] = {}


def register() -> None:
    """Bind the handlers to the present server."""
    socketio.on_event("connect", connect)
    socketio.on_event("disconnect", disconnect)
    for name, handler in HANDLERS.items():
        socketio.on_event(name, acknowledged(handler, EVENTS.get(name, Role.ADMIN)))
    socketio.on_event("*", acknowledged(unknown, Role.VIEWER, named=True))
    socketio.default_exception_handler = failed


def connection_id() -> str:
    """engineio's id of the client that sent the current event."""
    return socketio.server.manager.eio_sid_from_sid(request.sid, "/")  # type: ignore[attr-defined]


def connect(*_auth: Any) -> bool:
    """False refuses unauthenticated clients, and a second CONNECT on one connection, which would reset its limits."""
    try:
        principal = identify(request)
    except LoginRequired:
        principal = None
    if principal is None:
        return False
    connection = Connection(principal=principal, access=access_of())
    return connections.setdefault(connection_id(), connection) is connection


def disconnect(*_reason: Any) -> None:
    connections.pop(connection_id(), None)


def acknowledged(handler: Callable[[Any], Answer], need: Role, *, named: bool = False) -> Callable[..., Answer]:
    """A handler that accepts any payload and always acknowledges; yields to others before the next event.

    Args:
        need: the required role.
        named: the first argument is the event's name, as for catch-all handlers.
    """

    @wraps(handler)
    def answer(*payload: Any) -> Answer:
        socketio.sleep(0)
        rest = payload[1:] if named else payload
        try:
            with its_turn(need, costs=handler in JOINS):
                return accepted(handler(rest[0] if rest else None))
        except Exception as error:
            return failed(error)

    return answer


def accepted(answer: Answer) -> Answer:
    return answer.with_first("ok", True) if isinstance(answer, Encoded) else {"ok": True, **answer}


@contextmanager
def its_turn(need: Role, costs: bool) -> Iterator[None]:
    """Handles one event of a connection at a time, within its rate limit.

    Args:
        costs: the answer is a snapshot, 30 times the work of other events. A connection may request as many as a page
            needs; beyond that, all connections share a limited part of the server's time.

    Raises:
        NotAllowed: the role is insufficient.
        TooManyRequests: more events than a page sends.
    """
    connection = connections.setdefault(connection_id(), Connection())
    with connection.lock:
        if connection.principal is None or not connection.principal.role.covers(need):
            raise NotAllowed(_("Log in, and connect again."))
        g.principal = connection.principal
        joins = current_app.extensions["waiting"].joins
        if connection.events.consume() or (costs and connection.joins.consume() and joins.consume()):
            raise TooManyRequests(_("Too many messages on one connection. Wait a second and send again."))
        yield


def unknown(_payload: Any) -> Answer:
    """An unknown event, or a packet that could not be parsed."""
    raise BadEvent(_("There is no such event, or its packet is damaged."))


def failed(error: Exception) -> Answer:
    """The error for the client. Details of internal errors are only logged."""
    answer = problem_summary(error)
    if answer["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("a socket event has failed", exc_info=error)
    return {"ok": False, **answer}


def training_id_of(payload: Any) -> int:
    """The id in `{"training_id": 5}`.

    Raises:
        Unprocessable: there is no valid id.
    """
    value = payload.get("training_id") if isinstance(payload, dict) else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)  # from an address or a form field
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ID:
        raise Unprocessable(_("Send an object with training_id, a positive whole number."))
    return value


def enter(room: str) -> None:
    """Enter a room, and its part for this connection's language.

    Raises:
        TooManyRequests: the connection is in the maximum number of rooms.
    """
    rooms = connections[connection_id()].rooms
    if room not in rooms and len(rooms) >= MOST_ROOMS:
        raise TooManyRequests(
            ngettext(
                "One connection can follow %(num)s run. Leave it first.",
                "One connection can follow up to %(num)s runs. Leave some of them first.",
                MOST_ROOMS,
            )
        )
    rooms.add(room)
    join_room(room)
    join_room(in_language(room, select_locale()))


def leave(room: str) -> None:
    """Take the connection out of a room, in each language."""
    connections[connection_id()].rooms.discard(room)
    leave_room(room)
    for locale in LOCALES:
        leave_room(in_language(room, locale))


def join_training(payload: Any) -> Answer:
    """Enters the room before the snapshot is read, so that no message in between is lost.

    Options in the payload reduce the answer: `metrics`, the version of known metrics, which are not sent again; `event`
    false, for the snapshot in the acknowledgement alone.
    """
    training_id = training_id_of(payload)
    expect_visible(Training, training_id)
    metrics_version = payload.get("metrics") if isinstance(payload.get("metrics"), str) else None
    following = services().trainer.following
    enter(training_room(training_id))
    try:
        snapshot = shared(
            ("training", training_id, metrics_version),
            lambda: {"training_id": training_id, **following.snapshot(training_id, metrics_version)},
        )
    except AppError:
        leave(training_room(training_id))
        raise
    if payload.get("event") is not False:
        emit("training_snapshot", snapshot, ignore_queue=True)  # only for this client, which is connected here
    return snapshot


def leave_training(payload: Any) -> Answer:
    """Leave the room of a training."""
    training_id = training_id_of(payload)
    leave(training_room(training_id))
    return {"training_id": training_id}


def job_id_of(payload: Any) -> int:
    """The id in `{"job_id": 5}`.

    Raises:
        Unprocessable: there is no valid id.
    """
    value = payload.get("job_id") if isinstance(payload, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ID:
        raise Unprocessable(_("Send an object with job_id, a positive whole number."))
    return value


def join_job(payload: Any) -> Answer:
    """Enters the room before the snapshot is read, so that no message in between is lost."""
    job_id = job_id_of(payload)
    expect_visible(Job, job_id)
    enter(job_room(job_id))
    try:
        job = services().jobs.get(job_id)
    except AppError:
        leave(job_room(job_id))
        raise
    return {"job_id": job_id, "job": JobOut().dump(services().jobs.view(job))}


def leave_job(payload: Any) -> Answer:
    """Leave the room of a job."""
    job_id = job_id_of(payload)
    leave(job_room(job_id))
    return {"job_id": job_id}


def join_dashboard(_payload: Any) -> Answer:
    """Enter the dashboard's rooms; the answer is its snapshot."""
    for room in rooms_for(DASHBOARD, current()):
        enter(room)
    return shared("dashboard", dashboard)


def leave_dashboard(_payload: Any) -> Answer:
    """Leave the dashboard's rooms."""
    for room in rooms_for(DASHBOARD, current()):
        leave(room)
    return {}


def join_system(_payload: Any) -> Answer:
    """The present figures; then `system_update` every two seconds, or `system_error` if they cannot be read."""
    principal, room = current(), system_room()
    enter(room)
    try:
        snapshot = shared("system", services().system.as_json)
    except Exception:
        leave(room)
        raise
    services().system.start(current_app._get_current_object(), room, principal)  # type: ignore[attr-defined]
    return snapshot


def system_room() -> str:
    """The room for system figures: a private one if the figures of others must be left out."""
    principal = current()
    limited = principal is not None and is_limited(principal)
    return account_room(SYSTEM, principal.account_id) if limited and principal else SYSTEM


def leave_system(_payload: Any) -> Answer:
    leave(system_room())
    return {}


HANDLERS = {
    "join_training": join_training,
    "leave_training": leave_training,
    "join_job": join_job,
    "leave_job": leave_job,
    "join_dashboard": join_dashboard,
    "leave_dashboard": leave_dashboard,
    "join_system": join_system,
    "leave_system": leave_system,
}
JOINS = {join_training, join_dashboard, join_system}
