"""Lets a request's head wait in gthread's poller, and not in one of its threads, until it is complete.

gunicorn gives a connection a thread as soon as a byte has come, and a slow client keeps it. Looking at what the kernel
has costs microseconds, and SO_RCVLOWAT lets the poller wake for more than was seen.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

from app.deadlines import HEAD_S

MOST = 64 * 1024  # of a head that is waited for like this; a longer one is read in its thread
BEGIN_S = 0.02  # a client that has just connected says something at once
END = b"\r\n\r\n"
PEEKED, SINCE = "head_seen", "head_since"  # attributes of gunicorn's connection


def in_poller(handle: Callable[[Any], Any], deferred: Any) -> Callable[[Any], Any]:
    """gthread's `handle(connection)`, called with a thread, for complete heads.

    Args:
        deferred: what tells gunicorn to call again when more has come.
    """

    def handle_complete(connection: Any) -> Any:
        if can_wait(connection) and not is_complete(connection):
            return deferred if in_time(connection) else False
        return handle(connection)

    return handle_complete


def can_wait(connection: Any) -> bool:
    """Whether its head lies in the kernel: TCP, nothing encrypted, nothing read ahead."""
    parser = connection.parser
    unencrypted = connection.sock.family in {socket.AF_INET, socket.AF_INET6} and not connection.cfg.is_ssl
    return unencrypted and (parser is None or not parser.unreader.buf.getbuffer().nbytes)


def is_complete(connection: Any) -> bool:
    """Whether gunicorn can read a head without waiting, or will notice that there is none."""
    if not (connection.initialized or connection.data_ready or connection.wait_for_data(BEGIN_S)):
        return False
    before = getattr(connection, PEEKED, 0)
    try:
        data = connection.sock.recv(MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:  # broken: gunicorn's own reading ends it
        return True
    # Woken without more than before: the client is gone.
    complete = END in data or len(data) in {0, before, MOST}
    if complete and before:
        wake_at(connection, 0)
    elif not complete:
        wake_at(connection, len(data))
    return complete


def wake_at(connection: Any, size: int) -> None:
    """The poller wakes when more than this is there."""
    setattr(connection, PEEKED, size)
    if not size:
        setattr(connection, SINCE, None)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size + 1)


def in_time(connection: Any) -> bool:
    """Whether its head may still come. One that is silent meanwhile is ended by gunicorn after `keepalive`."""
    if not getattr(connection, PEEKED, 0):
        return True
    since = getattr(connection, SINCE, None)
    if since is None:
        since = time.monotonic()
        setattr(connection, SINCE, since)
    return time.monotonic() - since < HEAD_S
