"""Disconnects clients that send too slowly, so that they do not block threads.

A deadline is for an entire head or body. A timeout per read would not suffice: one byte per second would keep renewing
it.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

HEAD_S = 20.0  # for the head of a request
REST_S = 10.0  # for the rest of a refused request
POLL_S = 1.0


class Deadlines:
    """Sockets with the time by which they must have sent what is expected."""

    def __init__(self) -> None:
        self._until: dict[Any, float] = {}
        self._late: set[Any] = set()

    def set(self, connection: Any, seconds: float) -> None:
        """Set a deadline from now on; replaces an earlier one."""
        self._until[connection] = time.monotonic() + seconds

    def clear(self, connection: Any) -> None:
        """Remove the deadline."""
        self._until.pop(connection, None)
        self._late.discard(connection)

    def late(self, connection: Any) -> bool:
        """Whether the socket was shut down by its deadline, and not closed by its client."""
        return connection in self._late

    def cut_late(self) -> None:
        """Shut down reading on late sockets: their readers get the end of the stream."""
        now = time.monotonic()
        for connection, until in list(self._until.items()):
            if until < now and connection in self._until:
                self._late.add(connection)
                del self._until[connection]
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:  # already closed
                    self._late.discard(connection)

    def watch(self, sleep: Callable[[float], Any]) -> None:
        """Check the deadlines. The background task of a server."""
        while True:
            sleep(POLL_S)
            self.cut_late()


DEADLINES = Deadlines()
