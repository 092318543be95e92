"""Emits committed changes to the Socket.IO rooms. Call these only after the commit.

A client that joins a room also joins the room's part for its language, which receives translated texts.
"""

from collections.abc import Callable, Mapping

from flask_babel import force_locale

from app.access.audience import audience
from app.extensions import socketio
from app.i18n import LOCALES

DASHBOARD = "dashboard"  # coarse progress of every training and dataset
SYSTEM = "system"  # figures of the machine

Payload = Mapping[str, object]  # JSON values of a message


def training_room(training_id: int) -> str:
    return f"training:{training_id}"


def job_room(job_id: int) -> str:
    return f"job:{job_id}"


def in_language(room: str, locale: str) -> str:
    """The part of a room for a language."""
    return f"{room}:{locale}"


def rooms_of(training_id: int, dashboard: bool) -> list[str]:
    more = audience(DASHBOARD, training_id=training_id) if dashboard else []
    return [training_room(training_id), *more]


def anyone_in(rooms: list[str], here: bool = False) -> bool:
    """Whether a message to these rooms would reach anyone. One lookup in the room manager's dictionaries.

    Args:
        here: only among the clients of this process.
    """
    manager = socketio.server.manager if socketio.server else None
    if manager is None:
        return False
    if hasattr(manager, "channel") and not here:  # with a message queue, clients of other processes are unknown here
        return True
    try:
        return any(next(manager.get_participants("/", room), None) for room in rooms)
    except KeyError:  # its last member has just left
        return True


def to_training(event: str, training_id: int, payload: Payload, dashboard: bool = True) -> None:
    """Send an event about a training to its room, and to the dashboard unless it is too fine for that.

    A client in both rooms receives it once. `payload` has `training_id` and, for committed events, `seq`.
    """
    send(event, rooms_of(training_id, dashboard), lambda: {"training_id": training_id, **payload})


def to_readers(event: str, training_id: int, build: Callable[[], Payload], dashboard: bool = True) -> None:
    """Send an event with texts: `build` is called once for each language in use."""
    send_texts(event, rooms_of(training_id, dashboard), lambda: {"training_id": training_id, **build()})


def to_dashboard(event: str, payload: Payload) -> None:
    """Send an event about datasets or the queue to the dashboard room. With PRIVATE_DATA, one without a `dataset_id`
    reaches admins only.
    """
    dataset_id = payload.get("dataset_id")
    rooms = audience(DASHBOARD, dataset_id=dataset_id if isinstance(dataset_id, int) else None)
    send(event, rooms, lambda: payload)


def to_system(event: str, payload: Payload, room: str = SYSTEM) -> None:
    """Send figures of this machine to the system room, or to a person's part of it, among the clients of this
    process.
    """
    send(event, [room], lambda: payload, here=True)


def to_system_readers(event: str, build: Callable[[], Payload], room: str = SYSTEM) -> None:
    """Send system figures with texts, see `to_readers`."""
    send_texts(event, [room], build, here=True)


def to_job(event: str, job_id: int, payload: Payload) -> None:
    """Send an event about a job to its room."""
    send(event, [job_room(job_id)], lambda: payload)


def to_job_readers(event: str, job_id: int, build: Callable[[], Payload]) -> None:
    """Send a job's event with texts, see `to_system_readers`."""
    send_texts(event, [job_room(job_id)], build)


def send(event: str, rooms: list[str], build: Callable[[], Payload], here: bool = False) -> None:
    """Send the result of `build`, which is called only if a room has a member.

    Args:
        here: only to the clients of this process.
    """
    if anyone_in(rooms, here):
        socketio.emit(event, build(), to=rooms, **({"ignore_queue": True} if here else {}))


def send_texts(event: str, rooms: list[str], build: Callable[[], Payload], here: bool = False) -> None:
    """The same in each language in use."""
    for locale in LOCALES:
        with force_locale(locale):
            send(event, [in_language(room, locale) for room in rooms], build, here)
