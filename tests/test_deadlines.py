"""Deadlines, transfer rates and slots: what prevents slow clients from occupying threads."""

import random
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from apiflask import APIFlask
from gunicorn.http.body import Body as ServersBody
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection

from app import bodies
from app.bodies import Body, BodyDeadline
from app.deadlines import DEADLINES, Deadlines
from app.errors import CutShort, TooSlow
from app.limits import OF_MODE, Bucket, Slots, Waiting
from app.websockets import MESSAGES, CheckedWebSocket, unmasked
from scripts.local_server import ROOT
from tests.data import zip_bytes
from tests.services.runs import create_training


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_late_clients_are_cut_off(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    deadlines = Deadlines()
    deadlines.set(ours, 60)
    deadlines.cut_late()
    theirs.sendall(b"x")
    assert (ours.recv(10), deadlines.late(ours)) == (b"x", False)
    deadlines.set(ours, -1)
    deadlines.cut_late()
    assert (ours.recv(10), deadlines.late(ours)) == (b"", True)
    ours.sendall(b"an answer can still be sent")
    assert theirs.recv(100)
    deadlines.clear(ours)
    assert not deadlines.late(ours)
    deadlines.set(ours, -1)
    ours.close()
    deadlines.cut_late()


def test_a_body_that_is_cut_off_was_too_slow(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    for grace, error in ((-1.0, TooSlow), (60.0, CutShort)):
        monkeypatch.setattr(bodies, "PATIENT_S", grace)
        theirs.sendall(b"abc")
        body = Body(ServersBody(LengthReader(SocketUnreader(ours), 10)), 10, BodyDeadline(ours))
        assert body.read(3) == b"abc"
        DEADLINES.cut_late()
        if error is CutShort:
            theirs.close()
        with pytest.raises(error):
            body.read(3)
        body.close()
        if error is TooSlow:
            ours, theirs = socket.socketpair()
    ours.close()


def test_the_deadline_follows_the_bytes_and_shrinks_where_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float] = []
    monkeypatch.setattr(DEADLINES, "set", lambda _connection, seconds: timeouts.append(seconds))
    monkeypatch.setattr(BodyDeadline, "_waiting", set())
    monkeypatch.setattr(bodies, "PATIENT", 1)
    one, two = BodyDeadline(object()), BodyDeadline(object())
    one.came(10 * int(bodies.SLOWEST))
    expected = (bodies.PATIENT_S, bodies.HURRIED_S, bodies.PATIENT_S + 10)
    assert timeouts == [pytest.approx(seconds, abs=1) for seconds in expected]
    one.end()
    two.end()
    BodyDeadline(object())
    assert timeouts[-1] == pytest.approx(bodies.PATIENT_S, abs=1)


def test_slots() -> None:
    slots = Slots(2)
    assert [slots.acquire() for _ in range(3)] == [True, True, False]
    slots.release()
    assert slots.acquire()
    for mode in ("eventlet", "threading"):
        assert Waiting(mode).long_polls.acquire()


def test_a_bucket_refills(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("app.limits.time", SimpleNamespace(monotonic=lambda: clock[0]))
    bucket = Bucket(2, 10.0)
    assert [bucket.consume() for _ in range(3)] == [0.0, 0.0, pytest.approx(0.1)]
    clock[0] += 0.125
    assert [bucket.consume() for _ in range(2)] == [0.0, pytest.approx(0.075)]


def test_spending_delays_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("app.limits.time", SimpleNamespace(monotonic=lambda: clock[0]))
    bucket = Bucket(100, 10.0)
    assert [bucket.spend(80), bucket.spend(50), bucket.spend(10)] == [0.0, 3.0, 4.0]
    clock[0] += 4
    assert bucket.spend(0) == 0.0


def test_the_delay_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is owed, the delay is bounded."""
    monkeypatch.setattr("app.limits.time", SimpleNamespace(monotonic=lambda: 100.0))
    bucket = Bucket(2, 10.0, most_owed=10.0)
    assert [bucket.spend(amount) for amount in (2, 5, 1000, 1)] == [0.0, 0.5, 1.0, 1.0]


def test_a_flood_is_slowed_down_until_its_client_disconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("app.websockets.MESSAGES_RATE", 1e-9)  # no tokens are added while the test is delayed
    monkeypatch.setattr("app.websockets.socketio", SimpleNamespace(sleep=waits.append))
    inner = SimpleNamespace(ws=SimpleNamespace(sock=None, connected=True, input_buffer=[]), wait=lambda: "3")
    checked = CheckedWebSocket(inner, Bucket(1, 100.0, most_owed=100.0))
    answers = [checked.wait() for _ in range(MESSAGES + 1000)]
    assert set(answers) == {"3"}, "nothing is lost while its client is there"
    assert (waits[:MESSAGES], max(waits) <= 1.0, sum(waits) > 1) == ([0] * MESSAGES, True, True)
    inner.ws.connected = False
    assert checked.wait() is None, "thousands may wait in its buffer"


@pytest.mark.parametrize("offset", [0, 1, 6])
def test_frames_are_unmasked_as_eventlet_does(offset: int) -> None:
    from eventlet.websocket import RFC6455WebSocket

    data, mask = random.Random(offset).randbytes(1003), (7, 200, 0, 255)
    expected = bytes(byte ^ mask[(offset + index) % 4] for index, byte in enumerate(data))
    assert unmasked(data, mask, len(data), offset) == expected
    assert unmasked(b"", mask) == b""
    assert hasattr(RFC6455WebSocket, "_apply_mask"), "what it replaces is still called so"


def test_threads_stay_free_for_short_requests() -> None:
    """Waiting requests cannot occupy all of gunicorn's threads."""
    lines = (ROOT / "gunicorn.conf.py").read_text().splitlines()
    threads = next(int(line.split("=")[1].split("#")[0]) for line in lines if line.startswith("threads ="))
    assert sum(OF_MODE["threading"].values()) <= threads - 100


def test_too_many_wait(app: APIFlask) -> None:
    """Long polls and large downloads beyond the slots are refused at once."""
    training_id = create_training(app, "completed", seq=3)
    weights = app.extensions["services"].trainer.store.folder(training_id) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(content := zip_bytes({"best/data.pkl": random.Random(0).randbytes(1_000_000)}))
    client, waiting = app.test_client(), app.extensions["waiting"]
    waiting.long_polls.count = waiting.downloads.count = 0
    for path in ("events?after=3&wait=25", "download"):
        answer = client.get(f"/api/trainings/{training_id}/{path}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.content_type == "application/problem+json"
    assert client.get(f"/api/trainings/{training_id}/events?after=0&wait=0").status_code == 200
    waiting.downloads.count = 1
    for _ in range(3):  # the slot is released
        answer = client.get(f"/api/trainings/{training_id}/download")
        assert answer.get_data() == content
        answer.close()


def test_two_threads_close_one_websocket() -> None:
    class Websocket:
        """Like simple-websocket: wsproto raises at the second close."""

        connection = Connection(ConnectionType.SERVER)

        def __init__(self, sock: socket.socket) -> None:
            self.ws = SimpleNamespace(sock=sock)

        def close(self) -> None:
            self.connection.send(CloseConnection(1000))

    with socket.socket() as sock:
        checked = CheckedWebSocket(Websocket(sock), Bucket(1, 1.0))
        checked.close()
        checked.close()
