"""Extends gunicorn: deadlines for slow heads and unread responses, draining of refused bodies, and a clean shutdown.

Called from the hooks of gunicorn.conf.py, so that it also applies to the specification's command line. No Flask.
"""

import importlib
import itertools
import os
import resource
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from app.deadlines import DEADLINES, HEAD_S, REST_S
from app.heads import in_poller

UNREAD_MS = 30_000  # a response of which the client acknowledges nothing for this long is aborted
FILES = 16_384  # open files: one per connection
END_S = 24.0  # from SIGTERM to the end of the server in any case: service managers kill after 25 or 30
PAUSE_S = 21.0  # until jobs must have paused; killing the rest and exiting take a moment


def raise_file_limit() -> None:
    """Raise the limit of open files as far as the system allows, up to what thousands of connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def has_threads(worker: Any) -> bool:
    """Whether it is gthread, which has no deadline for request heads."""
    return hasattr(worker, "tpool")


def watch(worker: Any) -> None:
    """Set deadlines for each connection of a worker, and start the task that enforces them."""
    if has_threads(worker):
        deferred = sys.modules["gunicorn.workers.gthread"]._DEFER  # type: ignore[attr-defined]
        worker.handle = in_poller(with_deadlines(worker.handle), deferred)
        worker.murder_pending = sparing_readable(worker, worker.murder_pending, worker.pending_conns)
        worker.murder_keepalived = sparing_readable(worker, worker.murder_keepalived, worker.keepalived_conns)
    else:
        worker.handle = with_unread_limit(worker.handle)
    from app.extensions import socketio

    threading.Thread(target=DEADLINES.watch, args=(socketio.sleep,), daemon=True).start()


def with_deadlines(handle: Any) -> Any:
    """Wraps gthread's `handle(connection)`, which reads a request in a thread, answers it, and reads the rest."""

    def handle_in_time(connection: Any) -> Any:
        limit_unread(connection.sock)
        DEADLINES.set(connection.sock, HEAD_S)
        try:
            return handle(connection)
        finally:
            DEADLINES.clear(connection.sock)

    return handle_in_time


def sparing_readable(worker: Any, murder: Callable[[], None], connections: Collection[Any]) -> Callable[[], None]:
    """Wraps gthread's `murder_pending()` or `murder_keepalived()`, which close connections without bytes for
    `keepalive` seconds.

    With hundreds of new connections, received bytes may be unread for longer; those connections are spared.

    Args:
        connections: those it checks, oldest first.
    """

    def murder_silent() -> None:
        now = time.monotonic()
        for connection in itertools.takewhile(lambda item: item.timeout <= now, list(connections)):
            if is_readable(connection.sock):
                connection.timeout = now + worker.cfg.keepalive
        murder()

    return murder_silent


def is_readable(connection: Any) -> bool:
    """Whether a read would return at once: bytes have arrived, or the peer has closed."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))


def with_unread_limit(handle: Any) -> Any:
    """Wraps eventlet's `handle(listener, client, address)`, which applies `keepalive` to heads and rests."""

    def handle_in_time(listener: Any, client: Any, address: Any) -> Any:
        limit_unread(client)
        return handle(listener, client, address)

    return handle_in_time


def limit_unread(connection: Any) -> None:
    """Have the kernel close a connection whose client acknowledges nothing (tcp(7), TCP_USER_TIMEOUT)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, option, UNREAD_MS)
        except OSError:  # already closed
            pass


def head_is_here(request: Any) -> None:
    """The head was read; the body has its own deadline, see bodies.py."""
    DEADLINES.clear(request.unreader.sock)


def answered(request: Any) -> None:
    """Set a deadline for the rest of an unwanted body."""
    if request.unreader.sock.fileno() >= 0:
        DEADLINES.set(request.unreader.sock, REST_S)


class Countdown:
    """The time since the shutdown began."""

    began: float | None = None

    def begin(self) -> bool:
        """Start the countdown; returns whether it was not started before."""
        if self.began is not None:
            return False
        self.began = time.monotonic()
        return True

    def remaining(self, limit: float) -> float:
        """Seconds until the shutdown has taken `limit` seconds."""
        began = time.monotonic() if self.began is None else self.began
        return began + limit - time.monotonic()


COUNTDOWN = Countdown()


def end_in_time(arbiter: Any) -> None:
    """Limit the time from the call of the master's `stop`. Every step has its own limit, but CPU and disk may stall;
    then the process exits.

    Ctrl-C is handled as SIGTERM: at gunicorn's quick shutdown, an eventlet worker leaves requests unfinished and prints
    a traceback.
    """
    stop, real_threading, sleep = arbiter.stop, unpatched("threading"), unpatched("time").sleep

    def end() -> None:
        """Exit: commits are on the disk, and SQLite's log is read at the next opening."""
        sleep(max(0.0, COUNTDOWN.remaining(END_S)))
        os._exit(0)

    def stop_in_time(_graceful: bool = True) -> None:
        if COUNTDOWN.begin():
            real_threading.Thread(target=end, daemon=True).start()
        stop(True)

    arbiter.stop = stop_in_time


def unpatched(name: str) -> Any:
    """A module of the standard library, unpatched. eventlet's worker patches the master too, where a green thread would
    be blocked by whatever hangs.
    """
    patcher = sys.modules.get("eventlet.patcher")
    return patcher.original(name) if patcher else importlib.import_module(name)


def seconds_to_pause() -> float:
    """Seconds left for jobs that were asked to pause."""
    return COUNTDOWN.remaining(PAUSE_S)
