"""Any file that the platform writes, cut, empty, garbage or with unknown keys, at a restart and while it runs: only
what it describes is affected, and it is named."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.models import Test
from app.services.storage.damaged import SUFFIX
from tests.data import image_bytes, yolo_zip
from tests.routes.test_datasets import ENGLISH, settled, upload
from tests.routes.test_installation import add_training, served

PREVIEWS = {"task": "detect", "names": ["thing"], "images": [
    {"file": "a.jpg", "width": 64, "height": 48, "truth": [{"class": 0, "box": [0.5, 0.5, 0.5, 0.5]}]}]}  # fmt: skip
EVALUATION = {"task": "detect", "names": ["thing"], "images": 2, "objects": 2, "confidence": 0.3, "iou": 0.45,
              "best": None,
              "curves": None, "matrix": [[0, 0, 2]], "pictures": []}  # fmt: skip
UPLOAD = "0" * 32
WITH_KEYS = (".json", ".jsonl", ".yaml")


def unknown_keys(data: bytes) -> bytes:
    """As a later version may write it."""
    if data[:1] != b"{":
        return data + b"a_key_of_tomorrow: [1, 2]\n"
    lines = data.decode().splitlines() if b"\n{" in data.strip() else [data.decode()]
    return "".join(json.dumps(json.loads(line) | {"a_key_of_tomorrow": {"x": 1}}) + "\n" for line in lines).encode()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "garbage": lambda data: bytes(range(256)) * 3,
    "garbage of the same size": lambda data: bytes((7 * place + 131) % 256 for place in range(len(data))),
    "another shape": lambda data: b'[{"a": null}, "\\ud800", 1e400]',
    "nonsense": lambda data: b'{"names": 5, "images": {"a": 1}, "state": [], "pid": "x", "devices": 3, "highest": []}',
    "unknown keys": unknown_keys,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped installation with one of each file that is written."""
    folder = tmp_path_factory.mktemp("whole")
    with served(folder, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in ("Mine", "Theirs"):
            settled(client, upload(client, yolo_zip(), name=name).json["dataset_id"])
        assert exported(client, 1, "coco").status_code == 200
        add_training(app, 1)
        add_training(app, 2, name="Theirs")
        fill(app, folder / "data")
    return folder


def fill(app: APIFlask, data: Path) -> None:
    """What only real trainings, tests and uploads leave, in their form."""
    run = data / "models" / "1"
    files: dict[str, bytes] = {
        "previews/index.json": json.dumps(PREVIEWS).encode(),
        "previews/epoch-1.json": json.dumps({"epoch": 1, "images": [[{"class": 0}]]}).encode(),
        "previews/image-0.jpg": image_bytes(),
        "evaluation/evaluation.json": json.dumps(EVALUATION).encode(),
        "evaluation/image-0.jpg": image_bytes(),
        "run/results.png": image_bytes(form="PNG"),
        "run/args.yaml": b"epochs: 2\nmodel: yolov8n.yaml\n",
        "config.yaml": b"training_id: 1\narguments: {epochs: 2, model: yolov8n.yaml}\nversions: {}\n",
        "checkpoints/epoch-2.pt": (run / "run" / "weights" / "best.pt").read_bytes(),
        "attempts/1/worker.log": b"Epoch 1\nEpoch 2\n",
    }
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    with app.app_context(), writing() as session:
        session.add(Test(training_id=1, image_path="tests/1/input_image.jpg", results=[], confidence_threshold=0.5,
                         iou_threshold=0.5))  # fmt: skip
    details = {
        "filename": "a.jpg",
        "checkpoint": None,
        "floor": 0.1,
        "width": 64,
        "height": 48,
        "task": "detect",
        "weaker": [],
    }
    for name, content in {"input_image.jpg": image_bytes(), "annotated.jpg": image_bytes(),
                          "details.json": json.dumps(details).encode()}.items():  # fmt: skip
        (data / "tests" / "1").mkdir(parents=True, exist_ok=True)
        (data / "tests" / "1" / name).write_bytes(content)
    info = {"length": 10, "metadata": {"filename": "a.zip"}, "form": {"name": "a"}, "locale": "en",
            "state": "receiving",
            "created_at": "2026-01-01T00:00:00+00:00", "dataset_id": None, "problem": None, "header": ""}  # fmt: skip
    (data / "uploads" / UPLOAD).mkdir()
    (data / "uploads" / UPLOAD / "info.json").write_text(json.dumps(info))
    (data / "uploads" / UPLOAD / "bin").write_bytes(b"12345")
    (data / "ingests" / "a").mkdir(parents=True, exist_ok=True)
    (data / "ingests" / "a" / "child.json").write_text('{"pid": 999999, "started": 1.0}')
    (data / "backups" / "1-run").mkdir(parents=True)
    (data / "backups" / "1-run" / "manifest.json").write_text("{}")


def written(folder: Path) -> list[str]:
    """The files that the platform writes and reads again: not the images and labels of people."""
    found = []
    for path in sorted((folder / "data").rglob("*")):
        parts = path.relative_to(folder / "data").parts
        theirs = (
            parts[0] in {"tmp", "ultralytics", "objects", "jobs"}
            or (parts[:2] == ("models", "2"))
            or parts[:2] == ("datasets", "2")
        )
        raw = {"source", "images", "labels", "original.zip"} & set(parts)
        if path.is_file() and not path.is_symlink() and not theirs and not raw and not path.name.endswith(SUFFIX):
            found.append("/".join(parts))
    return found


ADDRESSES = (
    "/", "/datasets", "/datasets/1", "/trainings", "/trainings/1", "/tests", "/system", "/compare?ids=1,2", "/health",
    "/ready", "/metrics",
    "/api/datasets", "/api/datasets/1", "/api/datasets/1/images", "/api/datasets/1/images/1",
    "/api/datasets/1/images/1/file", "/api/datasets/1/images/1/thumbnail", "/api/datasets/1/statistics",
    "/api/datasets/1/findings", "/api/datasets/1/report.json", "/api/datasets/1/report.csv",
    "/api/datasets/1/revisions",
    "/api/datasets/1/export?format=coco",
    "/api/trainings", "/api/trainings/1", "/api/trainings/1/metrics", "/api/trainings/1/csv-data",
    "/api/trainings/1/log",
    "/api/trainings/1/events", "/api/trainings/1/checkpoints", "/api/trainings/1/previews",
    "/api/trainings/1/previews/1",
    "/api/trainings/1/previews/images/0", "/api/trainings/1/evaluation", "/api/trainings/1/evaluation/images/0",
    "/api/trainings/1/verdict", "/api/trainings/1/files", "/api/trainings/1/files/results.png",
    "/api/trainings/1/download", "/api/trainings/1/bundle", "/api/trainings/compare?ids=1,2",
    "/api/tests", "/api/tests/1", "/api/tests/1/image", f"/api/uploads/{UPLOAD}", "/api/system",
)  # fmt: skip


def look_around(client: FlaskClient) -> None:
    """No list, no page and nothing of anybody else is affected."""
    for address in ADDRESSES:
        answer = client.get(address, headers=ENGLISH)
        assert answer.status_code < 500, (address, answer.status_code, answer.text[:300])
        answer.get_data()
        answer.close()
    datasets = {item["name"]: item["status"] for item in client.get("/api/datasets").json["datasets"]}
    assert datasets["Theirs"] == "valid"
    assert datasets["Mine"] == "valid", "its images and labels are whole"
    runs = {item["name"]: item["status"] for item in client.get("/api/trainings").json["trainings"]}
    assert runs == {"Run": "completed", "Theirs": "completed"}
    for address in ("/api/trainings/2/csv-data", "/api/trainings/2/download", "/api/datasets/2/images?per_page=2"):
        assert client.get(address).status_code == 200
    table = client.get("/api/trainings/1/csv-data").json
    assert table["columns"][:2] == ["epoch", "time"]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "next", "dataset_id": 2, "model_version": "n", "epochs": 1, "start_not_before": later}
    made = client.post("/api/trainings", json=body)
    assert made.status_code == 201, made.json
    assert client.delete(f"/api/trainings/{made.json['training_id']}").status_code == 200
    header = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "filename YS56aXA=,name YQ=="}
    assert client.post("/api/uploads", headers=header).status_code == 201


def copied(whole: Path, folder: Path) -> Path:
    for name in ("data", "instance"):
        shutil.copytree(whole / name, folder / name, symlinks=True)
    return folder


def damage(folder: Path, name: str, kind: str) -> None:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)  # what is over is tidied up at a start
    path.write_bytes(DAMAGES[kind](path.read_bytes() if path.exists() else b"{}"))


def heal(whole: Path, folder: Path, name: str) -> None:
    (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(whole / "data" / name, folder / "data" / name)
    for left in (folder / "data").rglob(f"*{SUFFIX}"):
        left.unlink()


def chosen(whole: Path, kind: str) -> list[str]:
    names = [name for name in written(whole) if name != ".installation.json"]  # a second copy: one of them is whole
    return [name for name in names if name.endswith(WITH_KEYS)] if kind == "unknown keys" else names


@pytest.mark.parametrize("kind", DAMAGES)
def test_all_of_them(kind: str, whole: Path, tmp_path: Path) -> None:
    """While it runs, and at a restart. Each is a file that is damaged alone; all at once they hide nothing."""
    copied(whole, tmp_path)
    names = chosen(whole, kind)
    assert len(names) > 8
    for start in ("damaged while it runs", "damaged before the start"):
        if start == "damaged before the start":
            for name in names:
                damage(tmp_path, name, kind)
        with served(tmp_path, BACKUP_MODELS="none") as app:
            client = app.test_client()
            if start == "damaged while it runs":
                for name in names:
                    damage(tmp_path, name, kind)
            look_around(client)
        for name in names:
            heal(whole, tmp_path, name)


def test_each_of_them(whole: Path, tmp_path: Path) -> None:
    """Alone: what reads it meets everything else as it was."""
    copied(whole, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in chosen(whole, "garbage"):
            damage(tmp_path, name, "garbage")
            try:
                look_around(client)
            except AssertionError as error:
                raise AssertionError(name) from error
            heal(whole, tmp_path, name)


def test_it_is_named(whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and on the page that it belongs to; what it was is kept."""
    copied(whole, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in ("models/1/previews/index.json", "models/1/evaluation/evaluation.json", "models/1/run/results.csv",
                     "datasets/1/revisions/1/index.sqlite"):  # fmt: skip
            (tmp_path / "data" / name).write_bytes(b"garbage")
        for address in ("/api/trainings/1/previews", "/api/trainings/1/evaluation", "/api/datasets/1/images"):
            client.get(address)
        assert client.get("/api/trainings/1/csv-data").json["rows"][1][0] == 2, "from the recorded epochs"
        damaged = client.get("/api/trainings/1/files").json["damaged"]
        assert damaged == ["evaluation/evaluation.json", "previews/index.json", "run/results.csv"]
        assert client.get("/api/datasets/1").json["damaged"] == ["index.sqlite"]
        again = client.get("/api/datasets/1/images", headers=ENGLISH)
        assert again.status_code == 409
        assert "damaged" in again.json["detail"], "also when it was set aside before"
        assert "previews/index.json is damaged" in caplog.text
    kept = next((tmp_path / "data/models/1/previews").glob(f"index.json-*{SUFFIX}"))
    assert kept.read_bytes() == b"garbage"


def test_a_description_is_made_anew(whole: Path, tmp_path: Path) -> None:
    """dataset.yaml, without which nothing could be trained."""
    path = copied(whole, tmp_path) / "data/datasets/1/revisions/1/dataset.yaml"
    path.write_bytes(b"\xff\x00")
    with served(tmp_path, BACKUP_MODELS="none"):
        text = path.read_text()
    assert f"path: {path.parent}\n" in text
    assert "train: images/train\nval: images/val\nnc: 1\nnames:\n  0: thing\n" in text


def test_a_dataset_whose_folder_was_removed(whole: Path, tmp_path: Path) -> None:
    """It is shown as missing, a training is refused with the reason, and it is whole when the folder is back."""
    copied(whole, tmp_path)
    folder = tmp_path / "data/datasets/1"
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        folder.rename(tmp_path / "away")
        for _ in range(2):
            shown = client.get("/api/datasets/1", headers=ENGLISH).json
            assert shown["status"] == "invalid"
            assert "missing" in shown["error"]
        assert [item["name"] for item in client.get("/api/datasets?status=valid").json["datasets"]] == ["Theirs"]
        assert [item["name"] for item in client.get("/api/datasets?status=invalid").json["datasets"]] == ["Mine"]
        body = {"dataset_id": 1, "model_version": "n", "epochs": 1}
        for path in ("/api/trainings", "/api/trainings/1/clone"):
            refused = client.post(path, json=body if path == "/api/trainings" else {}, headers=ENGLISH)
            assert refused.status_code == 409, refused.json
            assert "missing" in refused.json["detail"]
        assert client.get("/api/datasets/1/export?format=yolo").status_code == 404
        (tmp_path / "away").rename(folder)
        assert client.get("/api/datasets/1").json["status"] == "valid"
        folder.rename(tmp_path / "away")
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/api/datasets/1").json["status"] == "invalid"
    os.replace(tmp_path / "away", folder)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/api/datasets/1").json["status"] == "valid"


def test_an_export_of_a_dataset_that_is_deleted(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone: 404, whenever the deletion comes between the look at the row and the ZIP."""
    copied(whole, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        held = app.extensions["services"]
        for owner, name in ((held.jobs, "submit"), (held.jobs, "wait"), (held.storage, "put_export")):
            dataset_id = upload(client, yolo_zip(), name=name).json["dataset_id"]
            settled(client, dataset_id)
            with monkeypatch.context() as patch:
                delete_first(app, dataset_id, patch, owner, name)
                answer = exported(client, dataset_id)
            assert answer.status_code == 404, (name, answer.json)


def exported(client: FlaskClient, dataset_id: int, form: str = "yolo") -> Any:
    """The answer once the export's job has ended."""
    while True:
        answer = client.get(f"/api/datasets/{dataset_id}/export?format={form}", headers=ENGLISH)
        if answer.status_code != 202:
            answer.close()
            return answer


def delete_first(app: APIFlask, dataset_id: int, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Delete the dataset when this is called, then do what it does."""
    inner, done = getattr(owner, name), []

    def first(*args: Any, **options: Any) -> Any:
        if not done:
            done.append(app.test_client().delete(f"/api/datasets/{dataset_id}").status_code)
        return inner(*args, **options)

    patch.setattr(owner, name, first)


INFO = {"length": 10, "metadata": {"filename": "a.zip"}, "form": {"name": "a"}, "locale": "en", "state": "failed",
        "created_at": "2026-01-01T00:00:00+00:00", "dataset_id": None, "problem": None, "header": ""}  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [{"metadata": None}, {"form": None}, {"locale": None}, {"problem": {"status": "503"}}, {"header": None}],
)
def test_a_record_of_an_upload_with_a_value_of_another_kind(whole: Path, tmp_path: Path, values: Any) -> None:
    (copied(whole, tmp_path) / "data/uploads" / UPLOAD / "info.json").write_text(json.dumps(INFO | values))
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/api/uploads").status_code == 200
        assert app.test_client().get(f"/api/uploads/{UPLOAD}").status_code < 500


def test_an_upload_whose_bytes_are_gone(whole: Path, tmp_path: Path) -> None:
    """It begins again."""
    (copied(whole, tmp_path) / "data/uploads" / UPLOAD / "bin").unlink()
    with served(tmp_path, BACKUP_MODELS="none") as app:
        answer = app.test_client().head(f"/api/uploads/{UPLOAD}", headers={"Tus-Resumable": "1.0.0"})
        assert answer.headers.get("Upload-Offset", "0") == "0"
        assert answer.status_code < 500


@pytest.mark.parametrize("highest", ["[1]", "null", '{"dataset": Infinity}', '{"dataset": {}}'])
def test_a_mark_with_numbers_of_another_kind(whole: Path, tmp_path: Path, highest: str) -> None:
    copied(whole, tmp_path)
    for name in ("installation.json", ".installation.json"):
        path = tmp_path / "data" / name
        uuid = json.loads(path.read_text())["uuid"]
        path.write_text(f'{{"uuid": "{uuid}", "highest": {highest}}}')
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/ready").status_code == 200


def test_a_folder_that_was_set_aside_and_is_damaged(whole: Path, tmp_path: Path) -> None:
    """It cannot be told whose it is: it stays where it is."""
    folder = copied(whole, tmp_path) / "data/datasets/1"
    (folder / "about.json").unlink()
    (folder / "revisions/1/dataset.yaml").write_text("names: 5\n")
    aside = tmp_path / "data/orphans/datasets-1-0123abcd"
    aside.parent.mkdir(exist_ok=True)
    folder.rename(aside)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/ready").status_code == 200
        assert aside.is_dir()
