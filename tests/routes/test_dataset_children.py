"""The processes of a dataset: killed, stopped, deleted while they run, restarted, limited in number."""

import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.database import writing
from app.extensions import socketio
from app.jobs import watch
from app.jobs.process import find_children
from app.models import Dataset, DatasetStatus
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes, yolo_zip, zip_bytes
from tests.routes.test_datasets import upload, wait_for_dataset


def big_zip(count: int = 300) -> bytes:
    """A dataset whose validation takes long enough to be observed."""
    picture = image_bytes((2000, 1500))
    files: dict[str, bytes | str] = {}
    for number in range(count):
        split = "val" if number % 5 == 0 else "train"
        files |= {f"images/{split}/{number}.jpg": picture, f"labels/{split}/{number}.txt": "0 0.5 0.5 0.5 0.5\n"}
    return zip_bytes(files)


def child_of(app: APIFlask, dataset_id: int) -> int:
    """The pid of the child that creates a dataset's revision."""
    with app.app_context():
        (job,) = app.extensions["services"].datasets.imports.of(dataset_id)
        return job.runner["pid"]


def wait_for(state: Callable[[], bool]) -> None:
    limit = time.monotonic() + 180
    while not state():
        assert time.monotonic() < limit
        time.sleep(0.05)


def has_exited(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def next_child(app: APIFlask, dataset_id: int, before: int) -> int:
    """The pid of the attempt after the one with this pid."""

    def pid() -> int | None:
        with app.app_context():
            (job,) = app.extensions["services"].datasets.imports.of(dataset_id)
            return (job.runner or {}).get("pid")

    wait_for(lambda: pid() not in {None, before})
    return pid() or 0


def test_a_killed_validation_restarts_once_and_is_reported(client: FlaskClient, app: APIFlask) -> None:
    upload(client, big_zip())
    first = child_of(app, 1)
    os.kill(first, signal.SIGKILL)
    os.kill(next_child(app, 1, first), signal.SIGKILL)
    body = wait_for_dataset(client, 1)
    assert body["status"] == "invalid"
    assert "SIGKILL" in body["error"]
    assert client.get("/api/datasets/1/revisions").json["revisions"][0]["status"] == "failed"
    (job,) = client.get("/api/jobs?kind=import_dataset").json["jobs"]
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "killed", 2)


def test_an_import_is_stopped(client: FlaskClient, app: APIFlask) -> None:
    """From the list of jobs, which shows its subject and its progress."""
    upload(client, big_zip())
    wait_for(lambda: client.get("/api/jobs?kind=import_dataset").json["jobs"][0]["progress"]["stage"] == "scanning")
    (job,) = client.get("/api/jobs?kind=import_dataset").json["jobs"]
    assert (job["status"], job["subject"]) == ("running", {"type": "dataset", "id": 1})
    assert client.get("/api/system").json["jobs"][0]["id"] == job["id"]
    pid = child_of(app, 1)
    assert client.post(f"/api/jobs/{job['id']}/stop").status_code == 202
    body = wait_for_dataset(client, 1)
    assert (body["status"], "stopped" in body["error"]) == ("invalid", True)
    wait_for(lambda: has_exited(pid))
    assert client.get(f"/api/jobs/{job['id']}").json["status"] == "cancelled"
    assert client.delete("/api/datasets/1").status_code == 200


def test_a_frozen_validation_is_ended(client: FlaskClient, app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that is still starting is not ended, however long that takes."""
    upload(client, big_zip())
    first = child_of(app, 1)
    os.kill(first, signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr(watch, "SILENT_S", 1.0)
        wait_for(lambda: has_exited(first))
    second = next_child(app, 1, first)
    os.kill(second, signal.SIGSTOP)
    monkeypatch.setattr(watch, "SILENT_S", 1.0)
    body = wait_for_dataset(client, 1)
    assert body["status"] == "invalid"
    assert "stopped responding" in body["error"]
    wait_for(lambda: has_exited(first) and has_exited(second))


def test_deleted_while_validating(client: FlaskClient, app: APIFlask) -> None:
    upload(client, big_zip())
    pid = child_of(app, 1)
    assert client.delete("/api/datasets/1").status_code == 200
    assert upload(client, yolo_zip(), name="next").json["dataset_id"] == 2, "no id is given twice"
    body = wait_for_dataset(client, 2)
    assert (body["name"], body["status"], body["total_images"]) == ("next", "valid", 8)
    wait_for(lambda: has_exited(pid) and not list(Path(app.config["DATA_ROOT"], "tmp").iterdir()))


def test_progress_is_published(client: FlaskClient, app: APIFlask) -> None:
    watcher, elsewhere = socketio.test_client(app), socketio.test_client(app)
    assert watcher.emit("join_dashboard", callback=True)["ok"]
    upload(client, yolo_zip())
    messages: list[dict[str, Any]] = []

    def last_status() -> str:
        messages.extend(watcher.get_received())
        return str(messages[-1]["args"][0]["status"]) if messages else ""

    wait_for(lambda: last_status() == "valid")
    assert {item["name"] for item in messages} == {"dataset_update"}
    assert elsewhere.get_received() == []
    payloads = [item["args"][0] for item in messages]
    assert payloads[-1] == {
        "dataset_id": 1,
        "status": "valid",
        "done": 8,
        "total": 8,
        "error": None,
        "stage": None,
        "revision": 1,
        "percent": None,
        "rate": None,
        "eta": None,
    }
    assert any(item["status"] == "validating" and item["total"] == 8 for item in payloads)
    shares = [item["percent"] for item in payloads[:-1]]
    assert shares == sorted(shares), "it begins again with each stage"
    stages = [stage for stage, _ in itertools.groupby(item["stage"] for item in payloads)]
    assert stages == ["scanning", "checking", "building", None]


def test_restart_reconciles_both_ways(client: FlaskClient, app: APIFlask, tmp_path: Path) -> None:
    for _ in range(3):
        upload(client, yolo_zip())
    for dataset_id in (1, 2, 3):
        wait_for_dataset(client, dataset_id)
    root = Path(app.config["DATA_ROOT"])
    shutil.rmtree(root / "datasets/1")
    (root / "datasets/77/images").mkdir(parents=True)
    (root / "tmp/half/images").mkdir(parents=True)
    with app.app_context(), writing() as session:
        session.get_one(Dataset, 2).status = DatasetStatus.VALIDATING
        session.add(Dataset(name="never finished", status=DatasetStatus.PENDING))
    moved = tmp_path / "moved"
    shutil.move(root, moved)
    again = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading", DATA_ROOT=str(moved)))
    client = again.test_client()
    assert "missing" in wait_for_dataset(client, 1)["error"]
    assert wait_for_dataset(client, 2)["status"] == "valid"
    assert wait_for_dataset(client, 3)["status"] == "valid"
    assert "stopped before" in wait_for_dataset(client, 4)["error"]
    assert f"path: {moved}/datasets/3/revisions/1\n" in (moved / "datasets/3/dataset.yaml").read_text()
    assert sorted(path.name for path in (moved / "datasets").iterdir()) == ["2", "3"]
    assert [path.name[:11] for path in (moved / "orphans").iterdir()] == ["datasets-77"], "preserved, set aside"
    wait_for(lambda: not list((moved / "tmp").iterdir()))
    close_app(again)


def test_many_uploads_at_once_are_few_processes(client: FlaskClient, app: APIFlask) -> None:
    """Each is accepted; at most four children check archives, and two work on images."""
    most, over = 0, threading.Event()
    here = Path(app.config["DATA_ROOT"], "jobs")

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, sum(1 for _ in find_children(here)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    data = yolo_zip(4, 2)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: upload(app.test_client(), data, name=str(number)), range(10)))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert {wait_for_dataset(client, answer.json["dataset_id"])["status"] for answer in answers} == {"valid"}
    over.set()
    watcher.join()
    assert 1 <= most <= 8  # six at work; a finished child may take a moment to exit
