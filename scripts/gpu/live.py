"""A listener in a training's room."""

import queue
import time

import socketio

from scripts.client.yolo_client.answers import Event

EVENTS = ("training_update", "training_system", "training_status", "training_completed", "training_error")


class Listener:
    """Records the messages of a training's room, with the time of arrival; a context manager.

    `received`: (time.monotonic(), event, payload) each.
    """

    def __init__(self, url: str, training_id: int) -> None:
        self.url, self.training_id = url, training_id
        self.received: list[tuple[float, str, Event]] = []
        self.client = socketio.Client()

    def of(self, event: str) -> list[tuple[float, Event]]:
        """The arrival times of this event, and its payloads."""
        return [(moment, payload) for moment, name, payload in list(self.received) if name == event]

    def __enter__(self) -> "Listener":
        joined: queue.Queue[Event] = queue.Queue()
        for event in EVENTS:
            self.client.on(event, lambda payload, event=event: self.received.append((time.monotonic(), event, payload)))
        self.client.connect(self.url, wait_timeout=30)
        self.client.emit("join_training", {"training_id": self.training_id}, callback=joined.put)
        if not joined.get(timeout=30).get("ok"):
            raise ConnectionError(f"the room of training {self.training_id} cannot be joined")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
