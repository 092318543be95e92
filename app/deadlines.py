"""Cuts off connections that send too slowly, so that they hold no thread for ever.

A deadline is for the whole of a head or a body. A time limit for each read would not do: one byte a second keeps it.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

HEAD_S = 20.0  # for the head of a request
REST_S = 10.0  # for what a refused request still sends
POLL_S = 1.0


class Deadlines:
    """Sockets with the time by which they must have said what is waited for."""

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}
        self._late: set[Any] = set()

    def set(self, connection: Any, seconds: float) -> None:
        """So many seconds from now on; replaces an earlier deadline."""
        self._until[connection] = time.monotonic() + seconds

    def clear(self, connection: Any) -> None:
        """Nothing is waited for any more."""
        self._until.pop(connection, None)
        self._late.discard(connection)

    def late(self, connection: Any) -> bool:
        """Whether it was cut off, and not merely closed by its client."""
        return connection in self._late

    def cut_late(self) -> None:
        """End the reading side of those that are late: whoever waits for them gets the end of the stream."""
        now = time.monotonic()
        for connection, until in list(self._until.items()):
            if until < now and connection in self._until:
                self._late.add(connection)
                del self._until[connection]
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:  # closed meanwhile
                    self._late.discard(connection)

    def watch(self, sleep: Callable[[float], Any]) -> None:
        """The background task of a server."""
        while True:
            sleep(POLL_S)
            self.cut_late()


DEADLINES = Deadlines()
