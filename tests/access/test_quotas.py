"""Quotas of storage, counted per user."""

import base64
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask

from app.database import writing
from app.models import Checkpoint, Dataset, Training
from tests.access.conftest import Headers
from tests.data import change_settings, yolo_zip

TUS = {"Tus-Resumable": "1.0.0"}
MB = 2**20


@pytest.fixture
def quotas(app: APIFlask) -> Iterator[Callable[..., None]]:
    before = app.extensions["settings"]
    yield lambda **values: change_settings(app, **values)
    app.extensions["settings"] = before


def begin(app: APIFlask, headers: dict[str, str], length: int) -> Any:
    name = base64.b64encode(b"a.zip").decode()
    sent = TUS | headers | {"Upload-Length": str(length), "Upload-Metadata": f"filename {name},name {name}"}
    return app.test_client().post("/api/uploads", headers=sent)


def remove(app: APIFlask, headers: dict[str, str], *answers: Any) -> None:
    for answer in answers:
        assert app.test_client().delete(answer.headers["Location"], headers=TUS | headers).status_code == 204


def test_unfinished_uploads_by_number(app: APIFlask, headers: Headers, quotas: Callable[..., None]) -> None:
    quotas(QUOTA_UPLOADS=2)
    mine = [begin(app, headers["trainer"], 100) for _ in range(3)]
    assert [answer.status_code for answer in mine] == [201, 201, 409]
    assert "QUOTA_UPLOADS" in mine[2].json["detail"]
    theirs = begin(app, headers["another"], 100)
    assert theirs.status_code == 201
    remove(app, headers["trainer"], mine[0])
    again = begin(app, headers["trainer"], 100)
    assert again.status_code == 201
    remove(app, headers["trainer"], mine[1], again)
    remove(app, headers["another"], theirs)


def test_unfinished_uploads_by_bytes(app: APIFlask, headers: Headers, quotas: Callable[..., None]) -> None:
    quotas(QUOTA_UPLOAD_SIZE=10 * MB)
    answers = [begin(app, headers["trainer"], size * MB) for size in (6, 5, 4, 1)]
    assert [answer.status_code for answer in answers] == [201, 413, 201, 413]
    assert "QUOTA_UPLOAD_SIZE" in answers[1].json["detail"]
    remove(app, headers["trainer"], answers[0], answers[2])


def test_concurrent_requests_do_not_exceed_the_quota(
    app: APIFlask, headers: Headers, quotas: Callable[..., None]
) -> None:
    quotas(QUOTA_UPLOADS=3)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(begin(app, headers["trainer"], 100))) for _number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created = [answer for answer in answers if answer.status_code == 201]
    assert len(created) == 3
    remove(app, headers["trainer"], *created)


def test_datasets_by_bytes(app: APIFlask, headers: Headers, quotas: Callable[..., None]) -> None:
    client = app.test_client()
    me = client.get("/api/me", headers=headers["trainer"]).json["id"]
    with app.app_context(), writing() as session:
        session.add(Dataset(name="large", path="p", created_by=me, size_bytes=100 * MB))
    quotas(QUOTA_DATASETS=80 * MB)

    def post_dataset(name: str) -> Any:
        return client.post(
            "/api/datasets", data={"name": "d", "file": (io.BytesIO(yolo_zip()), "a.zip")}, headers=headers[name]
        )

    for answer in (post_dataset("trainer"), begin(app, headers["trainer"], 100)):
        assert answer.status_code == 413
        assert "QUOTA_DATASETS" in answer.json["detail"]
    assert begin(app, headers["another"], 81 * MB).status_code == 413
    allowed = begin(app, headers["another"], MB)
    assert allowed.status_code == 201
    remove(app, headers["another"], allowed)


def test_models_by_bytes(app: APIFlask, headers: Headers, quotas: Callable[..., None]) -> None:
    client = app.test_client()
    me = client.get("/api/me", headers=headers["trainer"]).json["id"]
    with app.app_context(), writing() as session:
        dataset = Dataset(name="d", path="p", created_by=me)
        session.add(dataset)
        session.flush()
        training = Training(name="t", dataset_id=dataset.id, model_version="n", created_by=me)
        session.add(training)
        session.flush()
        session.add(Checkpoint(training_id=training.id, epoch=1, model_path="x", size_bytes=100 * MB))
    form = {"name": "x", "model_version": "n", "dataset_id": 10**9, "epochs": 1}
    quotas(QUOTA_MODELS=100 * MB)
    refused = client.post("/api/trainings", json=form, headers=headers["trainer"])
    assert (refused.status_code, "QUOTA_MODELS" in refused.json["detail"]) == (413, True)
    assert client.post("/api/trainings", json=form, headers=headers["another"]).status_code != 413
    quotas(QUOTA_MODELS=101 * MB)
    assert client.post("/api/trainings", json=form, headers=headers["trainer"]).status_code != 413
