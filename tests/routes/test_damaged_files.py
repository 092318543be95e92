"""Any file that the platform writes, truncated, empty, garbage or with unknown keys, at a restart and while it runs:
only what it describes is affected, and it is named.
"""

import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.access.secrets import owner_secret
from app.config import settings
from app.core.outcome_files import (
    CURVES,
    LABEL_ERRORS,
    OUTCOMES,
    view_name,
    write_label_errors,
    write_outcomes,
    write_view,
)
from app.core.outcomes import ImageResult
from app.core.predictions import DETECTIONS_CSV, DETECTIONS_JSON, LABELS_ZIP, RESULT_FOLDER
from app.database import writing
from app.jobs import Job
from app.models import Dataset, Evaluation, ModelExport, PredictionRun, Test, now
from app.services.janitor import Janitor
from app.services.storage.damaged import SUFFIX
from tests.data import checkpoint_bytes, image_bytes, yolo_zip, zip_bytes
from tests.file_kinds import DAMAGED, matches_any, unregistered_files
from tests.routes.test_datasets import ENGLISH, upload, wait_for_dataset
from tests.routes.test_installation import add_training, served
from tests.services.test_evaluation_views import CURVE, PICTURES, pictures

PREVIEWS = {
    "task": "detect",
    "names": ["thing"],
    "images": [{"file": "a.jpg", "width": 64, "height": 48, "truth": [{"class": 0, "box": [0.5, 0.5, 0.5, 0.5]}]}],
}
EVALUATION = {
    "task": "detect",
    "names": ["thing"],
    "images": 2,
    "objects": 2,
    "confidence": 0.3,
    "iou": 0.45,
    "best": None,
    "curves": None,
    "matrix": [[0, 0, 2]],
    "pictures": [],
}
UPLOAD = "0" * 32
VIDEO = "video.mp4"
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
    "garbage of the same size": lambda data: bytes((7 * index + 131) % 256 for index in range(len(data))),
    "another shape": lambda data: b'[{"a": null}, "\\ud800", 1e400]',
    "nonsense": lambda data: b'{"names": 5, "images": {"a": 1}, "state": [], "pid": "x", "devices": 3, "highest": []}',
    "unknown keys": unknown_keys,
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped installation with one file of each kind."""
    folder = tmp_path_factory.mktemp("intact")
    with served(folder, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in ("Mine", "Theirs"):
            wait_for_dataset(client, upload(client, yolo_zip(), name=name).json["dataset_id"])
        assert export_dataset(client, 1, "coco").status_code == 200
        add_training(app, 1)
        add_training(app, 2, name="Theirs")
        fill(app, folder / "data")
    return folder


def fill(app: APIFlask, data: Path) -> None:
    """Files that otherwise only real trainings, tests and uploads write, in their format."""
    run = data / "models" / "1"
    files: dict[str, bytes] = {
        "previews/index.json": json.dumps(PREVIEWS).encode(),
        "previews/index-copy.json": json.dumps(PREVIEWS).encode(),
        "previews/epoch-1.json": json.dumps({"epoch": 1, "images": [[{"class": 0}]]}).encode(),
        "previews/image-0.jpg": image_bytes(),
        "evaluation/evaluation.json": json.dumps(EVALUATION).encode(),
        "evaluation/image-0.jpg": image_bytes(),
        "run/results.png": image_bytes(form="PNG"),
        "run/args.yaml": b"epochs: 2\nmodel: yolov8n.yaml\n",
        "config.yaml": b"training_id: 1\narguments: {epochs: 2, model: yolov8n.yaml}\nversions: {}\n",
        "checkpoints/epoch-2.pt": (run / "run" / "weights" / "best.pt").read_bytes(),
        "attempts/1/worker.log": b"Epoch 1\nEpoch 2\n",
        "attempts/1/rank-1.json": b'{"failure": null}',
        f"evaluations/{'1' * 32}/matches.npz": zip_bytes({"conf.npy": b""}),
        f"evaluations/{'1' * 32}/compare-{'2' * 32}.json": b'{"differ": "images"}',
    }
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    (data / "datasets" / "1" / "names.json").write_text('{"a.jpg": "ä.jpg"}')
    owner_secret(settings(app).INSTANCE_PATH)
    for training_id in (1, 2):
        add_evaluation(app, training_id)
        add_export(app, training_id)
        add_prediction(app, training_id)
    with app.app_context(), writing() as session:
        session.add(
            Test(
                training_id=1,
                image_path="tests/1/input_image.jpg",
                results=[],
                confidence_threshold=0.5,
                iou_threshold=0.5,
            )
        )
    details = {
        "filename": "a.jpg",
        "checkpoint": None,
        "floor": 0.1,
        "width": 64,
        "height": 48,
        "task": "detect",
        "weaker": [],
    }
    for name, content in {
        "input_image.jpg": image_bytes(),
        "annotated.jpg": image_bytes(),
        "details.json": json.dumps(details).encode(),
    }.items():
        (data / "tests" / "1").mkdir(parents=True, exist_ok=True)
        (data / "tests" / "1" / name).write_bytes(content)
    info = {
        "length": 10,
        "metadata": {"filename": "a.zip"},
        "form": {"name": "a"},
        "locale": "en",
        "state": "receiving",
        "created_at": "2026-01-01T00:00:00+00:00",
        "dataset_id": None,
        "problem": None,
        "header": "",
    }
    (data / "uploads" / UPLOAD).mkdir()
    (data / "uploads" / UPLOAD / "info.json").write_text(json.dumps(info))
    (data / "uploads" / UPLOAD / "bin").write_bytes(b"12345")
    (data / "ingests" / "a").mkdir(parents=True, exist_ok=True)
    (data / "ingests" / "a" / "child.json").write_text('{"pid": 999999, "started": 1.0}')
    (data / "backups" / "1-run").mkdir(parents=True)
    (data / "backups" / "1-run" / "manifest.json").write_text("{}")


def add_evaluation(app: APIFlask, training_id: int) -> None:
    """Adds a completed evaluation, with the files that its program writes."""
    names, figures = (
        ["cat", "dog", "cow"],
        {"precision": 0.5, "recall": 0.5, "map50": 0.5, "map95": 0.5, "fitness": 0.5},
    )
    row = Evaluation(training_id=training_id, dataset_id=training_id, revision=1, split="val", checkpoint="best")
    row.img_size, row.status, row.token = 64, "completed", str(training_id) * 32
    row.result = {"names": names, "confidence": 0.3, "iou": 0.45, "metrics": figures, "images": len(PICTURES)}
    folder = app.extensions["services"].storage.evaluation_dir(training_id, row.token)
    with app.app_context(), writing() as session:
        session.add(row)
    folder.mkdir(parents=True, exist_ok=True)
    write_outcomes(folder / OUTCOMES, pictures(PICTURES))
    write_view(folder / view_name(0.3, 0.45), pictures(PICTURES), 0.3, 0.45)
    write_label_errors(folder / LABEL_ERRORS, pictures(PICTURES))
    (folder / CURVES).write_text(json.dumps(CURVE))


def add_export(app: APIFlask, training_id: int) -> None:
    """A verified export in a format with a folder of files."""
    content = {"model.bin": bytes(range(256)) * 4, "model.xml": b"<net/>", "metadata.yaml": b"names: {0: thing}\n"}
    shares = {"p50": 1.0, "p95": 2.0}
    figures = {"precision": 0.5, "recall": 0.5, "map50": 0.5, "map95": 0.5, "latency_ms": shares}
    row = ModelExport(training_id=training_id, key="0" * 64, format="openvino", arguments={"img_size": 64})
    row.weights_sha256, row.status = "0" * 64, "completed"
    row.verification = figures | {"reference": figures, "images": 4, "device": "cpu", "at_threshold": None}
    row.size_bytes = sum(map(len, content.values()))
    hashes = {f"model_openvino_model/{name}": hashlib.sha256(data).hexdigest() for name, data in content.items()}
    row.details = {"model": "model_openvino_model", "names": ["thing"], "sha256": hashes}
    with app.app_context(), writing() as session:
        session.add(row)
        session.flush()
        folder = Path(app.config["MODELS_DIR"]) / str(training_id) / "exports" / str(row.id) / "model_openvino_model"
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def add_prediction(app: APIFlask, training_id: int) -> None:
    """Adds a completed prediction of many images, with the files that its program writes."""
    content = {
        DETECTIONS_JSON: json.dumps({"images": []}).encode(),
        DETECTIONS_CSV: b"image,class\n",
        LABELS_ZIP: zip_bytes({"a.txt": "0 0.5 0.5 0.5 0.5\n"}),
        VIDEO: bytes(300),
    }
    row = PredictionRun(training_id=training_id, source="images", filename="a.zip", input_bytes=10, status="completed")
    row.options = {"confidence": 0.3, "iou": 0.45, "classes": {}, "track": False, "checkpoint": None}
    images = {"read": 1, "skipped": 0, "unread": {"count": 0, "first": []}}
    row.result = {"files": {name: len(data) for name, data in content.items()}, "images": images, "task": "detect"}
    with app.app_context(), writing() as session:
        session.add(row)
        session.flush()
        folder = app.extensions["services"].storage.prediction_dir(row.id) / RESULT_FOLDER
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


# By their paths relative to the data folder.
BESIDE = [
    *(f"../instance/{name}" for name in ("secret_key", "owner_token", "test.db-owner")),
    *(f"../logs/{name}" for name in ("audit_admins.jsonl", "app.log")),
]


def written_files(folder: Path) -> list[str]:
    """The files that the platform writes and reads again: not the users' images and labels."""
    names = []
    for path in sorted((folder / "data").rglob("*")):
        parts = path.relative_to(folder / "data").parts
        theirs = (
            parts[0] in {"tmp", "ultralytics", "objects", "jobs"}
            or (parts[:2] == ("models", "2"))
            or parts[:2] == ("datasets", "2")
            or parts[:2] == ("predictions", "2")
        )
        raw = {"source", "images", "labels", "original.zip"} & set(parts)
        if path.is_file() and not path.is_symlink() and not theirs and not raw and not path.name.endswith(SUFFIX):
            names.append("/".join(parts))
    return [*names, *BESIDE]


ADDRESSES = (
    "/",
    "/datasets",
    "/datasets/1",
    "/trainings",
    "/trainings/1",
    "/tests",
    "/system",
    "/compare?ids=1,2",
    "/health",
    "/ready",
    "/metrics",
    "/api/datasets",
    "/api/datasets/1",
    "/api/datasets/1/images",
    "/api/datasets/1/images/1",
    "/api/datasets/1/images/1/file",
    "/api/datasets/1/images/1/thumbnail",
    "/api/datasets/1/statistics",
    "/api/datasets/1/findings",
    "/api/datasets/1/report.json",
    "/api/datasets/1/report.csv",
    "/api/datasets/1/revisions",
    "/api/datasets/1/export?format=coco",
    "/api/trainings",
    "/api/trainings/1",
    "/api/trainings/1/metrics",
    "/api/trainings/1/csv-data",
    "/api/trainings/1/log",
    "/api/trainings/1/events",
    "/api/trainings/1/checkpoints",
    "/api/trainings/1/previews",
    "/api/trainings/1/previews/1",
    "/api/trainings/1/previews/images/0",
    "/api/trainings/1/evaluation",
    "/api/trainings/1/evaluation/images/0",
    "/api/trainings/1/verdict",
    "/api/trainings/1/files",
    "/api/trainings/1/files/results.png",
    "/api/trainings/1/download",
    "/api/trainings/1/bundle",
    "/evaluations/1",
    "/api/trainings/1/evaluations",
    "/api/evaluations/1",
    "/api/evaluations/1/matrix",
    "/api/evaluations/1/matrix?confidence=0.4",
    "/api/evaluations/1/images",
    "/api/evaluations/1/images?kind=missed&confidence=0.4",
    "/api/evaluations/1/images/1/file",
    "/api/evaluations/1/images/1/thumbnail",
    "/api/evaluations/1/label-errors",
    "/api/evaluations/1/curves",
    "/api/evaluations/1/thresholds",
    "/api/trainings/1/exports",
    "/api/exports/1",
    "/api/exports/1/download",
    "/api/trainings/compare?ids=1,2",
    "/api/tests",
    "/api/tests/1",
    "/api/tests/1/image",
    "/api/predictions",
    "/api/predictions/1",
    *(f"/api/predictions/1/files/{name}" for name in (DETECTIONS_JSON, DETECTIONS_CSV, LABELS_ZIP, VIDEO)),
    f"/api/uploads/{UPLOAD}",
    "/api/system",
    *("/api/system/logs", "/api/audit", "/api/audit.csv", "/audit", "/login"),
)


def check_everything_else(client: FlaskClient) -> None:
    """Asserts that no list, no page and no other row is affected."""
    for address in ADDRESSES:
        answer = client.get(address, headers=ENGLISH)
        assert answer.status_code < 500, (address, answer.status_code, answer.text[:300])
        answer.get_data()
        answer.close()
    datasets = {item["name"]: item["status"] for item in client.get("/api/datasets").json["datasets"]}
    assert datasets["Theirs"] == "valid"
    assert datasets["Mine"] == "valid", "its images and labels are intact"
    runs = {item["name"]: item["status"] for item in client.get("/api/trainings").json["trainings"]}
    assert runs == {"Run": "completed", "Theirs": "completed"}
    theirs = ("trainings/2/csv-data", "trainings/2/download", "datasets/2/images?per_page=2", "exports/2/download")
    theirs += tuple(f"predictions/2/files/{name}" for name in (DETECTIONS_JSON, DETECTIONS_CSV, LABELS_ZIP))
    for address in (*theirs, *(f"evaluations/2/{what}" for what in ("matrix", "images", "curves", "thresholds"))):
        answer = client.get(f"/api/{address}")
        assert answer.status_code == 200, (address, answer.json)
        answer.close()
    models = Path(client.application.config["MODELS_DIR"])
    packed = client.get("/api/exports/1/download")
    assert (packed.status_code == 200) == have_same_files(
        models / "1" / "exports" / "1", models / "2" / "exports" / "2"
    )
    packed.close()
    best = Path(client.application.config["MODELS_DIR"]) / "1" / "run" / "weights" / "best.pt"
    answer = client.get("/api/trainings/1/download")
    if checkpoint_bytes(b"Run") == best.read_bytes():
        assert answer.status_code == 200
    elif best.stat().st_size:  # an empty file does not count
        assert (answer.status_code, answer.json["file"]) == (409, "best.pt")
    table = client.get("/api/trainings/1/csv-data").json
    assert table["columns"][:2] == ["epoch", "time"]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "next", "dataset_id": 2, "model_version": "n", "epochs": 1, "start_not_before": later}
    created = client.post("/api/trainings", json=body)
    assert created.status_code == 201, created.json
    assert client.delete(f"/api/trainings/{created.json['training_id']}").status_code == 200
    header = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "filename YS56aXA=,name YQ=="}
    assert client.post("/api/uploads", headers=header).status_code == 201


def have_same_files(first: Path, second: Path) -> bool:
    """Whether both folders have the same files and contents."""
    contents = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (first, second)
    ]
    return contents[0] == contents[1]


def copy_installation(intact: Path, folder: Path) -> Path:
    for name in ("data", "instance", "logs"):
        shutil.copytree(intact / name, folder / name, symlinks=True)
    return folder


def damage(folder: Path, name: str, kind: str) -> None:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)  # ended work is removed at a start
    path.write_bytes(DAMAGES[kind](path.read_bytes() if path.exists() else b"{}"))


def heal(intact: Path, folder: Path, name: str) -> None:
    (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(intact / "data" / name, folder / "data" / name)
    # not rglob, since folders of jobs appear and disappear meanwhile
    for parent, _folders, files in os.walk(folder / "data"):
        for file in files:
            if file.endswith(SUFFIX):
                Path(parent, file).unlink(missing_ok=True)


def choose_names(intact: Path, kind: str) -> list[str]:
    names = [name for name in written_files(intact) if name != ".installation.json"]  # a copy exists
    return [name for name in names if name.endswith(WITH_KEYS)] if kind == "unknown keys" else names


@pytest.mark.parametrize("kind", DAMAGES)
def test_all_files_damaged_together(kind: str, intact: Path, tmp_path: Path) -> None:
    """While it runs, and at a restart. Each file is damaged alone, too; all at once they hide nothing."""
    copy_installation(intact, tmp_path)
    names = choose_names(intact, kind)
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
            check_everything_else(client)
        for name in names:
            heal(intact, tmp_path, name)


def test_each_file_damaged_alone(intact: Path, tmp_path: Path) -> None:
    """Alone: its reader finds everything else unchanged."""
    copy_installation(intact, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in choose_names(intact, "garbage"):
            damage(tmp_path, name, "garbage")
            try:
                check_everything_else(client)
            except AssertionError as error:
                raise AssertionError(name) from error
            heal(intact, tmp_path, name)


def test_damage_is_reported_where_it_belongs(intact: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and on its page; the damaged file is preserved."""
    copy_installation(intact, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in (
            "models/1/previews/index.json",
            "models/1/evaluation/evaluation.json",
            "models/1/run/results.csv",
            "models/1/previews/index-copy.json",
        ):
            (tmp_path / "data" / name).write_bytes(b"garbage")
        for address in ("/api/trainings/1/previews", "/api/trainings/1/evaluation"):
            client.get(address)
        assert client.get("/api/trainings/1/csv-data").json["rows"][1][0] == 2, "from the recorded epochs"
        damaged = client.get("/api/trainings/1/files").json["damaged"]
        names = ["evaluation/evaluation.json", "previews/index-copy.json", "previews/index.json", "run/results.csv"]
        assert damaged == names
        assert "previews/index.json is damaged" in caplog.text
    set_aside = next((tmp_path / "data/models/1/previews").glob(f"index.json-*{SUFFIX}"))
    assert set_aside.read_bytes() == b"garbage"


def ended_job(client: FlaskClient, job_id: int) -> str:
    limit = time.monotonic() + 120
    while (status := client.get(f"/api/jobs/{job_id}").json["status"]) in {"pending", "running"}:
        assert time.monotonic() < limit
        time.sleep(0.05)
    return str(status)


@pytest.mark.parametrize("missing", [False, True], ids=["damaged", "gone"])
def test_a_damaged_index_of_a_revision_is_rebuilt(intact: Path, tmp_path: Path, missing: bool) -> None:
    """By a job; meanwhile the page shows its progress and the earlier contents."""
    path = copy_installation(intact, tmp_path) / "data/datasets/1/revisions/1/index.sqlite"
    parts = ("images?per_page=50", "findings", "statistics", "images/1")
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        before = [client.get(f"/api/datasets/1/{part}").json for part in parts]
        if missing:
            path.unlink()
        else:
            path.write_bytes(b"garbage")
        first, second = [client.get("/api/datasets/1/images", headers=ENGLISH) for _ in range(2)]
        assert first.status_code == 409
        assert "created again" in first.json["detail"]
        job_id = first.json["job_id"]
        assert second.status_code == 200 or second.json["job_id"] == job_id, "one job, and it may be through"
        assert ended_job(client, job_id) == "completed"
        assert [client.get(f"/api/datasets/1/{part}").json for part in parts] == before
        assert client.get("/api/datasets/1").json["damaged"] == []
        assert client.get(f"/api/jobs/{job_id}").json["subject"] == {"type": "dataset", "id": 1}
    leftovers = [item.name for item in path.parent.parent.iterdir()]
    assert leftovers == ["1"]


def test_an_index_that_cannot_be_rebuilt(intact: Path, tmp_path: Path) -> None:
    """The raw files yield other images now: nothing is changed, the error is reported and not retried."""
    folder = copy_installation(intact, tmp_path) / "data/datasets/1"
    next((folder / "source").rglob("*.jpg")).unlink()
    (folder / "revisions/1/index.sqlite").write_bytes(b"garbage")
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        job_id = client.get("/api/datasets/1/images", headers=ENGLISH).json["job_id"]
        assert ended_job(client, job_id) == "failed"
        again = client.get("/api/datasets/1/images", headers=ENGLISH)
        assert (again.status_code, again.json.get("job_id")) == (409, None)
        assert "Create a new version" in again.json["detail"]
        assert client.get("/api/datasets/1").json["damaged"] == ["index.sqlite"]
        assert client.get("/api/datasets/1").json["status"] == "valid"


def test_a_prevented_rebuild_of_an_index_is_retried_later(intact: Path, tmp_path: Path) -> None:
    """The disk was full, or the job was stopped: the next request starts it again."""
    path = copy_installation(intact, tmp_path) / "data/datasets/1/revisions/1/index.sqlite"
    path.unlink()
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        with app.app_context(), writing() as session:
            for status, error in (("failed", {"code": "disk_full", "message": ""}), ("cancelled", None)):
                params = {"number": 1, "accepted": True}
                job = Job(kind="index_dataset", subject_type="dataset", subject_id=1, params=params)
                job.status, job.error = status, error
                session.add(job)
        job_id = client.get("/api/datasets/1/findings").json["job_id"]
        assert ended_job(client, job_id) == "completed"
        assert client.get("/api/datasets/1/findings").status_code == 200


def test_pages_do_not_retry_a_prevented_rebuild(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their requests would restart it on a disk that is still full."""
    messages: list[Any] = []
    monkeypatch.setattr("app.services.datasets.reindex.to_dashboard", lambda *message: messages.append(message))
    conclude = idle_app.extensions["services"].jobs.kinds["index_dataset"].ended
    endings = (("failed", "disk_full", 0), ("failed", "killed", 0), ("cancelled", None, 0), ("failed", "data", 1))
    with idle_app.app_context():
        with writing() as session:
            session.add(dataset := Dataset(name="Full", classes=["a"], status="valid"))
        for status, code, count in (*endings, ("completed", None, 2)):
            job = Job(kind="index_dataset", subject_type="dataset", subject_id=dataset.id, params={"number": 1})
            job.status, job.error = status, code and {"code": code, "message": ""}
            conclude(job)
            assert len(messages) == count, status


def test_what_a_new_split_is_computed_from(intact: Path, tmp_path: Path) -> None:
    """If damaged, the split is known once the revision is created, as for revisions without the file."""
    path = copy_installation(intact, tmp_path) / "data/datasets/1/revisions/1/split.json.gz"
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        content, split = path.read_bytes(), {"split": {"val": 0.5, "seed": 1}}
        assert client.post("/api/datasets/1/split-preview", json=split).status_code == 200
        inconsistent = gzip.compress(b'{"keys": ["a"], "given": [null, null], "classes": [[{}]], "ties": [[5]]}')
        for damage in (b"", content[: len(content) // 2], bytes(300), gzip.compress(b"[1]"), inconsistent):
            path.write_bytes(damage)
            for _ in range(2):
                answer = client.post("/api/datasets/1/split-preview", json=split, headers=ENGLISH)
                assert (answer.status_code, "once the new version" in answer.text) == (409, True), answer.json
            assert client.get("/api/datasets/1").json["damaged"] == ["split.json.gz"]


def test_previews_are_rebuilt(intact: Path, tmp_path: Path) -> None:
    path = copy_installation(intact, tmp_path) / "data/models/1/previews/index.json"
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        before = client.get("/api/trainings/1/previews").json
        assert len(before["images"]) == 1
        path.write_bytes(b"garbage")
        assert client.get("/api/trainings/1/previews").json == before
        assert client.get("/api/trainings/1/files").json["damaged"] == []
    assert json.loads(path.read_bytes()) == PREVIEWS


def test_previews_of_older_versions_get_their_copy(intact: Path, tmp_path: Path) -> None:
    """By the janitor, since nobody may open them before they are damaged."""
    folder = copy_installation(intact, tmp_path) / "data/models/1/previews"
    (folder / "index-copy.json").unlink()
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client, janitor = app.test_client(), Janitor(app.extensions["services"])
        before = client.get("/api/trainings/1/previews").json
        with app.app_context():
            assert janitor.sweep(now())["copies of previews"] == 1
            assert janitor.sweep(now())["copies of previews"] == 0
        (folder / "index.json").write_bytes(b"")
        assert client.get("/api/trainings/1/previews").json == before


@pytest.mark.parametrize("numbers", ["other classes", "fewer images", "other overlaps"])
def test_results_that_do_not_belong_together(intact: Path, tmp_path: Path, numbers: str) -> None:
    """Readable files with impossible contents: their endpoints report it, and nothing is moved."""
    folder = copy_installation(intact, tmp_path) / "data/models/1/evaluations" / ("1" * 32)
    images = [
        ImageResult(
            [7], [(0.0, 0.0, 9.0, 9.0)], [7], [0.9], [(0.0, 0.0, 9.0, 9.0)], [(0, 5, 0.9)] * (numbers[-1] == "s")
        )
    ]
    (folder / OUTCOMES).unlink()
    write_outcomes(folder / OUTCOMES, pictures([] if numbers == "fewer images" else images))
    if numbers == "other overlaps":
        (folder / view_name(0.3, 0.45)).unlink()
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        assert client.get("/api/evaluations/1/images", headers=ENGLISH).status_code == 409
        for what in ("images", "images?confidence=0.4", "images/1/file", "matrix", "matrix?confidence=0.4"):
            answer = client.get(f"/api/evaluations/1/{what}", headers=ENGLISH)
            assert answer.status_code in {200, 404, 409}, (what, answer.json)
        assert (folder / OUTCOMES).is_file()


def test_a_description_is_rebuilt(intact: Path, tmp_path: Path) -> None:
    """dataset.yaml, without which nothing could be trained."""
    path = copy_installation(intact, tmp_path) / "data/datasets/1/revisions/1/dataset.yaml"
    path.write_bytes(b"\xff\x00")
    with served(tmp_path, BACKUP_MODELS="none"):
        text = path.read_text()
    assert f"path: {path.parent}\n" in text
    assert "train: images/train\nval: images/val\nnc: 1\nnames:\n  0: thing\n" in text


def test_a_dataset_whose_folder_was_removed(intact: Path, tmp_path: Path) -> None:
    """It is listed as missing, a training is refused with the reason, and it is valid once the folder is back."""
    copy_installation(intact, tmp_path)
    folder = tmp_path / "data/datasets/1"
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        folder.rename(tmp_path / "away")
        for _ in range(2):
            dataset = client.get("/api/datasets/1", headers=ENGLISH).json
            assert dataset["status"] == "invalid"
            assert "missing" in dataset["error"]
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


def test_an_export_of_a_dataset_that_is_deleted(intact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """404, whenever the deletion happens between reading the row and sending the ZIP."""
    copy_installation(intact, tmp_path)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        client = app.test_client()
        services = app.extensions["services"]
        for owner, name in (
            (services.jobs, "submit"),
            (services.jobs, "wait"),
            (services.storage.revisions, "install_export"),
        ):
            dataset_id = upload(client, yolo_zip(), name=name).json["dataset_id"]
            wait_for_dataset(client, dataset_id)
            with monkeypatch.context() as patch:
                delete_first(app, dataset_id, patch, owner, name)
                answer = export_dataset(client, dataset_id)
            assert answer.status_code == 404, (name, answer.json)


def export_dataset(client: FlaskClient, dataset_id: int, form: str = "yolo") -> Any:
    """The answer once the export's job has ended."""
    while True:
        answer = client.get(f"/api/datasets/{dataset_id}/export?format={form}", headers=ENGLISH)
        if answer.status_code != 202:
            answer.close()
            return answer


def delete_first(app: APIFlask, dataset_id: int, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Delete the dataset when this is called, then call the original."""
    inner, statuses = getattr(owner, name), []

    def first(*args: Any, **options: Any) -> Any:
        if not statuses:
            statuses.append(app.test_client().delete(f"/api/datasets/{dataset_id}").status_code)
        return inner(*args, **options)

    patch.setattr(owner, name, first)


def test_each_kind_of_file_is_damaged(intact: Path) -> None:
    """A new kind of file is added above, or tests/file_kinds.py states why no test needs to damage it."""
    names = {path.rpartition("/")[2] for path in written_files(intact)}
    assert unregistered_files(intact / "data") == []
    assert [name for name in sorted(names) if not matches_any(name, DAMAGED)] == []
    assert [kind for kind in sorted(DAMAGED) if not any(fnmatchcase(name, kind) for name in names)] == []


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if kind != "unknown keys"])
def test_secrets_are_regenerated(kind: str, intact: Path, tmp_path: Path) -> None:
    """Users log in again, and the owner's link changes."""
    copy_installation(intact, tmp_path)
    before = [(tmp_path / "instance" / name).read_bytes() for name in ("secret_key", "owner_token")]
    for name in ("secret_key", "owner_token"):
        damage(tmp_path, f"../instance/{name}", kind)
    with served(tmp_path, BACKUP_MODELS="none", AUTH="required") as app:
        client = app.test_client()
        assert [client.get(path).status_code for path in ("/login", "/health", "/api/datasets")] == [200, 200, 401]
        token = {"Authorization": f"Bearer {owner_secret(tmp_path / 'instance')}"}
        assert client.get("/api/datasets", headers=token).status_code == 200
    after = [(tmp_path / "instance" / name).read_bytes() for name in ("secret_key", "owner_token")]
    assert before[1] != after[1]


INFO = {
    "length": 10,
    "metadata": {"filename": "a.zip"},
    "form": {"name": "a"},
    "locale": "en",
    "state": "failed",
    "created_at": "2026-01-01T00:00:00+00:00",
    "dataset_id": None,
    "problem": None,
    "header": "",
}


@pytest.mark.parametrize(
    "values",
    [{"metadata": None}, {"form": None}, {"locale": None}, {"problem": {"status": "503"}}, {"header": None}],
)
def test_a_record_of_an_upload_with_a_value_of_another_kind(intact: Path, tmp_path: Path, values: Any) -> None:
    (copy_installation(intact, tmp_path) / "data/uploads" / UPLOAD / "info.json").write_text(json.dumps(INFO | values))
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/api/uploads").status_code == 200
        assert app.test_client().get(f"/api/uploads/{UPLOAD}").status_code < 500


def test_an_upload_without_its_bytes(intact: Path, tmp_path: Path) -> None:
    """It restarts."""
    (copy_installation(intact, tmp_path) / "data/uploads" / UPLOAD / "bin").unlink()
    with served(tmp_path, BACKUP_MODELS="none") as app:
        answer = app.test_client().head(f"/api/uploads/{UPLOAD}", headers={"Tus-Resumable": "1.0.0"})
        assert answer.headers.get("Upload-Offset", "0") == "0"
        assert answer.status_code < 500


@pytest.mark.parametrize("highest", ["[1]", "null", '{"dataset": Infinity}', '{"dataset": {}}'])
def test_a_mark_with_numbers_of_another_kind(intact: Path, tmp_path: Path, highest: str) -> None:
    copy_installation(intact, tmp_path)
    for name in ("installation.json", ".installation.json"):
        path = tmp_path / "data" / name
        uuid = json.loads(path.read_text())["uuid"]
        path.write_text(f'{{"uuid": "{uuid}", "highest": {highest}}}')
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/ready").status_code == 200


def test_a_folder_that_was_set_aside_and_is_damaged(intact: Path, tmp_path: Path) -> None:
    """Its owner cannot be determined: it stays where it is."""
    folder = copy_installation(intact, tmp_path) / "data/datasets/1"
    (folder / "about.json").unlink()
    (folder / "revisions/1/dataset.yaml").write_text("names: 5\n")
    aside = tmp_path / "data/orphans/datasets-1-0123abcd"
    aside.parent.mkdir(exist_ok=True)
    folder.rename(aside)
    with served(tmp_path, BACKUP_MODELS="none") as app:
        assert app.test_client().get("/ready").status_code == 200
        assert aside.is_dir()
