"""Progress, figures and log are told at once and written down a few times a minute; nobody sees the difference."""

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
from app.services.trainer.apply import apply, apply_batched, end, position
from app.services.trainer.ephemeral import MOST
from app.services.trainer.messages import EPHEMERAL, LogPiece, RoomMessage, status_message
from tests.services.runs import RUN, STARTED, epoch, make, numbered, service

FIGURES = Figures(20.0, 10, 20, 5, 1.0, 2.0, 3.0, 4.0)


@pytest.fixture
def commits(idle_app: APIFlask) -> Iterator[list[int]]:
    """One entry for each commit to the database."""
    made: list[int] = []

    def note(_connection: object) -> None:
        made.append(1)

    with idle_app.app_context():
        engine = db.engine
        event.listen(engine, "commit", note)
        yield made
        event.remove(engine, "commit", note)


def begun(app: APIFlask) -> int:
    """A run whose first epoch has begun; no time passes, so nothing is written for its age."""
    service(app).ephemeral.clock = lambda: 0.0
    training_id = make(app)
    with app.app_context():
        assert apply_batched(training_id, 1, numbered([STARTED]))
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
    apply(training_id, 1, [])
    commits.clear()
    told: list[RoomMessage] = []
    seq = 1
    for quarter in range(240):
        said: list[Event] = [Progress(1, quarter + 1, 1000, 3.0)]
        said += [FIGURES] if quarter % 8 == 0 else []
        log = LogPiece(1, quarter, quarter + 1, "\n") if quarter % 2 else None
        told += apply_batched(training_id, 1, numbered(said, seq + 1), log)
        seq += len(said)
        seconds += 0.25
    assert len(told) == 240 + 30 + 120, "each is told at once"
    assert numbers(told) == list(range(numbers(told)[0], numbers(told)[0] + len(told)))
    assert len(commits) <= 4
    found = service(idle_app).following.events(training_id, 0, 1000)["events"]
    assert [(item["seq"], item["event"]) for item in found][-len(told) :] == [
        (item.payload["seq"], item.event) for item in told
    ]


def test_readers_do_not_wait_for_it(idle_app: APIFlask, commits: list[int]) -> None:
    training_id = begun(idle_app)
    directory = service(idle_app).store.attempt_dir(training_id, 1)
    directory.mkdir(parents=True)
    (directory / "worker.log").write_text("first\nsecond\n")
    commits.clear()
    apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5), FIGURES], 2), LogPiece(1, 0, 6, "first\n"))
    told = apply_batched(training_id, 1, numbered([Progress(1, 2, 2, 3.0, eta=8.0)], 4), LogPiece(1, 6, 13, "second\n"))
    assert not commits
    assert db.session.get_one(Training, training_id).progress["batch"] == 0, "nothing is written"
    snapshot = service(idle_app).following.snapshot(training_id)
    assert snapshot["seq"] == numbers(told)[-1]
    assert [(item["batch"], item["loss"]) for item in snapshot["losses"]] == [(1, 3.5), (2, 3.0)]
    assert [item["memory_total"] for item in snapshot["figures"]] == [20]
    assert snapshot["log"] == {"text": "first\nsecond\n", "offset": 13, "attempt": 1}
    client = idle_app.test_client()
    shown = client.get(f"/api/trainings/{training_id}").get_json()
    assert (shown["progress"]["batch"], shown["eta"], shown["seq"]) == (2, 8.0, snapshot["seq"])
    after = snapshot["seq"] - 1
    page = client.get(f"/api/trainings/{training_id}/events?after={after}&wait=5").get_json()
    assert [(item["event"], item["payload"]["text"]) for item in page["events"]] == [("training_log", "second\n")]
    assert (page["seq"], page["more"], page["thinned"]) == (snapshot["seq"], False, False)
    first = client.get(f"/api/trainings/{training_id}/events?limit=2").get_json()
    assert first["more"]
    assert [item["seq"] for item in first["events"]] == [1, 2]
    assert not commits


def test_what_follows_takes_it_along(idle_app: APIFlask) -> None:
    """An epoch, a request, and an ending that the child could not tell."""
    training_id = begun(idle_app)
    with idle_app.app_context():
        told = apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2))
        told += apply_batched(training_id, 1, numbered([epoch(1)], 3))
        told += apply_batched(training_id, 1, numbered([Progress(2, 1, 2, 3.0)], 4))
        assert [seq for seq, name in rows(training_id) if name in EPHEMERAL] == numbers(told)[:1]
        service(idle_app).actions.pause(training_id)
        assert [name for _, name in rows(training_id)[-2:]] == ["training_progress", "training_status"]
        told += apply_batched(training_id, 1, numbered([Progress(2, 2, 2, 2.9)], 5))
        told += apply_batched(training_id, 1, numbered([FIGURES], 6))
        told += end(training_id, 1, RUN[-1], db.session.get_one(Training, training_id).created_at)
        row = db.session.get_one(Training, training_id)
        assert (row.status, row.event_seq) == ("completed", 7)
        kept = rows(training_id)
        assert [seq for seq, _ in kept] == list(range(1, row.seq + 1))
        assert set(numbers(told)) <= {seq for seq, _ in kept}


def fail_to_tell(training_id: int) -> None:
    with writing() as session:
        status_message(session.get_one(Training, training_id))
        raise ZeroDivisionError


def test_a_transaction_that_fails_loses_nothing(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        told = apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2))
        with pytest.raises(ZeroDivisionError):
            fail_to_tell(training_id)
        assert rows(training_id)[-1][0] < numbers(told)[0]
        told += apply_batched(training_id, 1, numbered([Progress(1, 2, 2, 3.0)], 3))
        kept = rows(training_id)
        assert [seq for seq, _ in kept] == list(range(1, kept[-1][0] + 1))
        assert kept[-2:] == [(item.payload["seq"], item.event) for item in told]


def test_a_killed_server_repeats_no_number_and_loses_no_event(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        told = apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n"))
        service(idle_app).ephemeral.drop(training_id)  # what the next server knows of it
        offset, log = position(training_id)
        assert (offset, log) == (100, 0), "the event file and the log are read again from there"
        again = apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n"))
        assert [item.event for item in again] == [item.event for item in told]
        assert min(numbers(again)) > max(numbers(told))
        assert numbers(again)[0] <= max(numbers(told)) + MOST
        row = db.session.get_one(Training, training_id, populate_existing=True)
        assert (row.event_seq, row.progress["batch"]) == (2, 1)


def test_who_follows_again_in_the_same_server_goes_on(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    with idle_app.app_context():
        told = apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2), LogPiece(1, 0, 6, "first\n"))
        assert position(training_id) == (200, 6)
        assert apply_batched(training_id, 1, numbered([Progress(1, 1, 2, 3.5)], 2)) == []
        told += apply_batched(training_id, 1, numbered([Progress(1, 2, 2, 3.0)], 3))
        assert numbers(told) == list(range(numbers(told)[0], numbers(told)[0] + 3))


def test_numbers_are_given_once_whoever_writes(idle_app: APIFlask) -> None:
    training_id = begun(idle_app)
    told: list[int] = []
    failed: list[Exception] = []

    def batches() -> None:
        with idle_app.app_context():
            for number in range(2, 152):
                told.extend(numbers(apply_batched(training_id, 1, numbered([Progress(1, number, 200, 1.0)], number))))

    def requests() -> None:
        with idle_app.app_context():
            for _ in range(30):
                with writing() as session:
                    row = session.get(Training, training_id, with_for_update=True)
                    item = status_message(row)
                told.append(item.payload["seq"])

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
        apply(training_id, 1, [])
        kept = [seq for seq, _ in rows(training_id)]
        assert kept == list(range(1, len(kept) + 1))
        assert sorted(told) == kept[-len(told) :], "each number once, and written down"
        assert len(told) == 150 + 60
