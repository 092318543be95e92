"""Adds to gunicorn: deadlines for slow heads and unread answers, draining of refused bodies, and a clean end.

Called from the hooks of gunicorn.conf.py, so that it also holds for the command line of the specification. No Flask.
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

UNREAD_MS = 30_000  # an answer of which the client's side takes nothing for so long is given up
FILES = 16_384  # open files: each connection is one
END_S = 24.0  # from SIGTERM to the end of the server, whatever it waits for: supervisors kill after 25 or 30
PAUSE_S = 21.0  # until which jobs may pause; those that are killed then, and the exit, need a moment


def raise_file_limit() -> None:
    """As many open files as the system allows us, up to what thousands of connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def has_threads(worker: Any) -> bool:
    """Whether it is gthread, which has no deadline for a head of its own."""
    return hasattr(worker, "tpool")


def watch(worker: Any) -> None:
    """Give each connection of a worker its deadlines, and start the task that enforces them."""
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
    """gthread's `handle(connection)`: reads a request in one of the threads, answers it, and reads what is left."""

    def handle_in_time(connection: Any) -> Any:
        limit_unread(connection.sock)
        DEADLINES.set(connection.sock, HEAD_S)
        try:
            return handle(connection)
        finally:
            DEADLINES.clear(connection.sock)

    return handle_in_time


def sparing_readable(worker: Any, murder: Callable[[], None], connections: Collection[Any]) -> Callable[[], None]:
    """gthread's `murder_pending()` or `murder_keepalived()`, which ends connections that say nothing for `keepalive`
    seconds.

    Where hundreds come at once, what they said may lie there for longer until it is looked at.

    Args:
        connections: those that it looks at, oldest first.
    """

    def murder_silent() -> None:
        now = time.monotonic()
        for connection in itertools.takewhile(lambda item: item.timeout <= now, list(connections)):
            if is_readable(connection.sock):
                connection.timeout = now + worker.cfg.keepalive
        murder()

    return murder_silent


def is_readable(connection: Any) -> bool:
    """Whether a read would return at once: bytes are there, or the peer has closed."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))


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


class Countdown:
    """The time that a stop of the server has taken, from its first sign on."""

    began: float | None = None

    def begin(self) -> bool:
        """Whether this is the first sign."""
        if self.began is not None:
            return False
        self.began = time.monotonic()
        return True

    def remaining(self, limit: float) -> float:
        """Seconds until the stop has taken `limit` seconds."""
        began = time.monotonic() if self.began is None else self.began
        return began + limit - time.monotonic()


COUNTDOWN = Countdown()


def end_in_time(arbiter: Any) -> None:
    """From the call of the master's `stop` on its time counts. Everything in it has a limit of its own, but processor
    time and disk do not: a machine that gives neither does not hold up the end.

    Ctrl-C is a SIGTERM, too: at gunicorn's quick end for it an eventlet worker leaves requests and a traceback behind.
    """
    stop, real_threading, sleep = arbiter.stop, unpatched("threading"), unpatched("time").sleep

    def end() -> None:
        """What is committed is on the disk, and SQLite's log is read by whoever opens the file next."""
        sleep(max(0.0, COUNTDOWN.remaining(END_S)))
        os._exit(0)

    def stop_in_time(_graceful: bool = True) -> None:
        if COUNTDOWN.begin():
            real_threading.Thread(target=end, daemon=True).start()
        stop(True)

    arbiter.stop = stop_in_time


def unpatched(name: str) -> Any:
    """A module of the standard library. eventlet's worker replaces parts of it in the master too, where a green thread
    would wait for whatever hangs."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher.original(name) if patcher else importlib.import_module(name)


def seconds_to_pause() -> float:
    """Seconds that remain for jobs that were asked to pause."""
    return COUNTDOWN.remaining(PAUSE_S)
