"""Closes sockets whose credentials have ended: a session that was logged out or expired, a deleted token, a blocked
account. Once a minute it also records the use of tokens.
"""

import logging
import time

from flask import Flask

from app.access.audience import forget
from app.access.identify import access_of, renewed
from app.access.principal import Principal
from app.access.private import is_limited, is_visible, visible_to
from app.config import settings
from app.extensions import db, socketio
from app.i18n import LOCALES
from app.jobs.model import Job
from app.models import Training
from app.notify import in_language
from app.routes.live import connections
from app.services import services

logger = logging.getLogger("yolo.access")

EVERY_S, POLL_S = 60.0, 5.0  # between two rounds; and between two checks whether the application is open


def close_ended() -> int:
    """Check the principal of each connection again, and close those without one; returns how many. One query per
    secret, not per socket.
    """
    renewed_by_digest: dict[str, Principal | None] = {}
    count = 0
    for connection_id, connection in list(connections.items()):
        principal = connection.principal
        if principal is None or not principal.digest:  # local access, or AUTH=off
            continue
        if connection.access is not access_of():  # of another application in this process, with other sessions
            continue
        if principal.digest not in renewed_by_digest:
            renewed_by_digest[principal.digest] = renewed(principal)
        connection.principal = renewed_by_digest[principal.digest]
        if connection.principal is None or (settings().PRIVATE_DATA and connection.principal.role != principal.role):
            end(connection_id)
            count += 1
    return count


def close_hidden() -> int:
    """Remove connections from the rooms of objects that their person may not see any more; returns how many rooms."""
    forget()
    count = 0
    for connection_id, connection in list(connections.items()):
        if connection.access is not access_of() or not is_limited(connection.principal):
            continue
        with visible_to(connection.principal):
            for room in [room for room in connection.rooms if not is_open(room)]:
                connection.rooms.discard(room)
                leave_rooms(connection_id, [room, *(in_language(room, locale) for locale in LOCALES)])
                count += 1
    return count


def is_open(room: str) -> bool:
    """Whether the current person may be in the room of a training or a job; other rooms have no objects of other
    people.
    """
    kind, _colon, number = room.partition(":")
    model = {"training": Training, "job": Job}.get(kind)
    return model is None or is_visible(model, int(number))


def leave_rooms(connection_id: str, rooms: list[str]) -> None:
    """Take a connection out of rooms."""
    try:
        sid = socketio.server.manager.sid_from_eio_sid(connection_id, "/")  # type: ignore[attr-defined]
        for room in rooms if sid is not None else ():
            socketio.server.leave_room(sid, room, namespace="/")  # type: ignore[attr-defined]
    except KeyError:  # it has just disconnected
        pass


def end(connection_id: str) -> None:
    """Remove a connection from all rooms; its page then finds that it must log in."""
    try:
        sid = socketio.server.manager.sid_from_eio_sid(connection_id, "/")  # type: ignore[attr-defined]
        if sid is not None:
            socketio.server.disconnect(sid, namespace="/")  # type: ignore[attr-defined]
    except KeyError:  # it has just disconnected
        pass


def watch(app: Flask) -> None:
    """Check for as long as the server runs. The body of a background task. Without connections, it queries nothing."""
    installation = app.extensions["services"].installation
    last = time.monotonic()
    while True:
        socketio.sleep(POLL_S)
        if not installation.is_open:
            return
        if time.monotonic() - last < EVERY_S:
            continue
        last = time.monotonic()
        go_round(app)


def go_round(app: Flask) -> None:
    """Close what has ended or became private, and record the use of tokens."""
    with app.app_context():
        for part in (close_ended, close_hidden, services().accounts.tokens.write_uses):
            try:
                part()
            except Exception:  # for example a busy database: the next round tries again
                logger.warning("%s has failed", part.__name__, exc_info=True)
            finally:
                db.session.remove()
