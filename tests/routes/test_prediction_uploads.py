"""Videos and ZIPs of images by tus: an interrupted upload resumes, and each file creates one prediction."""

from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.database import writing
from app.models import PredictionRun
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes, zip_bytes
from tests.random_weights import add_training
from tests.routes.test_exports import zip_of_nothing
from tests.routes.test_uploads_tus import begin, folder_of, offset, outcome, send, wait_for_record_alone
from tests.videos import drawn_video

PURPOSE = {"purpose": "prediction", "filename": "film.mp4", "name": ""}


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def training(idle_app: APIFlask) -> str:
    return str(add_training(idle_app, zip_of_nothing()))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return drawn_video(tmp_path_factory.mktemp("video") / "a.mp4", [0, 0.1, 0.2], (64, 48))


def predictions(client: FlaskClient) -> list[dict[str, Any]]:
    return client.get("/api/predictions").get_json()["predictions"]


def test_a_video_that_comes_in_pieces_becomes_one_prediction(
    idle_app: APIFlask, client: FlaskClient, training: str, video: bytes
) -> None:
    chosen = {"training_id": training, "confidence": "0.4", "classes": '{"a": 0.2}', "track": "false"}
    location = begin(client, len(video), **PURPOSE, **chosen).location
    half = len(video) // 2
    assert send(client, location, 0, video[:half]).status_code == 204
    assert client.get(location).get_json()["prediction_id"] is None
    assert send(client, location, 0, video).status_code == 409, "it goes on where it was cut"
    assert send(client, location, offset(client, location), video[half:]).status_code == 204
    result = outcome(client, location)
    assert (result["state"], result["purpose"], result["dataset_id"], result["problem"]) == (
        "done",
        "prediction",
        None,
        None,
    )
    (row,) = predictions(client)
    assert row["id"] == result["prediction_id"]
    assert (row["source"], row["filename"], row["input_bytes"]) == ("video", "film.mp4", len(video))
    assert (row["confidence"], row["classes"], row["track"], row["status"]) == (0.4, {"a": 0.2}, False, "pending")
    stored = Path(idle_app.config["DATA_ROOT"]) / "predictions" / str(row["id"]) / "input"
    assert stored.read_bytes() == video
    wait_for_record_alone(folder_of(idle_app, location))
    assert send(client, location, len(video), b"").status_code == 204
    assert len(predictions(client)) == 1


def test_a_zip_of_images_comes_the_same_way(client: FlaskClient, training: str) -> None:
    images = zip_bytes({"a.jpg": image_bytes()})
    values = PURPOSE | {"filename": "photos.zip", "training_id": training}
    location = begin(client, len(images), **values).location
    assert send(client, location, 0, images).status_code == 204
    assert outcome(client, location)["state"] == "done"
    assert [row["source"] for row in predictions(client)] == ["images"]


@pytest.mark.parametrize(
    ("values", "status", "field"),
    [
        ({"training_id": str(10**9)}, 404, None),
        ({"training_id": "one"}, 422, "training_id"),
        ({}, 422, "training_id"),
        ({"confidence": "2"}, 422, "confidence"),
        ({"classes": '{"a": 7}'}, 422, "classes"),
        ({"checkpoint": "77"}, 404, None),
        ({"purpose": "else"}, 422, "purpose"),
    ],
)
def test_what_cannot_become_one_is_refused_before_its_bytes(
    idle_app: APIFlask, client: FlaskClient, training: str, values: dict[str, str], status: int, field: str | None
) -> None:
    defaults = {} if not values else {"training_id": training}
    answer = begin(client, 10, **PURPOSE | defaults | values)
    assert answer.status_code == status, answer.text
    if field:
        assert [error["field"].partition(".")[0] for error in answer.get_json()["errors"]] == [field]
    assert not list((Path(idle_app.config["DATA_ROOT"]) / "uploads").iterdir())


def test_an_invalid_file_is_refused_as_in_a_direct_post(client: FlaskClient, training: str) -> None:
    location = begin(client, 9, **PURPOSE, training_id=training).location
    assert send(client, location, 0, b"no video.").status_code == 204
    result = outcome(client, location)
    assert (result["state"], result["problem"]["status"], result["prediction_id"]) == ("failed", 422, None)
    assert predictions(client) == []


def test_a_server_killed_after_the_row_creates_no_second_prediction(
    idle_app: APIFlask, client: FlaskClient, training: str, video: bytes, tmp_path: Path
) -> None:
    location = begin(client, len(video), **PURPOSE, training_id=training).location
    assert send(client, location, 0, video).status_code == 204
    first = outcome(client, location)["prediction_id"]
    wait_for_record_alone(folder_of(idle_app, location))
    store = idle_app.extensions["services"].uploads.store
    with idle_app.app_context():
        upload = store.find(location.rpartition("/")[2])
    upload.bin.write_bytes(video)
    upload.state, upload.prediction_id = "checking", None
    upload.save()
    again = create_app("web", settings_for(Path(idle_app.config["DATA_ROOT"]).parent, SOCKETIO_ASYNC_MODE="threading"))
    try:
        assert outcome(again.test_client(), location)["prediction_id"] == first
        assert again.test_client().get("/api/predictions").get_json()["total"] == 1
    finally:
        close_app(again)


def test_predictions_come_in_pages(idle_app: APIFlask, client: FlaskClient, training: str) -> None:
    options = {"confidence": 0.5, "iou": 0.5, "classes": {}, "track": False, "checkpoint": None}
    with idle_app.app_context(), writing() as session:
        for number in range(7):
            row = PredictionRun(training_id=int(training), source="video", options=options, input_bytes=1)
            row.filename, row.status = f"{number}.mp4", "cancelled"
            session.add(row)
            session.flush()
    page = client.get("/api/predictions?page=2&per_page=5").get_json()
    assert (page["total"], page["page"], page["pages"]) == (7, 2, 2)
    assert [row["filename"] for row in page["predictions"]] == ["1.mp4", "0.mp4"]
