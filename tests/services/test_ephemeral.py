"""Progress, figures and log are sent immediately and committed a few times a minute; readers see no difference."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import event

from app.database import writing
from app.events import Event, Figures, Progress
from app.extensions import db
from app.models import Training, TrainingEvent
from app.services.trainer.ephemeral import MOST
from app.services.trainer.messages import EPHEMERAL, LogPiece, RoomMessage, status_message
from tests.services.runs import RUN, STARTED, create_training, epoch, numbered, recorder, service

FIGURES = Figures(20.0, 10, 20, 5, 1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def commits(idle_app: APIFlask) -> Iterator[list[int]]:
    """One entry for each commit to the database."""
    statements: list[int] = []

    def note(_connection: object) -> None:
        statements.append(1)

    with idle_app.app_context():
        engine = db.engine
        event.listen(engine, "commit", note)
        yield statements
        event.remove(engine, "commit", note)


def begun(app: APIFlask) -> int:
    """A run whose first epoch has started; time does not pass, so nothing is committed because of its age."""
    service(app).ephemeral.clock = lambda: 0.0
    training_id = create_training(app)
    with app.app_context():
        assert recorder(app).apply_batched(training_id, 1, numbered([STARTED]))
    return training_id


def numbers(messages: list[RoomMessage]) -> list[int]:
    return [item.payload["seq"] for item in messages]


def rows(training_id: int) -> list[tuple[int, str]]:
    db.session.rollback()
    mine = db.session.query(TrainingEvent).filter_by(training_id=training_id).order_by(TrainingEvent.seq)
    return [(item.seq, item.event) for item in mine]


def test_a_minute_of_small_messages_costs_a_few_commits(idle_app: APIFlask, commits: list[int]) -> None:
    training_id = begun(idle_app)
    seconds = 0.0
    service(idle_app).ephemeral.clock = lambda: seconds
    recorder(idle_app).apply(training_id, 1, [])
    commits.clear()
    messages: list[RoomMessage] = []
    seq = 1
    for quarter in range(240):
        events: list[Event] = [Progress(1, quarter + 1, 1000, 3.0)]
        events += [FIGURES] if quarter % 8 == 0 else []
        log = LogPiece(1, quarter, quarter + 1, "\n") if quarter % 2 else None
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered(events, seq + 1), log)
        seq += len(events)
        seconds += 0.25
    assert len(messages) == 240 + 30 + 120, "each is told at once"
    assert numbers(messages) == list(range(numbers(messages)[0], numbers(messages)[0] + len(messages)))
    assert len(commits) <= 4
    stored = service(idle_app).following.events(training_id, 0, 1000)["events"]
    assert [(item["seq"], item["event"]) for item in stored][-len(messages) :] == [
        (item.payload["seq"], item.event) for item in messages
    ]


def test_readers_do_not_wait_for_it(idle_app: APIFlask, commits: list[int]) -> None:
    training_id = begun(idle_app)
    directory = service(idle_app).store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    (directory / "worker.log").write_text("first\nsecond\n")
    commits.clear()
    recorder(idle_app).apply_batched(
        training_id, 1, numbered([Progress(1, 1, 2, 3.5), FIGURES], 2), LogPiece(1, 0, 6, "first\n")
    )
    messages = recorder(idle_app).apply_batched(
        training_id, 1, numbered([Progress(1, 2, 2, 3.0, eta=8.0)], 4), LogPiece(1, 6, 13, "second\n")
    )
    assert not commits
    assert db.session.get_one(Training, training_id).progress["batch"] == 0, "nothing is written"
    snapshot = service(idle_app).following.snapshot(training_id)
    assert snapshot["seq"] == numbers(messages)[-1]
    assert [(item["batch"], item["loss"]) for item in snapshot["losses"]] == [(1, 3.5), (2, 3.0)]
    assert [item["memory_total"] for item in snapshot["figures"]] == [20]
    assert snapshot["log"] == {"text": "first\nsecond\n", "offset": 13, "attempt": 1}
    client = idle_app.test_client()
    body = client.get(f"/api/trainings/{training_id}").get_json()
    assert (body["progress"]["batch"], body["eta"], body["seq"]) == (2, 8.0, snapshot["seq"])
    after = snapshot["seq"] - 1
    page = client.get(f"/api/trainings/{training_id}/events?after={after}&wait=5").get_json()
    assert [(item["event"], item["payload"]["text"]) for item in page["events"]] == [("training_log", "second\n")]
    assert (page["seq"], page["more"], page["thinned"]) == (snapshot["seq"], False, False)
    first = client.get(f"/api/trainings/{training_id}/events?limit=2").get_json()
    assert first["more"]
    assert [item["seq"] for item in first["events"]] == [1, 2]
    assert not commits


def test_the_next_durable_event_commits_it(idle_app: APIFlask) -> None:
    """An epoch, a request, and an ending that the child could not report."""
    training_id = begun(idle_app)
    with idle_app.app_context():
        messages = recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2))
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([epoch(1)], 3))
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(2, 1, 2, 3.0)], 4))
        assert [seq for seq, name in rows(training_id) if name in EPHEMERAL] == numbers(messages)[:1]
        service(idle_app).actions.pause(training_id)
        assert [name for _, name in rows(training_id)[-2:]] == ["training_progress", "training_status"]
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(2, 2, 2, 2.9)], 5))
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([FIGURES], 6))
        messages += recorder(idle_app).end(
            training_id, 1, RUN[-1], db.session.get_one(Training, training_id).created_at
        )
        row = db.session.get_one(Training, training_id)
        assert (row.status, row.event_seq) == ("completed", 7)
        stored = rows(training_id)
        assert [seq for seq, _ in stored] == list(range(1, row.seq + 1))
        assert set(numbers(messages)) <= {seq for seq, _ in stored}


def fail_before_commit(app: APIFlask, training_id: int) -> None:
    with writing() as session:
        status_message(service(app).store.lock_any(session, training_id))
        raise ZeroDivisionError


def test_a_transaction_that_fails_loses_nothing(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        messages = recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2))
        with pytest.raises(ZeroDivisionError):
            fail_before_commit(idle_app, training_id)
        assert rows(training_id)[-1][0] < numbers(messages)[0]
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(1, 2, 2, 3.0)], 3))
        stored = rows(training_id)
        assert [seq for seq, _ in stored] == list(range(1, stored[-1][0] + 1))
        assert stored[-2:] == [(item.payload["seq"], item.event) for item in messages]


def test_a_killed_server_repeats_no_number_and_loses_no_event(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        messages = recorder(idle_app).apply_batched(
            training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n")
        )
        service(idle_app).ephemeral.drop(training_id)  # the next server's knowledge of it
        offset, log = recorder(idle_app).position(training_id)
        assert (offset, log) == (100, 0), "the event file and the log are read again from there"
        again = recorder(idle_app).apply_batched(
            training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n")
        )
        assert [item.event for item in again] == [item.event for item in messages]
        assert min(numbers(again)) > max(numbers(messages))
        assert numbers(again)[0] <= max(numbers(messages)) + MOST
        row = db.session.get_one(Training, training_id, populate_existing=True)
        assert (row.event_seq, row.progress["batch"]) == (2, 1)


def test_who_follows_again_in_the_same_server_goes_on(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        messages = recorder(idle_app).apply_batched(
            training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n")
        )
        assert recorder(idle_app).position(training_id) == (200, 6)
        assert recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2)) == []
        messages += recorder(idle_app).apply_batched(training_id, 1, numbered([Progress(1, 2, 2, 3.0)], 3))
        assert numbers(messages) == list(range(numbers(messages)[0], numbers(messages)[0] + 3))


def test_numbers_are_unique_across_writers(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    sent: list[int] = []
    failed: list[Exception] = []

    def batches() -> None:
        with idle_app.app_context():
            for number in range(2, 152):
                events = numbered([Progress(1, number, 200, 1.0)], number)
                sent.extend(numbers(recorder(idle_app).apply_batched(training_id, 1, events)))

    def requests() -> None:
        with idle_app.app_context():
            for _ in range(30):
                with writing() as session:
                    item = status_message(service(idle_app).store.lock_any(session, training_id))
                sent.append(item.payload["seq"])

    def run(work: Any) -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in (batches, requests, requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with idle_app.app_context():
        recorder(idle_app).apply(training_id, 1, [])
        stored = [seq for seq, _ in rows(training_id)]
        assert stored == list(range(1, len(stored) + 1))
        assert sorted(sent) == stored[-len(sent) :], "each number once, and written down"
        assert len(sent) == 150 + 60
