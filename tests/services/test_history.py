"""Messages by number: stored, thinned out, read back as they were sent; the contents of a snapshot."""

from datetime import UTC, datetime
from typing import Any

import pytest
from apiflask import APIFlask

from app import notify
from app.database import writing
from app.events import CheckpointSaved, Completed, Event, Figures, Note, Progress
from app.extensions import db, socketio
from app.models import Training, TrainingEvent
from app.services.trainer.messages import EPHEMERAL, EPHEMERAL_RETENTION, LogPiece, message
from tests.services.runs import STARTED, create_training, epoch, numbered, recorder, service

FIGURES = Figures(20.0, 10, 20, 5, 1.0, 2.0, 3.0, 4.0)
CLASSES = [{"class": 0, "ap50": 0.5, "ap95": 0.3, "precision": 0.6, "recall": 0.4, "instances": 12}]
RUN: list[Event] = [
    Note("optimizer_auto", {"name": "AdamW", "learning_rate": 0.002}),
    STARTED,
    Progress(1, 1, 2, 3.5, {"train/box_loss": 1.0}),
    FIGURES,
    epoch(1),
    CheckpointSaved(1, "run/weights/best.pt", True, {}),
    Progress(2, 1, 2, 3.0),
    epoch(2),
    epoch(3),
    Completed("run/weights/best.pt", 3, 2, {"map50": 0.7}, 3.0),
]


def run_with_log(app: APIFlask) -> tuple[int, list[dict[str, Any]]]:
    """A training that has written all events and printed two lines; its live messages."""
    training_id = create_training(app)
    for index in (4, 8):  # the first epoch and the last
        object.__setattr__(RUN[index], "classes", CLASSES)
    directory = service(app).store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    (directory / "worker.log").write_bytes(b"\x1b[1mfirst\x1b[0m\nsecond\n")
    with app.app_context():
        sent = recorder(app).apply(training_id, 1, numbered(RUN[:5]), LogPiece(1, 0, 14, "first\n"))
        sent += recorder(app).apply(training_id, 1, numbered(RUN), LogPiece(1, 14, 21, "second\n"))
    return training_id, [{"event": item.event} | item.payload for item in sent]


def test_polling_gets_the_messages_of_the_room(idle_app: APIFlask) -> None:
    training_id, sent = run_with_log(idle_app)
    client = idle_app.test_client()
    polled: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        body = client.get(f"/api/trainings/{training_id}/events?after={after}&limit=4").get_json()
        assert not body["thinned"]
        polled, after, more = polled + body["events"], body["seq"], body["more"]
    assert [item["seq"] for item in polled] == list(range(1, len(sent) + 1))
    for got, live in zip(polled, sent, strict=True):
        assert {"event": got["event"]} | {key: got["payload"].get(key) for key in live if key != "event"} == live
        assert got["time"].endswith("Z")
    by_name = {item["event"]: item["payload"] for item in polled}
    assert by_name["training_status"]["training"]["status"] == "completed"
    assert by_name["training_note"]["message"].startswith("Otimizador: AdamW")
    assert by_name["training_system"]["cpu"] == 20.0
    assert by_name["training_checkpoint"]["is_best"] is True
    assert polled[[item["event"] for item in polled].index("training_update")]["payload"]["classes"] == CLASSES
    english = client.get(f"/api/trainings/{training_id}/events", headers={"Accept-Language": "en"}).get_json()
    assert english["events"][0]["payload"]["message"].startswith("Optimizer: AdamW")
    empty = client.get(f"/api/trainings/{training_id}/events?after={after}").get_json()
    assert empty == {"events": [], "seq": after, "more": False, "thinned": False}


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=1001", "wait=26", "after=x"])
def test_bad_queries(idle_app: APIFlask, query: str) -> None:
    training_id = create_training(idle_app)
    assert idle_app.test_client().get(f"/api/trainings/{training_id}/events?{query}").status_code == 422


def test_waiting_ends_with_the_first_message(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)

    def speak() -> None:
        socketio.sleep(0.5)
        with idle_app.app_context():
            service(idle_app).feed.send(recorder(idle_app).apply(training_id, 1, numbered(RUN[:1])))

    speaker = socketio.start_background_task(speak)
    began = datetime.now(UTC)
    body = idle_app.test_client().get(f"/api/trainings/{training_id}/events?wait=20").get_json()
    speaker.join()
    assert [item["event"] for item in body["events"]] == ["training_note", "training_status"]
    assert (datetime.now(UTC) - began).total_seconds() < 20
    missing = idle_app.test_client().get("/api/trainings/999/events")
    assert missing.status_code == 404


def test_snapshot_has_it_all(idle_app: APIFlask) -> None:
    training_id, sent = run_with_log(idle_app)
    with idle_app.app_context():
        snapshot = service(idle_app).following.snapshot(training_id)
    assert snapshot["seq"] == sent[-1]["seq"]
    assert [item["epoch"] for item in snapshot["metrics"]["epochs"]] == [1, 2, 3]
    assert [item["classes"] for item in snapshot["metrics"]["epochs"]] == [CLASSES, [], CLASSES]
    assert [(item["epoch"], item["batch"], item["loss"]) for item in snapshot["losses"]] == [(1, 1, 3.5), (2, 1, 3.0)]
    assert [item["memory_total"] for item in snapshot["figures"]] == [20]
    assert [item["code"] for item in snapshot["notes"]] == ["optimizer_auto"]
    assert snapshot["log"] == {"text": "first\nsecond\n", "offset": 21, "attempt": 1}


def test_old_messages_get_sparser_and_durable_ones_stay(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app)
    count = 20_000
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        row.progress = {"epoch": 1, "batch": 1, "batches": 2, "loss": 1.0}
        for number in range(1, count + 1):
            event = "training_note" if number % 1000 == 1 else EPHEMERAL[number % 3]
            data = {"code": "x", "data": {}} if event == "training_note" else {"progress": row.progress, "attempt": 1}
            message(event, row, **data, start=0, offset=0)
    with idle_app.app_context():
        stored = db.session.query(TrainingEvent.seq, TrainingEvent.event).all()
        newest = [seq for seq, _ in stored if seq > count - EPHEMERAL_RETENTION]
        assert len(newest) == EPHEMERAL_RETENTION, "nothing of the newest is missing"
        assert sum(event == "training_note" for _, event in stored) == 20
        middle = [
            seq
            for seq, event in stored
            if count - 8 * EPHEMERAL_RETENTION < seq < count - EPHEMERAL_RETENTION and event in EPHEMERAL
        ]
        assert 800 < len(middle) < 2200
        assert len(stored) < 5000
        page = service(idle_app).following.events(training_id, 0, 500)
        assert page["thinned"]
        assert page["more"]
        assert not service(idle_app).following.events(training_id, count - 100, 500)["thinned"]
        assert len(service(idle_app).following.snapshot(training_id)["losses"]) <= 2000


def test_nothing_is_sent_to_an_empty_room(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(notify.socketio, "emit", lambda event, *_, **__: events.append(event))
    training_id = create_training(idle_app)
    viewer = socketio.test_client(idle_app)
    with idle_app.app_context():
        service(idle_app).feed.send(recorder(idle_app).apply(training_id, 1, numbered(RUN[:3])))
    assert events == []
    monkeypatch.undo()
    viewer.emit("join_training", {"training_id": training_id}, callback=True)
    viewer.get_received()
    with idle_app.app_context():
        service(idle_app).feed.send(recorder(idle_app).apply(training_id, 1, numbered(RUN)))
    numbers = [item["args"][0]["seq"] for item in viewer.get_received()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 5
