"""The outlet: what was committed goes to the Socket.IO rooms. Call these only after the commit.

Who joins a room joins its room of the same language, too: texts go there, each in its reader's language.
"""

from collections.abc import Callable
from typing import Any

from flask_babel import force_locale

from app.extensions import socketio
from app.i18n import LOCALES

DASHBOARD = "dashboard"  # every training's and dataset's coarse progress
SYSTEM = "system"  # figures of the machine


def training_room(training_id: int) -> str:
    return f"training:{training_id}"


def in_language(room: str, locale: str) -> str:
    """The part of a room that reads this language."""
    return f"{room}:{locale}"


def rooms_of(training_id: int, dashboard: bool) -> list[str]:
    return [training_room(training_id), DASHBOARD] if dashboard else [training_room(training_id)]


def anyone_in(rooms: list[str]) -> bool:
    """Whether a message to these rooms would reach anyone. One look into the room manager's dictionaries."""
    manager = socketio.server.manager if socketio.server else None
    if manager is None:
        return False
    if hasattr(manager, "channel"):  # with a message queue, clients of other servers are not known here
        return True
    try:
        return any(next(manager.get_participants("/", room), None) for room in rooms)
    except KeyError:  # the last one left at this moment
        return True


def to_training(event: str, training_id: int, payload: dict[str, Any], dashboard: bool = True) -> None:
    """Send an event about a training to its room, and to the dashboard unless it is too fine for that.

    A client in both rooms gets it once. `payload` holds `training_id` and, for committed events, `seq`.
    """
    rooms = rooms_of(training_id, dashboard)
    if anyone_in(rooms):
        socketio.emit(event, {"training_id": training_id} | payload, to=rooms)


def to_readers(event: str, training_id: int, make: Callable[[], dict[str, Any]], dashboard: bool = True) -> None:
    """The same for an event with texts: `make` is called once for each language that someone reads."""
    for locale in LOCALES:
        rooms = [in_language(room, locale) for room in rooms_of(training_id, dashboard)]
        if anyone_in(rooms):
            with force_locale(locale):
                payload = make()
            socketio.emit(event, {"training_id": training_id} | payload, to=rooms)


def to_dashboard(event: str, payload: dict[str, Any]) -> None:
    """Send an event about datasets or the queue to the dashboard room."""
    if anyone_in([DASHBOARD]):
        socketio.emit(event, payload, to=DASHBOARD)


def to_system(event: str, payload: dict[str, Any]) -> None:
    """Send figures to the system room."""
    if anyone_in([SYSTEM]):
        socketio.emit(event, payload, to=SYSTEM)


def to_system_readers(event: str, make: Callable[[], dict[str, Any]]) -> None:
    """The same for a text: `make` is called once for each language that someone reads."""
    for locale in LOCALES:
        room = in_language(SYSTEM, locale)
        if anyone_in([room]):
            with force_locale(locale):
                payload = make()
            socketio.emit(event, payload, to=room)
