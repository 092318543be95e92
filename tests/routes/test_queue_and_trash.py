"""The order of pending trainings, and the effects of deleting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.models import Checkpoint, Test, Training, TrainingMetric
from app.services.trainer.queue import priorities_and_positions, rearrange
from tests.data import valid_dataset
from tests.routes.test_training_actions import add, assert_refused, folder_of, row_of
from tests.routes.test_trainings import recorded_statements


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def dataset_id(idle_app: APIFlask) -> int:
    return valid_dataset(idle_app)


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["queue"]]


def test_the_queue_in_its_order(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    first, second, urgent = (add(idle_app, dataset_id, priority=number) for number in (0, 0, 5))
    for state in ("running", "paused", "completed", "deleted"):
        add(idle_app, dataset_id, state)
    assert ids(client.get("/api/trainings/queue")) == [urgent, first, second]
    third = add(idle_app, dataset_id)

    assert ids(client.put("/api/trainings/queue", json={"order": [third, first]})) == [urgent, third, second, first]
    order = [second, urgent, first, third]
    assert ids(client.put("/api/trainings/queue", json={"order": order})) == order
    assert [row_of(idle_app, item).priority for item in order] == [5, 5, 0, 0]
    assert ids(client.get("/api/trainings/queue")) == order
    later = add(idle_app, dataset_id)
    assert ids(client.get("/api/trainings/queue")) == [*order, later]

    client.post(f"/api/trainings/{third}/stop")
    problem = assert_refused(client.put("/api/trainings/queue", json={"order": [third, second]}), 409)
    assert problem["order"] == [second, urgent, first, later]
    assert str(third) in problem["detail"]
    for body in ({}, {"order": []}, {"order": [1, 1]}, {"order": ["1"]}, {"order": [True]}, {"order": [0]}, {"x": 1}):
        assert_refused(client.put("/api/trainings/queue", json=body), 422)
    assert ids(client.get("/api/trainings/queue")) == [second, urgent, first, later]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0, 0], [0, 0, 0]),
        ([0, 5, 0], [5, 5, 0]),  # dragged above a higher one
        ([0, 0, 5], [0, 0, 0]),  # dragged to the end: one changes instead of two
        ([5, 3, 9], [5, 3, 3]),
        ([-1, 4, 4, 0], [4, 4, 4, 0]),
    ],
)
def test_priorities_that_hold_an_order(values: list[int], expected: list[int]) -> None:
    rows = [Training(priority=priority, position=7) for priority in values]
    priorities, positions = priorities_and_positions(rows)
    assert priorities == expected
    assert positions == [7 + number for number in range(len(values))]
    assert rearrange([1, 2, 3, 4], [4, 2]) == [1, 4, 3, 2]


def test_what_each_waits_for(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    add(idle_app, dataset_id, "running", name="Cars")
    reasons = {
        "“Cars”": {"code": "device", "training_id": 1, "name": "Cars"},
        "1 run ahead": {"code": "turn", "ahead": 1},
        "3 runs ahead": {"code": "turn", "ahead": 3},
        "UTC": {"code": "schedule", "until": "2030-01-02T01:00:00Z"},
        "1.5 GB": {"code": "disk", "free": 3 * 2**29, "needed": 2 * 2**30},
        "device 7": {"code": "missing_device", "device": "7"},
        "unheard": {"code": "unheard"},
    }
    for part, reason in reasons.items():
        stored = {name: value for name, value in reason.items() if name != "name"}  # it may be renamed meanwhile
        training_id = add(idle_app, dataset_id, waiting_for=stored)
        waiting_for = client.get(f"/api/trainings/{training_id}", headers={"Accept-Language": "en"}).json["waiting_for"]
        assert part in waiting_for.pop("message")
        assert waiting_for == reason
    ended = add(idle_app, dataset_id, "cancelled", name="Boats")
    waits = add(idle_app, dataset_id, waiting_for={"code": "device", "training_id": ended})
    waiting_for = client.get(f"/api/trainings/{waits}", headers={"Accept-Language": "en"}).json["waiting_for"]
    assert waiting_for == {"code": "device", "message": "Waiting for the device."}, (
        "its evaluation uses it, not the run"
    )


def test_no_query_per_row(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    add(idle_app, dataset_id, checkpoint=2)
    add(idle_app, dataset_id, "deleted", checkpoint=1)
    counts = []
    for _ in range(2):
        for address in ("/api/trainings/queue", "/api/trainings?per_page=50", "/api/trainings?trash=true"):
            with recorded_statements(idle_app) as statements:
                client.get(address)
            counts.append(len(statements))
        for number in range(8):
            add(idle_app, dataset_id, "pending" if number % 2 else "deleted", checkpoint=1)
    assert counts[:3] == counts[3:]
    assert max(counts) <= 4


def test_trash_and_back(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    completed, waits = add(idle_app, dataset_id, "completed", checkpoint=3), add(idle_app, dataset_id)
    answer = client.delete(f"/api/trainings/{waits}").json
    remaining = datetime.fromisoformat(answer["until"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < remaining <= timedelta(days=7)
    assert client.delete(f"/api/trainings/{waits}").json == answer, "twice is once"

    assert [item["id"] for item in client.get("/api/trainings").json["trainings"]] == [completed]
    assert [item["id"] for item in client.get("/api/trainings?trash=true").json["trainings"]] == [waits]
    assert client.get("/api/trainings/queue").json == {"queue": []}
    assert client.get("/api/system").json["queue"]["cancelled"] == 0
    training = client.get(f"/api/trainings/{waits}").json
    assert (training["status"], training["actions"]) == ("cancelled", ["restore", "delete"])

    assert client.post(f"/api/trainings/{waits}/restore").json["status"] == "cancelled"
    assert client.get("/api/trainings").json["total"] == 2
    assert_refused(client.delete(f"/api/trainings/{completed}?permanent=true"), 409)
    assert client.get("/api/trainings").json["total"] == 2


def test_permanent_deletion(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id, untouched = (add(idle_app, dataset_id, "completed", checkpoint=3) for _ in range(2))
    storage = idle_app.extensions["services"].storage
    with idle_app.app_context(), writing() as session:
        test = Test(training_id=training_id, confidence_threshold=0.5, iou_threshold=0.5)
        session.add(test)
        session.flush()
        pictures = storage.test_dir(test.id)
        pictures.mkdir(parents=True)
        (pictures / "input_image.jpg").write_bytes(b"x")
    assert_refused(client.delete("/api/datasets/1"), 409)
    client.delete(f"/api/trainings/{training_id}")
    answer = client.delete(f"/api/trainings/{training_id}?permanent=true")
    assert (answer.status_code, answer.json["until"]) == (200, None)
    assert_refused(client.get(f"/api/trainings/{training_id}"), 404)
    assert not folder_of(idle_app, training_id).exists()
    assert not pictures.exists()
    assert folder_of(idle_app, untouched).exists()
    with idle_app.app_context():
        for table in (Test, Checkpoint, TrainingMetric):
            assert set(db.session.scalars(select(table.training_id))) <= {untouched}

    client.delete(f"/api/trainings/{untouched}")
    english = {"Accept-Language": "en"}
    assert "trash" in assert_refused(client.delete("/api/datasets/1", headers=english), 409)["detail"]
    client.delete(f"/api/trainings/{untouched}?permanent=true")
    assert client.delete("/api/datasets/1").status_code == 200


def test_files_come_back_when_the_rows_stay(
    idle_app: APIFlask,
    client: FlaskClient,
    dataset_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database refuses the commit: neither rows nor files are lost."""
    training_id = add(idle_app, dataset_id, "deleted", checkpoint=3)
    with idle_app.app_context():
        session = type(db.session())

    def full(_session: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(session, "commit", full)
        assert_refused(client.delete(f"/api/trainings/{training_id}?permanent=true"), 507)
    assert row_of(idle_app, training_id).status == "cancelled"
    assert (folder_of(idle_app, training_id) / "checkpoints" / "epoch-3.pt").is_file()


def test_weights_that_another_run_starts_from_stay(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    start = {"kind": "training", "checkpoint": "best"}
    source = add(idle_app, dataset_id, "deleted", checkpoint=3, deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    waits = add(idle_app, dataset_id, start=start | {"training_id": source})
    old = add(idle_app, dataset_id, "deleted", deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    young = add(idle_app, dataset_id, "deleted", deleted_at=datetime(2026, 3, 1, tzinfo=UTC))
    trash = idle_app.extensions["services"].trainer.trash
    assert_refused(client.delete(f"/api/trainings/{source}?permanent=true"), 409)
    with idle_app.app_context():
        assert trash.purge_trash(datetime(2026, 2, 1, tzinfo=UTC)) == [old]
        client.post(f"/api/trainings/{waits}/stop")
        assert trash.purge_trash(datetime(2026, 2, 1, tzinfo=UTC)) == [source]
    assert row_of(idle_app, young).deleted_at
