"""Weights that were trained elsewhere: the resulting runs, and files that are no weights, or would execute code."""

import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app import create_app
from app.database import writing
from app.errors import Unprocessable
from app.extensions import db
from app.models import Dataset, Training
from app.services.infer.serving import refuse_unknown
from app.services.uploaded_models import MOST_AT_ONCE
from scripts.local_server import ROOT, settings_for
from tests.data import image_bytes
from tests.random_weights import write_weights
from tests.routes.test_installation import served

CLASSES = ("round", "square")
pytestmark = pytest.mark.timeout(600)  # torch is loaded once for each file


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    app = create_app("cli", settings_for(tmp_path_factory.mktemp("app"), SOCKETIO_ASYNC_MODE="threading"))
    from app.database import upgrade_if_old

    upgrade_if_old(app)
    yield app
    app.extensions["services"].close()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_weights(tmp_path_factory.mktemp("weights") / "model.pt", *CLASSES).read_bytes()


def add_dataset(app: APIFlask, classes: tuple[str, ...] = CLASSES, task: str = "detect") -> int:
    with app.app_context(), writing() as session:
        row = Dataset(name="things", status="valid", classes=list(classes), task=task)
        session.add(row)
        session.flush()
        return row.id


def send(app: APIFlask, data: bytes, dataset_id: int, filename: str = "best.pt", **headers: str) -> Any:
    form = {"file": (io.BytesIO(data), filename), "dataset_id": str(dataset_id)}
    headers = {"Accept-Language": "en"} | {name.replace("_", "-"): value for name, value in headers.items()}
    options: dict[str, Any] = {"content_type": "multipart/form-data", "headers": headers}
    return app.test_client().post("/api/models", data=form, **options)


def leftovers(app: APIFlask) -> set[str]:
    root = Path(app.config["DATA_ROOT"])
    return {str(path) for name in ("models", "tmp") for path in (root / name).iterdir()}


@pytest.fixture(scope="module")
def added(shared_app: APIFlask, weights: bytes) -> dict[str, Any]:
    answer = send(shared_app, weights, add_dataset(shared_app), "mine.pt")
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def test_weights_become_a_completed_run(shared_app: APIFlask, weights: bytes, added: dict[str, Any]) -> None:
    assert (added["task"], added["architecture"], added["classes"]) == ("detect", "yolov8n", list(CLASSES))
    assert added["parameters"] > 3_000_000
    client, path = shared_app.test_client(), f"/api/trainings/{added['training_id']}"
    run = client.get(path).get_json()
    assert (run["status"], run["name"], run["downloadable"]) == ("completed", "mine", True)
    assert run["start"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert "mine.pt" in run["notes"][0]["message"]
    assert client.get(f"{path}/download").get_data() == weights
    assert client.get(f"{path}/verdict").status_code == 200
    models = client.get("/api/tests/models").get_json()["models"]
    assert added["training_id"] in [item["id"] for item in models]
    assert client.get(f"/trainings/{added['training_id']}").status_code == 200


def test_a_repeated_request_is_executed_once(shared_app: APIFlask, weights: bytes, added: dict[str, Any]) -> None:
    """The file is part of the key; clients are notified of the new run once."""
    dataset_id, messages = add_dataset(shared_app), list[str]()
    feed = shared_app.extensions["services"].uploaded_models.feed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(feed), "send", lambda _self, batch: messages.extend(item.event for item in batch))
        answers = [send(shared_app, weights, dataset_id, Idempotency_Key="one").get_json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["training_id"] != added["training_id"]
    assert messages == ["training_status"]
    second = send(shared_app, weights + b"0", dataset_id, Idempotency_Key="one")
    assert (second.status_code, second.get_json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_a_server_killed_between_two_steps_loses_and_duplicates_nothing(weights: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(weights)
    command = [sys.executable, "-m", "tests.routes.killed_uploads", str(tmp_path), str(tmp_path / "weights.pt")]
    completed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=500)
    assert completed.returncode == 0, completed.stderr
    answers = {answer["key"]: answer["training_id"] for answer in json.loads(completed.stdout.splitlines()[-1])}
    assert len(set(answers.values())) == len(answers) == 9
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        runs = {run["name"]: run["id"] for run in client.get("/api/trainings?per_page=50").get_json()["trainings"]}
        assert runs == answers, "each once"
        for training_id in answers.values():
            assert client.get(f"/api/trainings/{training_id}/download").get_data() == weights
        models, orphans = ((tmp_path / "data" / name).iterdir() for name in ("models", "orphans"))
        assert {path.name for path in models} == {str(number) for number in answers.values()}
        assert len(list(orphans)) == 2, "a folder without a row: preserved as an orphan"


def test_a_run_starts_from_them(shared_app: APIFlask, added: dict[str, Any]) -> None:
    client, training_id = shared_app.test_client(), added["training_id"]
    start = {"training_id": training_id, "checkpoint": "best"}
    new = client.post("/api/trainings", json={"dataset_id": add_dataset(shared_app), "epochs": 1, "start": start})
    assert new.status_code == 201, new.get_json()
    again = client.post(f"/api/trainings/{training_id}/clone", json={})
    assert again.status_code == 201, again.get_json()
    cloned = client.get(f"/api/trainings/{again.get_json()['training_id']}").get_json()
    assert cloned["start"] == {"kind": "training"} | start


def test_they_are_exported_where_the_dataset_shows_what_they_detect(
    shared_app: APIFlask, weights: bytes, added: dict[str, Any]
) -> None:
    client = shared_app.test_client()
    mismatched = send(shared_app, weights, add_dataset(shared_app, ("cat", "dog"))).get_json()
    for training_id, status in ((added["training_id"], 202), (mismatched["training_id"], 409)):
        answer = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"})
        assert answer.status_code == status, answer.get_json()


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


HUGE_LAYER = b"".join(  # 24 GB from a few bytes: torch.nn.Linear(60_000, 100_000)
    (
        b"\x80\x02ctorch.nn.modules.linear\nLinear\n",
        b"J",
        struct.pack("<i", 60_000),
        b"J",
        struct.pack("<i", 100_000),
        b"\x86R.",
    )
)


def archive_of(value: Any, pickled: bytes | None = None) -> bytes:
    """As torch.save writes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model/data.pkl", pickled or pickle.dumps(value, protocol=2))
        archive.writestr("model/version", "3\n")
        archive.writestr("model/byteorder", "little")
    return target.getvalue()


def test_invalid_models_are_refused_without_leftovers(
    shared_app: APIFlask, weights: bytes, added: dict[str, Any], tmp_path: Path
) -> None:
    dataset_id, marker = add_dataset(shared_app), tmp_path / "was-run"
    before = leftovers(shared_app)
    bad = {
        "a picture": (image_bytes(), "isn't a PyTorch model"),
        "nothing": (b"", "isn't a PyTorch model"),
        "half a file": (weights[: len(weights) // 2], "isn't a PyTorch model"),
        "a ZIP": (archive_of(1).replace(b"data.pkl", b"dota.pkl"), "isn't a PyTorch model"),
        "flipped bits": (weights[:50_000] + bytes(5000) + weights[55_000:], "damaged"),
        "a dict": (archive_of({"model": None}), "no YOLO"),
        "a layer as large as the machine": (archive_of(None, HUGE_LAYER), "too large"),
        "code": (archive_of(Evil(f"touch {marker}")), "system"),
        "code beside a model": (archive_of({"model": Evil(f"touch {marker}"), "epoch": 1}), "system"),
    }
    for name, (data, words) in bad.items():
        answer = send(shared_app, data, dataset_id)
        body = answer.get_json()
        assert (answer.status_code, words in body["detail"]) == (422, True), (name, body)
        assert body["errors"][0]["field"] == "file", name
    assert not marker.exists(), "nothing of it was run"
    assert leftovers(shared_app) == before


def test_names_of_classes_are_printable(shared_app: APIFlask, tmp_path: Path) -> None:
    odd = write_weights(tmp_path / "odd.pt", "round\nsquare", "other").read_bytes()
    answer = send(shared_app, odd, add_dataset(shared_app))
    assert (answer.status_code, "class names" in answer.get_json()["detail"]) == (422, True), answer.get_json()


def test_their_classes_are_the_models_not_the_datasets(shared_app: APIFlask, weights: bytes) -> None:
    training_id = send(shared_app, weights, add_dataset(shared_app, ("cat", "dog"))).get_json()["training_id"]
    with shared_app.test_request_context():
        row = db.session.get_one(Training, training_id)
        refuse_unknown({"round": 0.3}, row)
        with pytest.raises(Unprocessable, match="cat"):
            refuse_unknown({"cat": 0.3}, row)


def test_few_are_checked_at_the_same_time(shared_app: APIFlask, weights: bytes) -> None:
    dataset_id, models = add_dataset(shared_app), shared_app.extensions["services"].uploaded_models
    for _slot in range(MOST_AT_ONCE):
        assert models._slots.acquire(blocking=False)
    try:
        answer = send(shared_app, weights, dataset_id)
    finally:
        for _slot in range(MOST_AT_ONCE):
            models._slots.release()
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)


def test_invalid_requests_are_refused(shared_app: APIFlask, weights: bytes) -> None:
    dataset_id, client = add_dataset(shared_app), shared_app.test_client()
    assert send(shared_app, weights, dataset_id, "best.zip").status_code == 400
    assert send(shared_app, weights, 10**9).status_code == 422
    assert client.post("/api/models", json={"dataset_id": dataset_id}).status_code == 415
    assert send(shared_app, weights, add_dataset(shared_app, task="classify")).status_code == 422
