"""The actions on a training in each state, and those that are refused."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.models import Checkpoint, Training, TrainingEvent, TrainingMetric
from tests.data import checkpoint_bytes, valid_dataset, zip_bytes

STATES = ("pending", "running", "paused", "completed", "failed", "cancelled", "deleted")
# The response to each action by state, with a checkpoint of the last epoch.
TABLE = {
    "stop": (202, 202, 202, 409, 409, 409, 409),
    "pause": (202, 202, 409, 409, 409, 409, 409),
    "resume": (409, 409, 202, 409, 202, 202, 409),
    "retry": (409, 409, 409, 409, 202, 202, 409),
    "extend": (409, 409, 409, 202, 409, 409, 409),
    "clone": (201, 201, 201, 201, 201, 201, 409),
    "restore": (409, 409, 409, 409, 409, 409, 200),
    "delete": (200, 409, 200, 200, 200, 200, 200),
    "patch": (200, 200, 200, 200, 200, 200, 409),
}
AFTER = {  # the status after it; others do not change
    ("stop", "pending"): "cancelled",
    ("stop", "paused"): "cancelled",
    ("pause", "pending"): "paused",
    ("resume", "paused"): "pending",
    ("resume", "failed"): "pending",
    ("resume", "cancelled"): "pending",
    ("retry", "failed"): "pending",
    ("retry", "cancelled"): "pending",
    ("extend", "completed"): "pending",
    ("delete", "pending"): "cancelled",
    ("delete", "paused"): "cancelled",
}


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def dataset_id(idle_app: APIFlask) -> int:
    return valid_dataset(idle_app)


def add(app: APIFlask, dataset_id: int, state: str = "pending", checkpoint: int | None = None, **changes: Any) -> int:
    """A training of three epochs in some state, with a resumable checkpoint of an epoch."""
    with app.app_context(), writing() as session:
        row = Training(name="Run", dataset_id=dataset_id, model_version="n", epochs=3, total_epochs=3, img_size=64)
        row.status = "cancelled" if state == "deleted" else state
        row.params, row.learning_rate, row.batch_size = {"optimizer": "AdamW", "lrf": 0.1}, 0.002, 4
        row.deleted_at = datetime.now(UTC) if state == "deleted" else None
        for name, value in changes.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        training_id = row.id
        if checkpoint:
            row.current_epoch = checkpoint
            for epoch in range(1, checkpoint + 1):
                rate = 0.002 * ((1 - (epoch - 1) / 3) * 0.9 + 0.1)
                session.add(TrainingMetric(training_id=training_id, epoch=epoch, learning_rate=rate, map50=0.5))
            path = f"checkpoints/epoch-{checkpoint}.pt"
            record = Checkpoint(training_id=training_id, epoch=checkpoint, resumable=True)
            record.model_path = f"models/{training_id}/{path}"
            session.add(record)
    if checkpoint:
        file = folder_of(app, training_id) / path
        file.parent.mkdir(parents=True)
        file.write_bytes(zip_bytes({"archive/data.pkl": b"x"}))  # the container of a checkpoint
    return training_id


def folder_of(app: APIFlask, training_id: int) -> Path:
    return Path(app.config["MODELS_DIR"]) / str(training_id)


def row_of(app: APIFlask, training_id: int) -> Training:
    with app.app_context():
        return db.session.get_one(Training, training_id)


def act(client: FlaskClient, training_id: int, action: str, **options: Any) -> Any:
    address = f"/api/trainings/{training_id}"
    if action == "delete":
        return client.delete(address, **options)
    if action == "patch":
        return client.patch(address, **{"json": {"priority": 3}} | options)
    if action in {"extend"}:
        options = {"json": {"epochs": 2}} | options
    return client.post(f"{address}/{action}", **options)


def assert_refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"]
    return answer.json


@pytest.mark.parametrize("action", TABLE)
def test_every_action_from_every_state(idle_app: APIFlask, client: FlaskClient, dataset_id: int, action: str) -> None:
    for state, expected in zip(STATES, TABLE[action], strict=True):
        training_id = add(idle_app, dataset_id, state, checkpoint=3)
        before = client.get(f"/api/trainings/{training_id}").json
        answer = act(client, training_id, action)
        assert answer.status_code == expected, (state, answer.text)
        after = client.get(f"/api/trainings/{training_id}").json
        if expected == 409:
            problem = assert_refused(answer, 409)
            assert problem["current"] == before["status"]
            assert after == before | {"updated_at": after["updated_at"]}, "a refusal changes nothing"
        else:
            assert after["status"] == AFTER.get((action, state), before["status"])
            assert answer.json.get("status", after["status"]) in {after["status"], "pending"}
        if action not in {"patch", "delete"}:
            assert (action in before["actions"]) == (expected < 400), (state, before["actions"])


@pytest.mark.parametrize(("action", "status"), [("resume", 409), ("retry", 202)])
@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_without_a_checkpoint(
    idle_app: APIFlask, client: FlaskClient, dataset_id: int, state: str, action: str, status: int
) -> None:
    training_id = add(idle_app, dataset_id, state, halvings=3, batch_now=1, restarts=2, error="x", current_epoch=1)
    with idle_app.app_context(), writing() as session:
        session.add(TrainingMetric(training_id=training_id, epoch=1))
    assert client.get(f"/api/trainings/{training_id}").json["resumable"] is False
    answer = act(client, training_id, action)
    assert answer.status_code == status
    if status == 409:
        return
    row = row_of(idle_app, training_id)
    assert (row.status, row.resume_from, row.current_epoch, row.error) == ("pending", None, 0, None)
    assert (row.halvings, row.batch_now, row.restarts) == (0, None, 0)
    assert client.get(f"/api/trainings/{training_id}/metrics").json["epochs"] == []


def test_resuming_from_the_newest_intact_checkpoint(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "paused", checkpoint=2, batch_now=2, halvings=1, pause_reason="asked")
    (folder_of(idle_app, training_id) / "checkpoints" / "epoch-3.pt").write_bytes(b"cut short")
    answer = act(client, training_id, "resume", headers={"Accept-Language": "en"})
    assert "epoch 2" in answer.json["message"]
    row = row_of(idle_app, training_id)
    assert (row.resume_from, row.batch_now, row.pause_reason) == ("checkpoints/epoch-2.pt", 2, None)


def test_wishes_of_a_running_one(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "running")
    assert act(client, training_id, "pause").json["status"] == "running"
    assert client.get(f"/api/trainings/{training_id}").json["actions"] == ["stop", "clone"]
    assert act(client, training_id, "stop").status_code == 202
    row = row_of(idle_app, training_id)
    assert (row.stop_requested, row.pause_requested) == (True, False), "stopping wins"
    assert_refused(act(client, training_id, "pause"), 409)


def test_extend_describes_the_learning_rate(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "completed", checkpoint=3)
    english = {"Accept-Language": "en"}
    body = act(client, training_id, "extend", json={"epochs": 3}, headers=english).json
    assert (body["epochs"], body["schedule"], body["status"]) == (6, "stretch", "pending")
    # Linear from 0.002 to a tenth of it: 0.4 of it in epoch 3 of 3, 0.55 in epoch 4 of 6, 0.25 in epoch 6 of 6.
    assert body["learning_rate"] == pytest.approx({"last": 0.0008, "first": 0.0011, "final": 0.0005})
    assert "0.0008 in the last epoch, rises to 0.0011 and then falls to 0.0005" in body["message"]
    row = row_of(idle_app, training_id)
    assert (row.epochs, row.total_epochs, row.resume_from) == (6, 6, "checkpoints/epoch-3.pt")
    assert row.extensions == [{"from_epoch": 3, "epochs": 6, "schedule": "stretch"}]

    completed_id = add(idle_app, dataset_id, "completed", checkpoint=3)
    body = act(client, completed_id, "extend", json={"epochs": 1, "schedule": "keep"}, headers=english).json
    assert body["learning_rate"] == pytest.approx({"last": 0.0008, "first": 0.0008, "final": 0.0008})
    assert "stays at 0.0008" in body["message"]


def test_extending_needs_the_last_checkpoint(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "completed", checkpoint=2, current_epoch=3)
    with idle_app.app_context(), writing() as session:
        session.get_one(Training, training_id).current_epoch = 3
    assert_refused(act(client, training_id, "extend"), 409)
    assert "extend" not in client.get(f"/api/trainings/{training_id}").json["actions"]


def test_bad_extensions(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "completed", checkpoint=3)
    for value in (-1, 0, 10**9, "5", True, None, 1.5, float("nan"), []):
        problem = assert_refused(act(client, training_id, "extend", json={"epochs": value}), 422)
        assert problem["errors"][0]["field"] == "epochs", value
    for body in ({}, {"epochs": 1, "schedule": "x"}, {"epochs": 1, "more": 1}):
        assert_refused(act(client, training_id, "extend", json=body), 422)
    assert row_of(idle_app, training_id).status == "completed"


BAD_CHANGES: list[tuple[str, Any]] = [
    *(("priority", value) for value in (101, -101, "1", 1.5, True, None)),
    *(("start_not_before", value) for value in ("tomorrow", 5, "0001-01-01T00:00:00+23:59", "9999-12-31T00:00:00")),
    *(("important", value) for value in ("yes", None, 2)),
    *(("name", value) for value in ("", "a\nb", None, 5)),
    *((name, 1) for name in ("epochs", "status", "deleted_at", "id")),
]


def test_bad_changes(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id)
    for field, value in BAD_CHANGES:
        problem = assert_refused(act(client, training_id, "patch", json={field: value}), 422)
        assert problem["errors"][0]["field"] == field, value


def test_changes(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id)
    changes = {"name": "Night", "priority": -5, "start_not_before": "2030-01-01T22:00:00-03:00", "important": True}
    training = act(client, training_id, "patch", json=changes).json
    assert training["start_not_before"] == "2030-01-02T01:00:00Z"
    assert {key: training[key] for key in ("name", "priority", "important")} == {
        key: changes[key] for key in ("name", "priority", "important")
    }
    assert act(client, training_id, "patch", json={"start_not_before": None}).json["start_not_before"] is None
    assert act(client, training_id, "patch", json={}).json["name"] == "Night"


def test_foreign_ids(client: FlaskClient) -> None:
    for ident in ("7", "0", "-1", "9e99", "%00", "..%2fx", str(2**63)):
        for action in TABLE:
            assert_refused(act(client, ident, action), 404)  # type: ignore[arg-type]
        for path in ("/checkpoints", "/checkpoints/best/download"):
            assert_refused(client.get(f"/api/trainings/{ident}{path}"), 404)


def test_checkpoints(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "completed", checkpoint=3, name="../../Cars & co")
    base = f"/api/trainings/{training_id}/checkpoints"
    with idle_app.app_context(), writing() as session:
        best = Checkpoint(training_id=training_id, epoch=2, is_best=True, metrics={"map50": 0.5})
        best.model_path = f"models/{training_id}/run/weights/best.pt"
        missing = Checkpoint(
            training_id=training_id, epoch=1, model_path=f"models/{training_id}/checkpoints/epoch-1.pt"
        )
        outside = Checkpoint(
            training_id=training_id, epoch=9, model_path=f"models/{training_id}/../../../instance/test.db"
        )
        session.add_all([best, missing, outside])
    weights = folder_of(idle_app, training_id) / "run" / "weights"
    weights.mkdir(parents=True)
    content = checkpoint_bytes(b"x")
    (weights / "best.pt").write_bytes(content)

    listed = client.get(base).json["checkpoints"]
    assert [(item["epoch"], item["is_best"], item["resumable"]) for item in listed] == [
        (3, False, True),
        (2, True, False),
    ]
    assert [client.get(item["url"]).status_code for item in listed] == [200, 200]
    assert listed[1]["size_bytes"] == len(content)
    assert client.get(f"{base}/2/download").data == content
    name = client.get(f"{base}/3/download").headers["Content-Disposition"]
    assert name == f"attachment; filename=Cars-co-{training_id}-epoch-3.pt"
    for which in ("last", "1", "9", "0", "-1", "x", "..", "3.0", "%2e%2e", "9" * 30):
        assert_refused(client.get(f"{base}/{which}/download"), 404)


def test_events_are_numbered_without_a_gap(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, checkpoint=1)
    for action in ("pause", "resume", "patch", "stop", "retry", "delete", "restore"):
        assert act(client, training_id, action).status_code < 300
    with idle_app.app_context():
        events = db.session.query(TrainingEvent).order_by(TrainingEvent.seq).all()
        assert [item.seq for item in events] == list(range(1, len(events) + 1))
        assert [item.event for item in events if item.event != "training_status"] == [
            "training_paused",
            "training_cancelled",
            "training_cancelled",
        ]


@pytest.mark.parametrize(
    ("state", "message"), [("pending", "Stopped"), ("paused", "Stopped"), ("running", "Stop requested")]
)
def test_the_response_to_a_stop_reports_the_outcome(
    idle_app: APIFlask, client: FlaskClient, dataset_id: int, state: str, message: str
) -> None:
    answer = act(client, add(idle_app, dataset_id, state), "stop", headers={"Accept-Language": "en"})
    assert answer.json["message"] == message
