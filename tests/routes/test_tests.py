"""Requests of the Test page beyond the specification: less confident detections, checkpoints, frames, models,
deleting.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.database import writing
from app.extensions import db
from app.models import Checkpoint, Test, Training, TrainingMetric, now
from app.services.infer.frames import MOST_AT_ONCE
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes
from tests.random_weights import add_training

PICTURE = image_bytes((320, 240))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    app = create_app("web", settings_for(tmp_path_factory.mktemp("warm"), SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


@pytest.fixture(scope="module")
def training(warm: APIFlask, random_weights: bytes) -> int:
    return add_training(warm, random_weights)


@pytest.fixture
def client(warm: APIFlask) -> FlaskClient:
    return warm.test_client()


def send(client: FlaskClient, path: str, training: Any, data: bytes = PICTURE, **fields: str) -> TestResponse:
    form = {"file": (io.BytesIO(data), "Foto 1.jpg"), "training_id": str(training)} | fields
    return client.post(path, data=form, headers={"Accept-Language": "en"})


def files_below(app: APIFlask) -> set[Path]:
    root = Path(app.config["DATA_ROOT"])
    return {path for name in ("tmp", "tests") for path in (root / name).rglob("*")}


def test_a_test_stores_weaker_detections(client: FlaskClient, training: int) -> None:
    every = send(client, "/api/tests", training, confidence="0.01").get_json()["detections"]
    level = (every[0]["confidence"] + every[-1]["confidence"]) / 2
    answer = send(client, "/api/tests?floor=0.01", training, confidence=str(level)).get_json()
    strong = send(client, "/api/tests", training, confidence=str(level)).get_json()
    assert answer["detections"] == strong["detections"]
    assert answer["weaker"]
    assert answer["detections"] + answer["weaker"] == every
    assert (answer["width"], answer["height"], answer["task"]) == (320, 240, "detect")
    assert "weaker" not in strong, "the specification's request has the specification's answer"
    assert client.get(answer["image_url"]).data == client.get(strong["image_url"]).data, "the weaker are not drawn"

    stored = client.get(f"/api/tests/{answer['test_id']}").get_json()
    assert answer.items() <= stored.items()
    assert (stored["filename"], stored["floor"], stored["checkpoint"]) == ("Foto 1.jpg", 0.01, None)
    assert "weaker" not in client.get(f"/api/tests/{strong['test_id']}").get_json()


def test_a_checkpoint_is_chosen(client: FlaskClient, warm: APIFlask, training: int) -> None:
    assert send(client, "/api/tests?checkpoint=best", training).get_json()["checkpoint"] == "best"
    missing = send(client, "/api/tests?checkpoint=last", training)
    assert missing.status_code == 404
    assert "doesn't have this checkpoint" in missing.get_json()["detail"]
    assert send(client, "/api/tests?checkpoint=7", training).status_code == 404
    with warm.app_context(), writing() as session:
        session.add(Checkpoint(training_id=training, epoch=7, model_path=f"models/{training}/run/weights/best.pt"))
    assert send(client, "/api/tests/frames?checkpoint=7", training).status_code == 200
    for wrong in ("../best", "0", "best.pt", ""):
        refused = send(client, f"/api/tests?checkpoint={wrong}", training)
        assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "checkpoint"), wrong


def test_a_frame_leaves_nothing(client: FlaskClient, warm: APIFlask, training: int) -> None:
    before = files_below(warm)
    with warm.app_context():
        rows = db.session.query(Test).count()
    answer = send(client, "/api/tests/frames", training, confidence="0.05")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert set(body) == {"detections", "inference_time", "total_time", "width", "height", "task"}
    assert body["detections"]
    assert (body["width"], body["height"]) == (320, 240)
    assert send(client, "/api/tests/frames", training, PICTURE[:300]).status_code == 422
    assert send(client, "/api/tests/frames", 987654).status_code == 404
    assert files_below(warm) == before
    with warm.app_context():
        assert db.session.query(Test).count() == rows


def test_frames_do_not_pile_up(client: FlaskClient, warm: APIFlask, training: int) -> None:
    slots = warm.extensions["services"].inference.frames._slots
    for _ in range(MOST_AT_ONCE):
        assert slots.acquire(blocking=False)
    refused = send(client, "/api/tests/frames", training)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.mimetype == "application/problem+json"
    assert send(client, "/api/tests", training).status_code == 201, "stored pictures are unaffected"
    for _ in range(MOST_AT_ONCE):
        slots.release()
    assert send(client, "/api/tests/frames", training).status_code == 200


def test_the_models_that_can_be_tried(client: FlaskClient, warm: APIFlask, training: int) -> None:
    extra_ids = [add_training(warm, b"weights"), add_training(warm, None), add_training(warm, b"in the trash")]
    with warm.app_context(), writing() as session:
        session.get_one(Training, extra_ids[0]).name = "100%_pardais"
        session.get_one(Training, extra_ids[2]).deleted_at = now()
        running = Training(name="sem pesos", dataset_id=1, model_version="n", status="running")
        session.add(running)
    page = client.get("/api/tests/models").get_json()
    assert [item["id"] for item in page["models"]] == [extra_ids[1], extra_ids[0], training]
    assert [item["downloadable"] for item in page["models"]] == [False, True, True]
    assert page["total"] == 3
    matches = client.get("/api/tests/models?search=%25_PARD").get_json()
    assert [item["id"] for item in matches["models"]] == [extra_ids[0]]
    assert client.get("/api/tests/models?search=cells&per_page=1").get_json()["pages"] == 3, "by the dataset's name too"


def test_deleting_removes_the_files(client: FlaskClient, warm: APIFlask, training: int) -> None:
    number = send(client, "/api/tests?floor=0.01", training).get_json()["test_id"]
    folder = Path(warm.config["TESTS_DIR"]) / str(number)
    assert {path.name for path in folder.iterdir()} == {
        "input_image.jpg",
        "annotated.jpg",
        "details.json",
        "about.json",
    }
    assert client.delete(f"/api/tests/{number}").get_json()["test_id"] == number
    assert not folder.exists()
    assert client.get(f"/api/tests/{number}").status_code == 404
    assert client.delete(f"/api/tests/{number}").status_code == 404


def test_the_history_is_searched_by_model(client: FlaskClient, training: int) -> None:
    send(client, "/api/tests", training)
    total = client.get("/api/tests").get_json()["total"]
    assert total
    assert client.get("/api/tests?search=élulas").get_json()["total"] == total
    assert client.get("/api/tests?search=_").get_json()["total"] == 0


def test_only_the_tests_page_is_allowed_to_play_media(client: FlaskClient) -> None:
    assert "media-src 'self' blob:" in client.get("/tests").headers["Content-Security-Policy"]
    assert "media-src" not in client.get("/trainings").headers["Content-Security-Policy"]


def test_the_default_is_the_newest_completed_model_that_learned_something(idle_app: APIFlask) -> None:
    """Not the newest run with any weights, such as one that has only started or that learned nothing."""
    training_ids = [add_training(idle_app, b"weights") for _ in range(5)]
    states = [
        ("completed", 0.9, 1),
        ("completed", 0.7, 3),
        ("completed", 0.6, 2),
        ("completed", 0.0, 9),
        ("running", 0.0, 0),
    ]
    with idle_app.app_context(), writing() as session:
        for number, (status, map50, day) in zip(training_ids, states, strict=True):
            row = session.get_one(Training, number)
            row.status, row.end_time = status, datetime(2026, 1, day, tzinfo=UTC) if day else None
            row.metrics = [TrainingMetric(epoch=1, map50=map50)]
            row.checkpoints = [Checkpoint(epoch=1, model_path="best.pt", is_best=True)]
    client = idle_app.test_client()
    page = client.get("/api/tests/models?per_page=1").get_json()
    assert ([item["id"] for item in page["models"]], page["default"]["id"]) == ([training_ids[4]], training_ids[1])
    with idle_app.app_context(), writing() as session:
        for number in training_ids[:3]:
            session.get_one(Training, number).deleted_at = now()
    assert client.get("/api/tests/models").get_json()["default"]["id"] == training_ids[3], (
        "completed, though it learned nothing"
    )
    with idle_app.app_context(), writing() as session:
        for number in training_ids:
            session.get_one(Training, number).deleted_at = now()
    assert client.get("/api/tests/models").get_json()["default"] is None
