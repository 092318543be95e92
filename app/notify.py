"""The outlet: what was committed goes to the Socket.IO rooms. Call these only after the commit."""

from typing import Any

from app.extensions import socketio

DASHBOARD = "dashboard"  # every training's and dataset's coarse progress


def training_room(training_id: int) -> str:
    return f"training:{training_id}"


def to_training(event: str, training_id: int, payload: dict[str, Any], dashboard: bool = True) -> None:
    """Send an event about a training to its room, and to the dashboard unless it is too fine for that.

    A client in both rooms gets it once. `payload` holds `training_id` and, for committed events, `seq`.
    """
    rooms = [training_room(training_id), DASHBOARD] if dashboard else [training_room(training_id)]
    socketio.emit(event, {"training_id": training_id} | payload, to=rooms)


def to_dashboard(event: str, payload: dict[str, Any]) -> None:
    """Send an event about datasets or the queue to the dashboard room."""
    socketio.emit(event, payload, to=DASHBOARD)
