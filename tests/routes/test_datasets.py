"""The datasets API: keys, statuses, pages, findings, deleting, restarts."""

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.bodies import nameless
from app.database import writing
from app.extensions import db
from app.models import Dataset, DatasetStatus, Training, now
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes, yolo_files, yolo_zip, zip_bytes

ENGLISH = {"Accept-Language": "en"}


def upload(client: FlaskClient, data: bytes, filename: str = "set.zip", **fields: str) -> Any:
    form = {"name": "set"} | fields
    return client.post("/api/datasets", data=form | {"file": (io.BytesIO(data), filename)}, headers=ENGLISH)


def wait_for_dataset(client: FlaskClient, dataset_id: int, seconds: float = 180) -> dict[str, Any]:
    """The dataset once it is valid or invalid."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        body = client.get(f"/api/datasets/{dataset_id}", headers=ENGLISH).json
        assert body is not None
        if body["status"] in {"valid", "invalid"}:
            return body
        time.sleep(0.05)
    raise AssertionError(f"still {body['status']}")


def test_upload_list_get_delete(client: FlaskClient, app: APIFlask) -> None:
    answer = upload(client, yolo_zip(), name="Cells", description="Of blood")
    assert answer.status_code == 201
    assert answer.json == {"message": "Dataset created", "dataset_id": 1, "status": "validating"}
    one = wait_for_dataset(client, 1)
    expected = {
        "id": 1,
        "name": "Cells",
        "description": "Of blood",
        "classes": ["thing"],
        "total_images": 8,
        "train_images": 6,
        "val_images": 2,
        "test_images": 0,
        "status": "valid",
        "error": None,
        "task": "detect",
    }
    assert expected.items() <= one.items()
    assert one["report"]["usable"] == {"train": 6, "val": 2, "test": 0}
    assert one["report"]["boxes"] == {"0": 8}
    page = client.get("/api/datasets").json
    assert page is not None
    assert {key: page[key] for key in ("total", "page", "per_page", "pages")} == {
        "total": 1,
        "page": 1,
        "per_page": 10,
        "pages": 1,
    }
    assert page["datasets"][0]["name"] == "Cells"
    jobs = Path(app.config["DATA_ROOT"], "jobs")
    limit = time.monotonic() + 180
    while list(jobs.iterdir()):  # the job ends after its dataset
        assert time.monotonic() < limit
        time.sleep(0.02)
    folder = Path(app.config["DATA_ROOT"], "datasets", "1")
    while any(path.name.startswith(".") for path in folder.iterdir()):  # about.json is rewritten after that
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert sorted(path.name for path in folder.iterdir()) == [
        "about.json",
        "dataset.yaml",
        "images",
        "labels",
        "original.zip",
        "revisions",
        "source",
        "thumbnails",
    ]
    deleted = client.delete("/api/datasets/1", headers=ENGLISH)
    assert (deleted.status_code, deleted.json) == (200, {"message": "Dataset deleted"})
    assert not folder.exists()
    assert client.get("/api/datasets/1").status_code == 404
    assert client.delete("/api/datasets/1").status_code == 404


def test_pages_filters_and_sorting(client: FlaskClient, app: APIFlask) -> None:
    with app.app_context(), writing() as session:
        for number in range(1, 8):
            status = DatasetStatus.VALID if number % 2 else DatasetStatus.INVALID
            session.add(Dataset(name=f"set {number}%", total_images=100 - number, status=status))

    def names(query: str) -> list[str]:
        body = client.get(f"/api/datasets?{query}").json
        assert body is not None
        return [item["name"][4] for item in body["datasets"]]

    assert names("per_page=3&page=2&sort=name") == ["4", "5", "6"]
    assert names("status=valid&sort=-name") == ["7", "5", "3", "1"]
    assert names("sort=total_images&per_page=2") == ["7", "6"]
    assert names("search=SET 3%25") == ["3"]
    assert names("search=_") == []
    assert names("page=99") == []
    for query in ("page=-1&per_page=1e9&sort=password", "page=0", "per_page=101", "status=x", "page=x"):
        assert client.get(f"/api/datasets?{query}").status_code == 422


@pytest.mark.parametrize("identity", ["0", "-1", "9e99", "1.0", "%00", "..%2Fx", str(2**63), "abc"])
def test_odd_ids(client: FlaskClient, identity: str) -> None:
    assert client.get(f"/api/datasets/{identity}").status_code == 404
    assert client.delete(f"/api/datasets/{identity}").status_code == 404


REFUSED = {
    "not a ZIP": (image_bytes(), "set.zip", {}, 400, "not a ZIP"),
    "other suffix": (yolo_zip(2, 1), "set.rar", {}, 400, "ZIP"),
    "no layout": (zip_bytes({"a.txt": "x"}), "set.zip", {}, 422, "images/train"),
    "unsafe": (zip_bytes({"../a.jpg": "x"}), "set.zip", {}, 422, "../a.jpg"),
    "class path": (
        zip_bytes({k: v for k, v in yolo_files().items() if k != "data.yaml"}),
        "set.zip",
        {"classes": "../../pwn"},
        422,
        "../../pwn",
    ),
    "long name": (yolo_zip(2, 1), "set.zip", {"name": "x" * 101}, 422, "fields"),
    "empty name": (yolo_zip(2, 1), "set.zip", {"name": " "}, 422, "fields"),
    "unknown field": (yolo_zip(2, 1), "set.zip", {"path": "/etc"}, 422, "fields"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_uploads_leave_nothing(client: FlaskClient, app: APIFlask, case: str) -> None:
    data, filename, fields, status, words = REFUSED[case]
    answer = upload(client, data, filename, **fields)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert words in answer.json["detail"]
    with app.app_context():
        assert db.session.query(Dataset).count() == 0
    root = Path(app.config["DATA_ROOT"])
    for name in ("tmp", "datasets", "jobs", "objects"):
        assert not (root / name).exists() or not list((root / name).iterdir()), name


def test_the_original_is_the_upload_itself(client: FlaskClient, app: APIFlask) -> None:
    """It is linked under its name; nothing is copied. A file in memory is written."""
    data, services = yolo_zip(4, 2), app.extensions["services"]
    with app.test_request_context(), nameless(str(services.storage.tmp)) as file:
        file.write(data)
        dataset_id = services.datasets.creation.create(file, "a.zip", "nameless").id
        assert os.fstat(file.fileno()).st_ino == services.storage.original(dataset_id).stat().st_ino
    with app.test_request_context():
        in_memory = services.datasets.creation.create(io.BytesIO(data), "b.zip", "in memory").id
    for number in (dataset_id, in_memory):
        assert services.storage.original(number).read_bytes() == data
        assert wait_for_dataset(client, number)["status"] == "valid"
    assert not list(services.storage.tmp.iterdir())


def test_wrong_bodies(client: FlaskClient) -> None:
    assert client.post("/api/datasets", json={"name": "x"}).status_code == 415
    assert client.post("/api/datasets", data=b"PK", content_type="application/zip").status_code == 415
    missing = client.post("/api/datasets", data={"name": "x"}, content_type="multipart/form-data")
    assert missing.status_code == 422
    assert missing.json is not None
    assert missing.json["errors"][0]["field"] == "file"


def test_full_disk(tmp_path: Path) -> None:
    app = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading", MIN_FREE_DISK="900000GB"))
    answer = upload(app.test_client(), yolo_zip())
    assert answer.status_code == 507
    assert "MIN_FREE_DISK" in answer.json["detail"]
    (job,) = app.test_client().get("/api/jobs", headers=ENGLISH).json["jobs"]
    assert job["error"] == {"code": "disk_full", "message": "The disk is full. Free some space and try again."}
    close_app(app)


def test_a_copy_that_does_not_fit_leaves_nothing(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that cannot be renamed onto the data disk is copied."""
    services = app.extensions["services"]
    with open("/dev/full", "wb", buffering=0) as full, app.test_request_context():
        monkeypatch.setattr("app.services.storage.Pacer", lambda: lambda: full.write(b"x"))
        with pytest.raises(OSError, match="No space"):
            services.datasets.creation.create(io.BytesIO(yolo_zip()), "a.zip", "in memory")
    assert not list(services.storage.tmp.iterdir())


def test_decisions_and_unnamed_classes(client: FlaskClient) -> None:
    files = {name: content for name, content in yolo_files(9, 0).items() if name != "data.yaml"}
    upload(client, zip_bytes(files | {"labels/train/000.txt": "2 0.5 0.5 0.5 0.5\n"}))
    body = wait_for_dataset(client, 1)
    assert body["classes"] == ["class_0", "class_1", "class_2"]
    assert (body["train_images"], body["val_images"]) == (7, 2)
    codes = {item["code"]: item["message"] for item in body["report"]["decisions"]}
    assert codes.keys() == {"val_split", "classes_unnamed"}
    assert "2 training images (22%)" in codes["val_split"]
    assert "class_0 to class_2" in codes["classes_unnamed"]


def test_hostile_class_names_are_stored_as_text(client: FlaskClient) -> None:
    names = ["<img src=x onerror=alert(1)>", "=cmd|'/c calc'!A0"]
    files = {name: content for name, content in yolo_files().items() if name != "data.yaml"}
    upload(client, zip_bytes(files), classes=", ".join(names))
    assert wait_for_dataset(client, 1)["classes"] == names


def test_findings(client: FlaskClient) -> None:
    files = yolo_files() | {
        "labels/train/000.txt": "0 0.5 0.5 0.5 0.5\n0 nan 0.5 0.5 0.5\n",
        "labels/train/001.txt": "0 0.5 0.5 0.5 0.5\n" * 2,
        "images/train/002.jpg": image_bytes()[:300],
        "images/val/extra.jpg": image_bytes(),
    }
    upload(client, zip_bytes(files))
    body = wait_for_dataset(client, 1)
    assert body["status"] == "valid"
    expected = {"label_nan": 1, "duplicate_row": 1, "image_broken": 1, "label_missing": 1}
    assert expected.items() <= body["report"]["findings"].items()
    assert body["report"]["usable"]["train"] == 4
    page = client.get("/api/datasets/1/findings", headers=ENGLISH).json
    assert page is not None
    severities = [item["severity"] for item in page["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert severities.count("error") == 2
    nan = next(item for item in page["findings"] if item["code"] == "label_nan")
    assert (nan["file"], nan["line"]) == ("labels/train/000.txt", 2)
    assert nan["message"] == "A value isn't a finite number."
    one = client.get("/api/datasets/1/findings?severity=error&per_page=1&page=2").json
    assert one is not None
    assert (one["total"], one["pages"], len(one["findings"])) == (2, 2, 1)
    assert client.get("/api/datasets/1/findings?severity=bad").status_code == 422
    assert client.get("/api/datasets/2/findings").status_code == 404
    client.delete("/api/datasets/1")
    assert client.get("/api/datasets/1/findings").status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {f"labels/train/{number:03}.txt": "0 9 9 9 nan\n" for number in range(6)},
            "None of the training images",
        ),
        ({f"images/val/{number:03}.jpg": b"x" for number in range(2)}, "None of the validation images"),
        ({name: "" for name in yolo_files() if name.startswith("labels")}, "annotated object"),
    ],
)
def test_datasets_that_cannot_train(client: FlaskClient, change: dict[str, bytes | str], words: str) -> None:
    upload(client, zip_bytes(yolo_files() | change))
    body = wait_for_dataset(client, 1)
    assert body["status"] == "invalid"
    assert words in body["error"]


def finished_files(folder: Path) -> list[Path]:
    """The files below a folder without temporary ones: about.json is written after the response."""
    return sorted(path for path in folder.rglob("*") if path.name != "about.json" and path.suffix != ".tmp")


def test_a_dataset_in_use_stays(client: FlaskClient, app: APIFlask) -> None:
    upload(client, yolo_zip())
    wait_for_dataset(client, 1)
    with app.app_context(), writing() as session:
        session.add(Training(name="t", dataset_id=1, model_version="n"))
    folder = Path(app.config["DATA_ROOT"], "datasets", "1")
    before = finished_files(folder)
    answer = client.delete("/api/datasets/1", headers=ENGLISH)
    assert answer.status_code == 409
    assert answer.json["detail"] == "1 run uses this dataset. Delete it first."
    assert finished_files(folder) == before
    assert wait_for_dataset(client, 1)["status"] == "valid"


def test_the_sample_dataset(client: FlaskClient, app: APIFlask) -> None:
    assert client.get("/api/datasets/sample").json == {"dataset_id": None, "name": None, "status": None}
    answer = client.post("/api/datasets/sample", headers=ENGLISH)
    assert answer.status_code == 201
    assert answer.json == {"message": "Dataset created", "dataset_id": 1, "status": "validating"}
    body = wait_for_dataset(client, 1)
    assert (body["status"], body["classes"]) == ("valid", ["circle", "square", "triangle"])
    assert (body["train_images"], body["val_images"]) == (240, 60)
    assert body["report"]["findings"] == {}, "our own sample is clean"
    upload(client, yolo_zip(), filename="sample.zip", name="Another")
    sample = client.get("/api/datasets/sample", headers=ENGLISH).json
    assert sample == {"dataset_id": body["id"], "name": body["name"], "status": "valid"}, (
        "the one that is there is offered"
    )
    assert not list(Path(app.config["DATA_ROOT"], "tmp").iterdir())


def test_a_second_click_gets_the_sample_that_is_being_drawn(app: APIFlask, client: FlaskClient) -> None:
    """In another window: there is no sample yet that could be offered."""

    def click(_number: int) -> Any:
        return app.test_client().post("/api/datasets/sample").json["dataset_id"]

    with ThreadPoolExecutor(3) as clicks:
        assert set(clicks.map(click, range(3))) == {1}
    assert click(0) == 2, "another one is made once the first is there"
    wait_for_dataset(client, 1)
    wait_for_dataset(client, 2)


def test_a_dataset_is_renamed_and_described(client: FlaskClient) -> None:
    upload(client, yolo_zip(), name="Cells", description="Of blood")
    wait_for_dataset(client, 1)
    changed = client.patch("/api/datasets/1", json={"name": "Blood cells"}, headers=ENGLISH)
    assert changed.status_code == 200
    assert (changed.json["name"], changed.json["description"]) == ("Blood cells", "Of blood")
    client.patch("/api/datasets/1", json={"description": ""})
    assert client.get("/api/datasets/1").json["description"] == ""
    for wrong in ({"name": ""}, {"name": "x" * 101}, {"name": None}, {"classes": ["x"]}, {"description": 5}, []):
        assert client.patch("/api/datasets/1", json=wrong).status_code in {400, 422}, wrong
    assert client.patch("/api/datasets/9", json={"name": "x"}).status_code == 404
    assert client.get("/api/datasets/1").json["name"] == "Blood cells"


def test_what_prevents_deletion_is_listed(idle_app: APIFlask) -> None:
    with idle_app.app_context(), writing() as session:
        sets = [Dataset(name=f"set {n}", status="valid") for n in range(3)]
        session.add_all(sets)
        session.flush()
        for dataset, deleted in ((sets[0], None), (sets[0], None), (sets[0], now()), (sets[1], now())):
            session.add(Training(name="run", dataset_id=dataset.id, model_version="n", deleted_at=deleted))
    client = idle_app.test_client()
    datasets = client.get("/api/datasets").json["datasets"]
    assert {item["id"]: (item["trainings"], item["trashed"]) for item in datasets} == {1: (2, 1), 2: (0, 1), 3: (0, 0)}
    assert (client.get("/api/datasets/2").json["trainings"], client.get("/api/datasets/2").json["trashed"]) == (0, 1)
    assert [client.delete(f"/api/datasets/{number}").status_code for number in (1, 2, 3)] == [409, 409, 200]
