"""Rooms, snapshots and acknowledgements of Socket.IO."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from flask_socketio import SocketIOTestClient
from socketio.packet import ACK, EVENT
from sqlalchemy.exc import OperationalError

from app import notify
from app.database import writing
from app.extensions import socketio
from app.inputs import Encoded
from app.limits import Bucket
from app.models import Dataset, Training, TrainingMetric
from app.routes import live
from app.services.system import feed
from app.sockets import EVENTS, PAGE_JOINS, Packet, QuietErrors
from tests.data import change_settings, valid_dataset


@pytest.fixture
def socket(idle_app: APIFlask) -> SocketIOTestClient:
    return socketio.test_client(idle_app)


@pytest.fixture
def training_id(idle_app: APIFlask) -> int:
    dataset_id = valid_dataset(idle_app)
    with idle_app.app_context(), writing() as session:
        row = Training(name="Run", dataset_id=dataset_id, model_version="n", status="running", seq=41, attempt=1)
        session.add(row)
        session.flush()
        session.add(TrainingMetric(training_id=row.id, epoch=1, loss=2.5))
        return row.id


def names(socket: SocketIOTestClient) -> list[str]:
    return [item["name"] for item in socket.get_received()]


def test_join_answers_with_a_snapshot(socket: SocketIOTestClient, training_id: int) -> None:
    answer = socket.emit("join_training", {"training_id": training_id}, callback=True)
    assert (answer["ok"], answer["seq"], answer["training"]["status"]) == (True, 41, "running")
    assert [item["loss"] for item in answer["metrics"]["epochs"]] == [2.5]
    assert answer["log"] == {"text": "", "offset": 0, "attempt": 1}
    received = socket.get_received()
    assert [item["name"] for item in received] == ["training_snapshot"]
    assert received[0]["args"][0]["seq"] == 41


def test_join_omits_metrics_that_the_client_has(
    idle_app: APIFlask, socket: SocketIOTestClient, training_id: int
) -> None:
    version = idle_app.test_client().get(f"/api/trainings/{training_id}/metrics?classes=newest").json["version"]
    request = {"training_id": training_id, "metrics": version, "event": False}
    answer = socket.emit("join_training", request, callback=True)
    assert (answer["ok"], answer["metrics"], answer["seq"]) == (True, None, 41)
    assert names(socket) == [], "the acknowledgement has it all"
    with idle_app.app_context(), writing() as session:  # the same epoch, repeated after a crash
        metric = session.query(TrainingMetric).one()
        metric.loss, metric.seq = 1.5, 40
    again = socket.emit("join_training", request, callback=True)["metrics"]
    assert [item["loss"] for item in again["epochs"]] == [1.5]
    assert again["version"] != version
    odd = socket.emit("join_training", request | {"metrics": {"a": 1}, "event": None}, callback=True)
    assert (odd["ok"], len(odd["metrics"]["epochs"])) == (True, 1)
    assert names(socket) == ["training_snapshot"]


def test_a_browser_that_leaves_is_no_error() -> None:
    stream = io.StringIO()
    errors = QuietErrors(stream)
    errors.write("server=127.0.0.1:5000//socket.io/ client=127.0.0.1:1 socket shutdown error: [Errno 9] Bad file")
    errors.write("a fault")
    errors.flush()
    assert stream.getvalue() == "a fault"


def test_rooms(idle_app: APIFlask, socket: SocketIOTestClient, training_id: int) -> None:
    def publish() -> None:
        with idle_app.app_context():
            notify.to_training("training_update", training_id, {"seq": 42})
            notify.to_training("training_log", training_id, {"text": "x"}, dashboard=False)

    publish()
    assert names(socket) == []
    socket.emit("join_dashboard", {}, callback=True)
    publish()
    assert names(socket) == ["training_update"]
    socket.emit("join_training", {"training_id": training_id}, callback=True)
    socket.get_received()
    publish()
    assert names(socket) == ["training_update", "training_log"], "each once, though two rooms hold the client"
    assert socket.emit("leave_training", {"training_id": training_id}, callback=True)["ok"]
    assert socket.emit("leave_dashboard", callback=True)["ok"]
    publish()
    assert names(socket) == []


def test_dashboard_shows_what_is_under_way(idle_app: APIFlask, socket: SocketIOTestClient, training_id: int) -> None:
    with idle_app.app_context(), writing() as session:
        session.add(Dataset(name="New", status="validating"))
    answer = socket.emit("join_dashboard", {}, callback=True)
    assert [item["id"] for item in answer["trainings"]] == [training_id]
    assert [item["name"] for item in answer["datasets"]] == ["New"]


BAD: list[tuple[Any, ...]] = [
    (),
    ("abc",),
    ([],),
    (None,),
    ({},),
    ({"training_id": None},),
    ({"training_id": "abc"},),
    ({"training_id": True},),
    ({"training_id": 0},),
    ({"training_id": -1},),
    ({"training_id": 1.5},),
    ({"training_id": float("nan")},),
    ({"training_id": float("inf")},),
    ({"training_id": 2**63},),
    ({"training_id": 10**90},),
    ({"training_id": []},),
    ({"training_id": {}},),
    ({"training_id": "9" * 5000},),
    ({"training_id": "²"},),
    (b"\x00\xff",),
    (1, 2, 3),
    ({"training_id": 999},),
]


@pytest.mark.parametrize("payload", BAD, ids=[repr(item)[:40] for item in BAD])
@pytest.mark.parametrize("event", ["join_training", "leave_training"])
def test_bad_payloads_are_refused(
    socket: SocketIOTestClient, caplog: pytest.LogCaptureFixture, event: str, payload: tuple[Any, ...]
) -> None:
    answer = socket.emit(event, *payload, callback=True)
    if event == "join_training" or payload != ({"training_id": 999},):
        assert answer["ok"] is False
        assert answer["error"]
    assert "Traceback" not in caplog.text
    assert socket.get_received() == []
    assert socket.emit("join_dashboard", callback=True)["ok"], "the connection lives on"


def test_an_internal_error_is_acknowledged(
    socket: SocketIOTestClient, idle_app: APIFlask, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(idle_app.extensions["services"].trainer.following, "snapshot", broken)
    answer = socket.emit("join_training", {"training_id": training_id}, callback=True)
    assert answer["ok"] is False
    assert "secret" not in answer["error"]


@pytest.fixture
def system_feed(
    socket: SocketIOTestClient, idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> Iterator[feed.SystemFeed]:
    """The feed of a fast system room, which is empty before and after."""
    monkeypatch.setattr(feed, "EVERY_S", 0.02)
    yield idle_app.extensions["services"].system
    socket.emit("leave_system", callback=True)
    until(lambda: not idle_app.extensions["services"].system._going)


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 180
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def next_payload(socket: SocketIOTestClient, name: str) -> dict[str, Any]:
    """The payload of the next message with this name."""
    payloads: list[dict[str, Any]] = []
    until(
        lambda: payloads.extend(item["args"][0] for item in socket.get_received() if item["name"] == name) or payloads
    )
    return payloads[0]


def test_figures_of_the_system_while_someone_is_in_the_room(
    system_feed: feed.SystemFeed, socket: SocketIOTestClient, idle_app: APIFlask
) -> None:
    answer = socket.emit("join_system", {}, callback=True)
    figures = idle_app.test_client().get("/api/system").json
    assert (answer["ok"], answer.keys() - {"ok"}) == (True, figures.keys())
    assert next_payload(socket, "system_update").keys() == figures.keys()
    next_payload(socket, "system_update")
    assert socket.emit("leave_system", callback=True) == {"ok": True}
    until(lambda: not system_feed._going)
    socket.get_received()
    time.sleep(0.1)  # five times
    assert names(socket) == [], "the room is empty: nothing is read"
    assert socket.emit("join_system", callback=True)["ok"]
    assert next_payload(socket, "system_update")["uptime"] > answer["uptime"]


def test_one_reading_for_all_in_the_room(
    system_feed: feed.SystemFeed, socket: SocketIOTestClient, idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr(socketio, "start_background_task", lambda *task: started.append(task))
    viewers = [socketio.test_client(idle_app) for _ in range(3)]
    assert all(one.emit("join_system", {}, callback=True)["ok"] for one in [socket, *viewers])
    assert len(started) == 1
    for one in viewers:
        one.disconnect()
    assert system_feed.has_readers(), "the first one is still there"
    socket.emit("leave_system", callback=True)
    assert not system_feed.has_readers()


def test_unavailable_figures(
    system_feed: feed.SystemFeed, socket: SocketIOTestClient, idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = socketio.test_client(idle_app, headers={"Accept-Language": "en"})
    assert english.emit("join_system", {}, callback=True)["ok"]
    with monkeypatch.context() as broken:
        locked = OperationalError("SELECT secret", {}, Exception("database is locked"))
        broken.setattr(feed.system, "figures", lambda *_: (_ for _ in ()).throw(locked))
        error = next_payload(english, "system_error")
        assert (error["status"], error["title"]) == (503, "Temporarily unavailable")
        assert error["error"] == "The database is busy. Try again in a few seconds."
        refused = socket.emit("join_system", {}, callback=True)
        assert (refused["ok"], refused["status"]) == (False, 503)
    assert next_payload(english, "system_update")["cpu"], "it goes on"
    english.disconnect()


def test_a_system_with_metrics_disabled(socket: SocketIOTestClient, idle_app: APIFlask) -> None:
    change_settings(idle_app, METRICS_ENABLED=False)
    answer = socket.emit("join_system", {}, callback=True)
    assert (answer["ok"], answer["status"]) == (False, 404)
    assert not idle_app.extensions["services"].system._going


def test_rooms_of_one_connection(
    socket: SocketIOTestClient, idle_app: APIFlask, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_ROOMS", 2)
    assert socket.emit("join_dashboard", callback=True)["ok"]
    assert socket.emit("join_training", {"training_id": training_id}, callback=True)["ok"]
    assert socket.emit("join_training", {"training_id": training_id}, callback=True)["ok"], "it is in there already"
    refused = socket.emit("join_system", callback=True)
    assert (refused["ok"], refused["status"]) == (False, 429)
    assert socket.emit("leave_dashboard", callback=True)["ok"]
    assert socket.emit("join_system", callback=True)["ok"]
    assert socket.emit("leave_system", callback=True)["ok"]


def test_a_connection_is_forgotten_when_it_ends(idle_app: APIFlask) -> None:
    before = set(live.connections)
    one = socketio.test_client(idle_app)
    assert one.emit("join_dashboard", callback=True)["ok"]
    assert len(set(live.connections) - before) == 1
    one.disconnect()
    assert set(live.connections) == before


def test_events_of_a_connection_come_one_at_a_time_and_not_too_many(
    idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sockets.EVENTS_RATE", 1e-9)  # a busy machine sends no more than the rate allows
    socket = socketio.test_client(idle_app)
    answers = [socket.emit("leave_dashboard", callback=True) for _ in range(EVENTS + 20)]
    assert all(answer["ok"] for answer in answers[:EVENTS])
    assert {answer.get("status") for answer in answers[EVENTS:]} == {429}
    assert socketio.server.async_handlers is False


def test_a_snapshot_is_encoded_once() -> None:
    """For its acknowledgement, its event, and all simultaneous requests; the bytes sent are the same."""
    value = {"seq": 5, "name": "ç", "metrics": {"epochs": [{"loss": None, "classes": []}] * 3}}
    encoded = Encoded(value)
    assert encoded == value
    for packet in ([encoded], ["training_snapshot", encoded], [encoded.with_first("ok", True)]):
        decoded = [dict(item) if isinstance(item, Encoded) else item for item in packet]
        for kind in (ACK, EVENT):
            sent = Packet(kind, data=packet, namespace="/", id=7).encode()
            assert sent == Packet(kind, data=decoded, namespace="/", id=7).encode()
    assert encoded.with_first("ok", True).text == json.dumps({"ok": True} | value, separators=(",", ":"))
    assert Encoded({}).with_first("ok", True).text == '{"ok":true}'
    encoded.text = '"as it was encoded"'
    assert Packet(ACK, data=[encoded], id=7).encode() == '37["as it was encoded"]'


def test_joins_beyond_those_of_a_page_share_a_budget(
    idle_app: APIFlask, training_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many connections that join without end get no more of it than one; a page that opens meanwhile is served."""
    monkeypatch.setattr("app.sockets.PAGE_JOINS_RATE", 1e-9)
    monkeypatch.setattr("app.sockets.EVENTS_RATE", 1e-9)
    monkeypatch.setattr(idle_app.extensions["waiting"], "joins", Bucket(5, 1e-9))
    clients = [socketio.test_client(idle_app) for _ in range(4)]
    answers = [
        client.emit("join_training", {"training_id": training_id, "event": False}, callback=True)
        for client in clients[:3]
        for _ in range(EVENTS)
    ]
    assert sum(answer["ok"] for answer in answers) == 3 * PAGE_JOINS + 5
    assert {answer["status"] for answer in answers if not answer["ok"]} == {429}
    for event in ("join_dashboard", "leave_dashboard", "join_training"):
        assert clients[3].emit(event, {"training_id": training_id}, callback=True)["ok"]
    for client in clients:
        client.disconnect()
