"""Request heads that arrive slowly occupy no thread of gthread."""

import select
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from app import heads
from app.guard import sparing_readable
from app.heads import in_poller

DEFERRED = object()
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Pair:
    """gunicorn's connection over loopback, its client, and how often it was assigned a thread."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            ours, address = listener.accept()
        self.connection = TConn(Config(), ours, address, listener)
        self.handled = 0
        self.handle = in_poller(self.count, DEFERRED)

    def count(self, _connection: Any) -> str:
        self.handled += 1
        return "handled"

    def call(self) -> Any:
        return self.handle(self.connection)

    def wakes(self, seconds: float = 180) -> bool:
        """Whether the poller becomes ready."""
        poller = select.poll()  # level-triggered, as gunicorn's, not edge-triggered
        poller.register(self.connection.sock, select.POLLIN)
        return bool(poller.poll(seconds * 1000))


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.client.close()
    pair.connection.close()


def test_a_head_in_pieces_is_handled_once_it_is_complete(pair: Pair) -> None:
    assert pair.call() is DEFERRED, "nothing yet"
    for piece in (HEAD[:5], HEAD[5:20], HEAD[20:-1]):
        pair.client.sendall(piece)
        assert pair.wakes()
        assert pair.call() is DEFERRED
        assert not pair.wakes(0.05), "peeked bytes wake the poller no more"
    pair.client.sendall(HEAD[-1:] + b"body")
    assert pair.wakes()
    assert (pair.call(), pair.handled) == ("handled", 1)
    assert pair.connection.sock.recv(100) == HEAD + b"body", "nothing was taken, and reading waits for nothing more"


def test_a_disconnecting_client_is_handled_by_gunicorn(pair: Pair) -> None:
    pair.client.sendall(HEAD[:5])
    assert pair.wakes()
    assert pair.call() is DEFERRED
    pair.client.shutdown(socket.SHUT_WR)
    assert pair.wakes()
    assert pair.call() == "handled"


@pytest.mark.parametrize("kind", ["pending", "keepalived"])
def test_only_silent_connections_are_closed_however_late_the_check(pair: Pair, kind: str) -> None:
    """Before their first request, and between two."""
    silent = Pair()
    worker = ThreadWorker(0, 0, [], None, 30, Config(), Logger(Config()))
    worker.poller = selectors.DefaultSelector()
    connections, murder = getattr(worker, f"{kind}_conns"), getattr(worker, f"murder_{kind}")
    for connection in (pair.connection, silent.connection):
        connection.timeout = time.monotonic() - 1
        worker.poller.register(connection.sock, selectors.EVENT_READ)
        connections.append(connection)
        worker.nr_conns += 1
    pair.client.sendall(HEAD)
    assert pair.wakes()
    for _ in range(2):  # the first has more time now, and is before the second
        sparing_readable(worker, murder, connections)()
        pair.connection.timeout = time.monotonic() - 1
        connections.rotate()
    assert list(connections) == [pair.connection]
    assert silent.client.recv(1) == b""
    silent.client.close()
    worker.tmp.close()
    worker.poller.close()


def test_a_head_has_a_deadline(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.client.sendall(HEAD[:5])
    assert pair.wakes()
    assert pair.call() is DEFERRED
    monkeypatch.setattr(heads, "HEAD_S", 0.0)
    pair.client.sendall(HEAD[5:6])
    assert pair.wakes()
    assert pair.call() is False, "gunicorn ends it"


def test_a_large_head_is_judged_by_gunicorn(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST", 10)
    pair.client.sendall(HEAD[:12])
    assert pair.wakes()
    assert pair.call() == "handled"


def test_bytes_read_ahead_are_not_awaited(pair: Pair) -> None:
    pair.connection.init()
    pair.connection.parser.unreader.unread(HEAD)
    assert pair.call() == "handled"
