"""Bodies read straight from the connection: exactly the bytes that gunicorn's reader returns."""

import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn.http.body import Body as ServersBody
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader

from app import bodies
from app.bodies import Body, SyncedFile, nameless

pytestmark = pytest.mark.usefixtures("socketio_initialized")

DATA = random.Random(0).randbytes(700_000)
NEXT = b"GET / HTTP/1.1\r\n\r\n"  # on the same connection


@pytest.fixture
def connection() -> Iterator[SocketUnreader]:
    """The server's end of a connection whose client sends DATA and another request."""
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=theirs.sendall, args=(DATA + NEXT,))
    sender.start()
    yield SocketUnreader(ours)
    ours.close()
    sender.join()
    theirs.close()


def rest_of(connection: SocketUnreader) -> bytes:
    received = b""
    while len(received) < len(NEXT):
        received += connection.read()
    return received


@pytest.mark.parametrize("early", [0, 1, 5000])
def test_reads_end_where_the_body_ends(connection: SocketUnreader, early: int) -> None:
    """Part of the body arrived with the head of the request."""
    connection.unread(connection.sock.recv(early) if early else b"")
    body = Body(ServersBody(LengthReader(connection, len(DATA))))
    received, buffer = bytearray(), bytearray(60_000)
    while data := body.read(50_000):
        received += data
        received += buffer[: body.readinto(buffer)]
    assert bytes(received) == DATA
    assert body.readinto(buffer) == 0
    assert rest_of(connection) == NEXT


def test_mixing_lines_and_chunks(connection: SocketUnreader) -> None:
    """gunicorn reads ahead for a line; none of those bytes is lost."""
    body = Body(ServersBody(LengthReader(connection, len(DATA))))
    received = body.read(1000) + body.readline() + body.read(1000) + body.readline()
    while data := body.read(100_000):
        received += data
    assert received == DATA
    assert rest_of(connection) == NEXT


def test_a_body_of_unknown_length_is_read_by_the_server() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        message = type("Message", (), {"parse_trailers": lambda *_: None, "limit_request_fields": 1})()
        body = Body(ServersBody(ChunkedReader(message, SocketUnreader(ours))))
        buffer = bytearray(100)
        assert buffer[: body.readinto(buffer)] == b"hello world"


def test_a_large_file_is_synced_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(bodies, "SYNC_BYTES", 100_000)
    monkeypatch.setattr(bodies, "run_blocking", lambda call, handle: synced.append(call(handle) or 1))
    with nameless(str(tmp_path)) as file:
        assert isinstance(file.raw, SyncedFile)  # type: ignore[attr-defined]
        for _ in range(7):
            file.write(bytes(50_000))
        file.seek(0)
        assert len(file.read()) == 350_000
    assert len(synced) == 3
