"""What gunicorn's workers lack: deadlines for slow heads, unread answers and the rest of refused bodies.

Called from the hooks of gunicorn.conf.py, so that it also holds for the command line of the specification. No Flask.
"""

import resource
import socket
import sys
import threading
from typing import Any

from app.deadlines import DEADLINES, HEAD_S, REST_S

UNREAD_MS = 30_000  # an answer of which the client's side takes nothing for so long is given up
FILES = 16_384  # open files: each connection is one


def raise_file_limit() -> None:
    """As many open files as the system allows us, up to what thousands of connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def has_threads(worker: Any) -> bool:
    """Whether it is gthread, which has no deadline for a head of its own."""
    return hasattr(worker, "tpool")


def watch(worker: Any) -> None:
    """Give each connection of a worker its deadlines, and start the task that looks at them."""
    if has_threads(worker):
        # A silent connection waits in the poller, not in one of the threads.
        sys.modules["gunicorn.workers.gthread"].DEFAULT_WORKER_DATA_TIMEOUT = 0.02  # type: ignore[attr-defined]
        worker.handle = with_deadlines(worker.handle)
    else:
        worker.handle = with_unread_limit(worker.handle)
    from app.extensions import socketio

    threading.Thread(target=DEADLINES.watch, args=(socketio.sleep,), daemon=True).start()


def with_deadlines(handle: Any) -> Any:
    """gthread's `handle(connection)`: reads a request in one of the threads, answers it, and reads what is left."""

    def handle_in_time(connection: Any) -> Any:
        limit_unread(connection.sock)
        DEADLINES.set(connection.sock, HEAD_S)
        try:
            return handle(connection)
        finally:
            DEADLINES.clear(connection.sock)

    return handle_in_time


def with_unread_limit(handle: Any) -> Any:
    """eventlet's `handle(listener, client, address)`, whose heads and rests have a deadline: `keepalive`."""

    def handle_in_time(listener: Any, client: Any, address: Any) -> Any:
        limit_unread(client)
        return handle(listener, client, address)

    return handle_in_time


def limit_unread(connection: Any) -> None:
    """The kernel ends a connection whose client takes nothing of what was sent (tcp(7), TCP_USER_TIMEOUT)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, option, UNREAD_MS)
        except OSError:  # closed already
            pass


def head_is_here(request: Any) -> None:
    """The head was read; a body has a pace of its own, see bodies.py."""
    DEADLINES.clear(request.unreader.sock)


def answered(request: Any) -> None:
    """What a client still sends of a body that nobody wants."""
    if request.unreader.sock.fileno() >= 0:
        DEADLINES.set(request.unreader.sock, REST_S)
