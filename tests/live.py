"""A real Socket.IO client that records what it receives."""

import time
from collections.abc import Callable
from typing import Any

import engineio
import socketio

EVENTS = (
    "training_snapshot",
    "training_update",
    "training_progress",
    "training_status",
    "training_log",
    "training_completed",
    "training_error",
    "training_cancelled",
    "training_system",
    "training_note",
    "training_advice",
    "training_checkpoint",
    "system_update",
)


class InOrder(socketio.Client):
    """A client that handles each message before it reads the next. The library's own starts a thread for each, and
    these overtake each other on a busy machine.
    """

    def _engineio_client_class(self) -> type[engineio.Client]:
        return Reader


class Reader(engineio.Client):
    """`InOrder`'s connection."""

    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        return super()._trigger_event(event, *args, **kwargs | {"run_async": False})


class Listener:
    """A client of a server; `received` holds (event, payload) in the order of arrival."""

    def __init__(self, url: str) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.client = InOrder(reconnection=False)
        for event in EVENTS:
            self.client.on(event, self._recorder(event))
        self.client.connect(url, wait_timeout=60)

    def _recorder(self, event: str) -> Callable[[dict[str, Any]], None]:
        return lambda payload: self.received.append((event, payload))

    def ask(self, event: str, *payload: Any) -> Any:
        """Send an event and return its acknowledgement."""
        return self.client.call(event, *payload, timeout=60)

    def named(self, event: str) -> list[dict[str, Any]]:
        return [payload for name, payload in list(self.received) if name == event]

    def wait(self, event: str, seconds: float = 240, when: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
        """The first payload of an event that satisfies `when`, whether it has arrived or arrives soon."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for payload in self.named(event):
                if when(payload):
                    return payload
            time.sleep(0.02)
        raise TimeoutError(f"no {event} within {seconds} s; received {[name for name, _ in self.received]}")

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
