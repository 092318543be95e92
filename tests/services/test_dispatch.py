"""Trainings in the queue of jobs: which one runs next, and what the others are waiting for."""

from datetime import UTC, datetime

import pytest
from apiflask import APIFlask

from app.database import writing
from app.jobs.devices import Pool
from app.jobs.disk import DiskSpace
from app.models import Training, TrainingStatus
from app.services.trainer.messages import RoomMessage
from app.services.trainer.transitions import change
from tests.services.runs import claim, create_training, release, row_of, service

PLENTY = DiskSpace(10**12, 10**9)
FULL = DiskSpace(2**29 + 10**6, 10**9)


@pytest.fixture
def messages(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> list[RoomMessage]:
    """The messages to the browsers."""
    messages: list[RoomMessage] = []
    monkeypatch.setattr(service(idle_app).feed, "send", messages.extend)
    return messages


def with_gpus(app: APIFlask, *gpus: str, slots: int = 1) -> None:
    app.extensions["services"].jobs.devices.pool = Pool(gpus, slots)


def test_queue_by_priority_then_age(idle_app: APIFlask) -> None:
    first, second, urgent = (create_training(idle_app, "pending", priority=number) for number in (0, 0, 5))
    order: list[int] = []
    while claimed := claim(idle_app):
        assert len(claimed) == 1, "one training on the CPU"
        order += claimed
        release(idle_app, claimed[0])
    assert order == [urgent, first, second]


def test_a_claimed_training_runs(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, "pending")
    assert claim(idle_app) == [training_id]
    row = row_of(idle_app, training_id)
    assert (row.status, row.attempt, row.devices) == ("running", 1, ["cpu"])
    assert row.log_path == f"models/{training_id}/attempts/1/worker.log"


def test_queue_with_two_gpus(idle_app: APIFlask) -> None:
    with_gpus(idle_app, "4", "7")
    one = create_training(idle_app, "pending", params={"device": "auto"})
    both = create_training(idle_app, "pending", params={"device": "0,1"})
    later = create_training(idle_app, "pending", params={"device": "1"})
    processor = create_training(idle_app, "pending", params={"device": "cpu"})
    assert claim(idle_app) == [one, processor], "what `both` waits for is not taken by later ones"
    assert [row_of(idle_app, item).devices for item in (one, processor)] == [["4"], ["cpu"]]
    release(idle_app, one)
    assert claim(idle_app) == [both]
    release(idle_app, both)
    assert claim(idle_app) == [later]


def test_slots_of_a_gpu_are_shared(idle_app: APIFlask) -> None:
    with_gpus(idle_app, "4", "7", slots=2)
    first, second, third, fourth, fifth = (
        create_training(idle_app, "pending", params={"device": "auto"}) for _ in range(5)
    )
    processor, waits = (create_training(idle_app, "pending", params={"device": "cpu"}) for _ in range(2))
    assert claim(idle_app) == [first, second, third, fourth, processor]
    assert [row_of(idle_app, item).devices for item in (first, second, third, fourth)] == [["4"], ["7"], ["4"], ["7"]]
    assert row_of(idle_app, fifth).waiting_for == {"code": "device", "training_id": first}
    assert row_of(idle_app, waits).waiting_for == {"code": "device", "training_id": processor}, "one on the CPU"
    release(idle_app, fourth)
    assert claim(idle_app) == [fifth]
    assert row_of(idle_app, fifth).devices == ["7"]


def test_no_space_no_start(idle_app: APIFlask, messages: list[RoomMessage]) -> None:
    training_id = create_training(idle_app, "pending")
    assert claim(idle_app, FULL) == []
    assert claim(idle_app, DiskSpace(FULL.free - 9_000, FULL.needed)) == []
    row = row_of(idle_app, training_id)
    assert row.waiting_for == {"code": "disk", "free": 2**29, "needed": FULL.needed}
    assert [item.event for item in messages] == ["training_status"], "told once"
    assert claim(idle_app, PLENTY) == [training_id]
    assert row_of(idle_app, training_id).waiting_for is None


def test_moving_up_is_announced_once_for_the_entire_queue(idle_app: APIFlask, messages: list[RoomMessage]) -> None:
    create_training(idle_app, "running", devices=["cpu"])
    first, *rest = [create_training(idle_app, "pending") for _ in range(4)]
    assert claim(idle_app, PLENTY) == []
    assert [(item.event, item.dashboard) for item in messages] == [("training_status", True)] * 4
    messages.clear()
    release(idle_app, first)
    claim(idle_app, PLENTY)
    *statuses, queue = messages
    assert [(item.payload["training_id"], item.dashboard) for item in statuses] == [
        (rest[0], True),
        (rest[1], False),
        (rest[2], False),
    ]
    assert queue.event == "training_queue"
    assert queue.payload["order"] == rest
    assert [entry["ahead"] for entry in queue.payload["queue"]] == [None, 1, 2]


def test_nothing_starts_after_the_end_of_the_server(app: APIFlask) -> None:
    jobs = app.extensions["services"].jobs
    jobs.scheduler.close()
    training_id = create_training(app, "pending")
    with app.app_context():
        service(app).reconcile()
        jobs.scheduler.round()
    assert row_of(app, training_id).status == "pending"


def test_what_is_in_the_trash_does_not_start(idle_app: APIFlask) -> None:
    create_training(idle_app, "pending", deleted_at=datetime.now(UTC))
    assert claim(idle_app) == []


def test_a_changed_training_updates_its_job(idle_app: APIFlask) -> None:
    """Priority and position in the queue are those of the training."""
    first, second = create_training(idle_app, "pending"), create_training(idle_app, "pending")
    with idle_app.app_context():
        service(idle_app).reconcile()
        service(idle_app).queue.reorder([second, first])
    assert claim(idle_app) == [second]
    with idle_app.app_context(), writing() as session:
        change(session.get_one(Training, second), TrainingStatus.PAUSED)
    assert claim(idle_app) == [first]
