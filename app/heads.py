"""Lets incomplete request heads wait in gthread's poller instead of in one of its threads.

gunicorn assigns a thread as soon as one byte has arrived, and a slow client occupies it. Peeking at the kernel's buffer
takes microseconds, and SO_RCVLOWAT makes the poller wake only for more bytes.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

from app.deadlines import HEAD_S

MOST = 64 * 1024  # size of a head up to which this is done; a longer one is read in its thread
BEGIN_S = 0.02  # a client normally sends at once after connecting
END = b"\r\n\r\n"
PEEKED, SINCE = "head_seen", "head_since"  # attributes set on gunicorn's connection


def in_poller(handle: Callable[[Any], Any], deferred: Any) -> Callable[[Any], Any]:
    """gthread's `handle(connection)`, called in a thread, for complete heads only.

    Args:
        deferred: the return value with which gunicorn calls again when more has arrived.
    """

    def handle_complete(connection: Any) -> Any:
        if can_wait(connection) and not is_complete(connection):
            return deferred if in_time(connection) else False
        return handle(connection)

    return handle_complete


def can_wait(connection: Any) -> bool:
    """Whether its bytes are still in the kernel: TCP, unencrypted, nothing buffered."""
    parser = connection.parser
    unencrypted = connection.sock.family in {socket.AF_INET, socket.AF_INET6} and not connection.cfg.is_ssl
    return unencrypted and (parser is None or not parser.unreader.buf.getbuffer().nbytes)


def is_complete(connection: Any) -> bool:
    """Whether gunicorn can read the head without blocking, or can detect its absence."""
    if not (connection.initialized or connection.data_ready or connection.wait_for_data(BEGIN_S)):
        return False
    before = getattr(connection, PEEKED, 0)
    try:
        data = connection.sock.recv(MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:  # broken: gunicorn's own read will handle it
        return True
    # Woken without new bytes: the client has disconnected.
    complete = END in data or len(data) in {0, before, MOST}
    if complete and before:
        wake_at(connection, 0)
    elif not complete:
        wake_at(connection, len(data))
    return complete


def wake_at(connection: Any, size: int) -> None:
    """Wake the poller only when more bytes than this have arrived."""
    setattr(connection, PEEKED, size)
    if not size:
        setattr(connection, SINCE, None)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size + 1)


def in_time(connection: Any) -> bool:
    """Whether the head's deadline has not passed. gunicorn closes silent connections after `keepalive`."""
    if not getattr(connection, PEEKED, 0):
        return True
    since = getattr(connection, SINCE, None)
    if since is None:
        since = time.monotonic()
        setattr(connection, SINCE, since)
    return time.monotonic() - since < HEAD_S
