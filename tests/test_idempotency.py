"""The same Idempotency-Key: one effect, one response, whoever repeats it and however fast."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.database import writing
from app.extensions import db
from app.models import IdempotencyKey, now
from app.services import idempotency
from scripts.local_server import Server, settings_for
from tests.data import valid_dataset
from tests.routes.test_training_actions import add, assert_refused, row_of


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def dataset_id(idle_app: APIFlask) -> int:
    return valid_dataset(idle_app)


def test_twenty_at_once(server: Server) -> None:
    """A real server in both modes: one training, 20 identical answers; the same for an action on it."""
    app = create_app("cli", settings_for(server.folder, SOCKETIO_ASYNC_MODE="threading"))
    later = {"dataset_id": valid_dataset(app), "epochs": 1, "img_size": 32, "name": "Once"}
    blocker = add(app, later["dataset_id"], "pending", params={"device": "cpu", "optimizer": "auto"})
    server.post(f"/api/trainings/{blocker}/stop")

    def at_once(path: str, body: dict[str, Any], key: str) -> list[tuple[int, str]]:
        def send(_number: int) -> tuple[int, str]:
            answer = server.post(path, json=body, headers={"Idempotency-Key": key})
            return answer.status_code, answer.text

        with ThreadPoolExecutor(20) as pool:
            return list(pool.map(send, range(20)))

    answers = at_once("/api/trainings", later, "a")
    assert len(set(answers)) == 1, set(answers)
    assert answers[0][0] == 201
    trainings = server.get("/api/trainings?search=Once").json()
    assert trainings["total"] == 1

    clones = at_once(f"/api/trainings/{blocker}/clone", {"name": "Copy"}, "a")
    assert len(set(clones)) == 1
    assert clones[0][0] == 201
    assert server.get("/api/trainings?search=Copy").json()["total"] == 1
    retries = at_once(f"/api/trainings/{blocker}/retry", {}, "a")
    assert (len(set(retries)), retries[0][0]) == (1, 202), set(retries)
    assert "Traceback" not in server.log()


def test_another_body_is_another_request(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"dataset_id": dataset_id, "name": "One"}
    first = client.post("/api/trainings", json=body, headers=key)
    turned = client.post(
        "/api/trainings", data='{ "name":"One",  "dataset_id":1}', headers=key, content_type="application/json"
    )
    assert (first.status_code, turned.json) == (201, first.json)
    problem = assert_refused(client.post("/api/trainings", json=body | {"name": "Two"}, headers=key), 422)
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert client.get("/api/trainings").json["total"] == 1

    url = f"/api/trainings/{first.json['training_id']}"
    assert client.post(f"{url}/pause", headers=key).status_code == 202
    assert client.post(f"{url}/pause", headers=key).json["status"] == "paused", "not done twice: that would be 409"
    assert_refused(client.post(f"{url}/pause"), 409)
    client.post(f"{url}/resume")
    assert client.post(f"{url}/pause", headers=key).json["status"] == "paused"
    assert row_of(idle_app, first.json["training_id"]).status == "pending"


def test_failed_requests_can_be_repeated(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    key = {"Idempotency-Key": "k"}
    training_id = add(idle_app, dataset_id, "running")
    assert_refused(client.post(f"/api/trainings/{training_id}/retry", headers=key), 409)
    with idle_app.app_context():
        assert db.session.query(IdempotencyKey).count() == 0
        with writing() as session:
            session.get_one(type(row_of(idle_app, training_id)), training_id).status = "failed"
    assert client.post(f"/api/trainings/{training_id}/retry", headers=key).status_code == 202


def test_keys(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    body = {"dataset_id": dataset_id}
    for key in ("", " ", "a b", "ã", "a" * 201, "\x7f"):
        answer = client.post("/api/trainings", json=body, headers={"Idempotency-Key": key})
        assert assert_refused(answer, 422)["errors"][0]["field"] == "Idempotency-Key", key
    assert client.get("/api/trainings").json["total"] == 0
    assert client.post("/api/trainings", json=body, headers={"Idempotency-Key": "!~" * 100}).status_code == 201


def test_a_key_is_free_again_after_a_day(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    def ask() -> int:
        body = {"dataset_id": dataset_id}
        return client.post("/api/trainings", json=body, headers={"Idempotency-Key": "k"}).json["training_id"]

    def age() -> None:
        with idle_app.app_context(), writing() as session:
            for mark in session.query(IdempotencyKey):
                mark.created_at = now() - timedelta(hours=25)

    first = ask()
    assert ask() == first
    age()
    assert ask() == first + 1
    with idle_app.app_context():
        assert idempotency.purge() == 0
    age()
    with idle_app.app_context():
        assert idempotency.purge() == 1
