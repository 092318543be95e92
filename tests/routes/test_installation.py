"""A database and a data folder that do not belong together: nothing is changed, and every offered solution works."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.database import upgrade_if_old, writing
from app.errors import WritesRefused
from app.events import CheckpointSaved, Completed, Epoch, Event, Failed, encode
from app.extensions import db
from app.models import (
    Dataset,
    DatasetRevision,
    Installation,
    RevisionStatus,
    Test,
    Training,
    TrainingMetric,
    TrainingStatus,
    now,
)
from app.routes.installation import ALWAYS
from app.services.datasets.restart import remove_unknown
from app.services.installation.adopt import MAKERS
from app.services.installation.belonging import identity, read_identity
from app.services.janitor import Janitor
from scripts.local_server import ROOT, Server, settings_for
from tests.conftest import close_app
from tests.data import checkpoint_bytes, yolo_zip
from tests.routes.test_datasets import ENGLISH, upload, wait_for_dataset

VALUES = {"precision": 0.5, "recall": 0.5, "map50": 0.6, "map95": 0.4}


def database(folder: Path) -> Path:
    return folder / "instance" / "test.db"


@contextmanager
def served(folder: Path, **changes: str) -> Iterator[APIFlask]:
    """Starts an application on this folder, and closes every connection."""
    app = create_app("web", settings_for(folder, SOCKETIO_ASYNC_MODE="threading", **changes))
    try:
        yield app
    finally:
        until(lambda: app.extensions["installation"].pairing.is_mark_current)  # after the response
        close_app(app)
        app.extensions["database_file"].close()  # as at the server's end


def epoch(number: int, of: int) -> Epoch:
    parts: dict[str, float | None] = {"train/box_loss": 1.0}
    return Epoch(number, of, 1.0, **VALUES, val_loss=1.5, learning_rate=0.01, parts=parts, seconds=2.0, eta=0.0)


def add_training(
    app: APIFlask, dataset_id: int, completed: int = 2, end: Event | None = None, name: str = "Run"
) -> int:
    """Adds a training of two epochs with a child's files, without training; returns its id."""
    with app.app_context(), writing() as session:
        row = Training(name=name, dataset_id=dataset_id, revision=1, model_version="n", epochs=2, img_size=64)
        row.attempt, row.status = 1, TrainingStatus.COMPLETED
        session.add(row)
        session.flush()
        number, measures = row.id, {"loss": 1.0, "val_loss": 1.5, "parts": {"train/box_loss": 1.0}} | VALUES
        session.add_all(TrainingMetric(training_id=number, epoch=at, **measures) for at in range(1, completed + 1))
    folder = Path(app.config["MODELS_DIR"]) / str(number)
    attempt = folder / "attempts" / "1"
    for path in (attempt, folder / "run" / "weights", folder / "checkpoints"):
        path.mkdir(parents=True)
    data = Path(app.config["DATASETS_DIR"]) / str(dataset_id) / "revisions" / "1" / "dataset.yaml"
    spec = {
        "training_id": number,
        "data": str(data),
        "task": "detect",
        "model_version": "n",
        "architecture": None,
        "start": {"kind": "scratch"},
        "epochs": 2,
        "batch_size": 4,
        "img_size": 64,
        "learning_rate": 0.01,
        "params": {"seed": 7},
        "devices": ["cpu"],
    }
    (attempt / "spec.json").write_text(json.dumps(spec))
    events: list[Event] = []
    for at in range(1, completed + 1):
        events += [epoch(at, 2), CheckpointSaved(at, "run/weights/best.pt", True, dict(VALUES), resumable=False)]
    events += [end or Completed("run/weights/best.pt", completed, completed, dict(VALUES), 4.0)]
    lines = [encode(event, seq) for seq, event in enumerate(events, 1)]
    (attempt / "events.jsonl").write_text("".join(lines))
    (folder / "run" / "weights" / "best.pt").write_bytes(checkpoint_bytes(name.encode()))
    table = "epoch,time,train/box_loss,metrics/mAP50(B)\n" + "".join(
        f"{at},{at},1.0,0.6\n" for at in range(1, completed + 1)
    )
    (folder / "run" / "results.csv").write_text(table)
    return number


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of the data folder that belongs to a row."""
    digests = {}
    for path in sorted((folder / "data").rglob("*")):
        if path.is_file() and path.relative_to(folder / "data").parts[0] not in {"tmp", "ultralytics"}:
            digests[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped installation with two datasets, a completed and a failed training."""
    folder = tmp_path_factory.mktemp("template")
    with served(folder, BACKUP_MODELS="none") as app:
        client = app.test_client()
        for name in ("Cars", "Boats"):
            wait_for_dataset(client, upload(client, yolo_zip(), name=name).json["dataset_id"])
        add_training(app, 1)
        add_training(app, 2, 1, Failed("code", "it broke"), "Broken")
    return folder


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Path:
    """A copy of the template on which a server has started: its files contain its own paths."""
    for name in ("data", "instance"):
        shutil.copytree(template / name, tmp_path / name, symlinks=True)
    with served(tmp_path, BACKUP_MODELS="none"):
        return tmp_path


def detach_database(folder: Path, name: str = "right.db") -> Path:
    detached = folder / name
    os.replace(database(folder), detached)
    return detached


def restore_database(folder: Path, detached: Path) -> None:
    for path in database(folder).parent.glob("test.db*"):
        path.unlink()
    os.replace(detached, database(folder))


def reasons(client: FlaskClient) -> list[str]:
    return [item["code"] for item in client.get("/ready", headers=ENGLISH).json["reasons"]]


def uuids(app: APIFlask) -> tuple[str, str]:
    with app.app_context():
        here = db.session.get_one(Installation, 1).uuid
    return here, json.loads((Path(app.config["DATA_ROOT"]) / "installation.json").read_text())["uuid"]


def test_database_and_folder_get_one_id(filled: Path) -> None:
    with served(filled) as app:
        first = uuids(app)
        assert first[0] == first[1]
        with app.app_context(), writing() as session:  # as before there were ids
            session.query(Installation).delete()
    for path in (filled / "data").glob("*installation.json"):
        path.unlink()
    with served(filled) as app:
        again = uuids(app)
        assert again[0] == again[1] != first[0]
        assert reasons(app.test_client()) == []
        assert upload(app.test_client(), yolo_zip()).json["dataset_id"] == 3


def test_a_new_database_changes_nothing(filled: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = contents(filled)
    detached = detach_database(filled)
    with served(filled) as app:
        client = app.test_client()
        answer = client.get("/ready", headers=ENGLISH)
        assert (answer.status_code, answer.json["reasons"][0]["code"]) == (503, "new_database")
        assert "READ-ONLY" in caplog.text
        assert "scripts.installation adopt" in caplog.text
        assert client.get("/api/datasets").json["total"] == 0
        for page in (
            "/",
            "/datasets",
            "/trainings",
            "/trainings/new",
            "/compare",
            "/tests",
            "/system",
            "/installation",
        ):
            text = client.get(page, headers=ENGLISH | {"Accept": "text/html"}).text
            assert "this database is new" in text, page
        state = client.get("/api/installation").json
        assert state["without_row"] == {"dataset": 2, "training": 2, "test": 0}
        assert app.extensions["services"].jobs.scheduler.runner is None, "no queue"
        assert contents(filled) == before
    restore_database(filled, detached)
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == []
        assert [item["status"] for item in client.get("/api/datasets").json["datasets"]] == ["valid", "valid"]
        assert contents(filled) == before


def test_every_change_is_refused(filled: Path) -> None:
    """For every route, including future ones."""
    detach_database(filled)
    with served(filled) as app:
        client, count = app.test_client(), 0
        for rule in app.url_map.iter_rules():
            for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
                if rule.endpoint in ALWAYS:
                    continue
                address = re.sub(r"<[^>]*>", "1", rule.rule)
                answer = client.open(address, method=method, json={}, headers=ENGLISH)
                assert answer.status_code == 503, (method, address)
                assert answer.mimetype == "application/problem+json"
                assert answer.json["code"] == "new_database"
                count += 1
        assert count > 20
        with app.app_context(), pytest.raises(WritesRefused), writing():
            pytest.fail("behind the routes, too")


def test_folders_are_adopted(filled: Path) -> None:
    """With their names, epochs and weights; afterwards the server continues, and no id is reused. Accounts belong to a
    database: the same number is another user in the next one.
    """
    about = filled / "data" / "datasets" / "1" / "about.json"
    record = json.loads(about.read_bytes())
    about.write_text(json.dumps(record | {"row": record["row"] | {"created_by": 1}}))
    detach_database(filled)
    with served(filled) as app:
        client = app.test_client()
        answer = client.post("/api/installation/adopt", headers=ENGLISH)
        assert (answer.status_code, answer.json["adopted"]) == (200, {"dataset": 2, "training": 2, "test": 0})
        assert reasons(client) == []
        datasets = client.get("/api/datasets?sort=created_at").json["datasets"]
        assert [(item["name"], item["status"], item["total_images"]) for item in datasets] == [
            ("Cars", "valid", 8),
            ("Boats", "valid", 8),
        ]
        assert len(client.get("/api/datasets/1/images").json["images"]) == 8
        run = client.get("/api/trainings/1", headers=ENGLISH).json
        assert [item["created_by"] for item in datasets] == [None, None]
        assert (run["status"], run["current_epoch"], run["downloadable"]) == ("completed", 2, True)
        assert [item["map50"] for item in client.get("/api/trainings/1/metrics").json["epochs"]] == [0.6, 0.6]
        assert client.get("/api/trainings/1/download").data == checkpoint_bytes(b"Run")
        failed = client.get("/api/trainings/2", headers=ENGLISH).json
        assert failed["status"] == "failed"
        assert "it broke" in failed["error"]
        assert upload(client, yolo_zip()).json["dataset_id"] == 3
        assert client.post("/api/installation/adopt").status_code == 409, "nothing to decide any more"


def test_evaluations_are_adopted_with_their_run(filled: Path) -> None:
    def write_evaluation(name: str, **changes: Any) -> None:
        row = {"id": 5, "token": name, "dataset_id": 1, "revision": 1, "split": "val", "checkpoint": "best"}
        row |= {"img_size": 64, "status": "completed", "created_at": "2026-01-01T00:00:00+00:00", "job_id": 3}
        folder = filled / "data" / "models" / "1" / "evaluations" / name
        folder.mkdir(parents=True)
        result = {"names": ["x"], "metrics": {"map50": 0.5}, "images": 4}
        (folder / "about.json").write_text(
            json.dumps({"kind": "evaluation", "row": row | {"result": result} | changes})
        )

    write_evaluation("a" * 32)
    write_evaluation("b" * 32, img_size="large")
    write_evaluation("c" * 32, result=None)
    write_evaluation("d" * 32, token="e" * 32)
    detach_database(filled)
    with served(filled) as app:
        client = app.test_client()
        assert client.post("/api/installation/adopt").json["adopted"]["training"] == 2
        (evaluation,) = client.get("/api/trainings/1/evaluations").json["evaluations"]
        assert (evaluation["dataset_id"], evaluation["status"], evaluation["metrics"]) == (
            1,
            "completed",
            {"map50": 0.5},
        )
        assert evaluation["job_id"] is None


def test_folders_with_incomplete_records_are_adopted(filled: Path) -> None:
    """From versions without about.json; a run without events gets its epochs from results.csv."""
    detach_database(filled)
    for path in (filled / "data").rglob("about.json"):
        path.unlink()
    (filled / "data/models/1/attempts/1/events.jsonl").write_bytes(b"\x00garbage\n" * 5)
    with served(filled) as app:
        client = app.test_client()
        assert client.post("/api/installation/adopt").json["adopted"]["training"] == 2
        dataset = client.get("/api/datasets/1", headers=ENGLISH).json
        assert (dataset["status"], dataset["classes"], dataset["train_images"]) == ("valid", ["thing"], 6)
        assert dataset["summary"]["used"] == 8
        run = client.get("/api/trainings/1", headers=ENGLISH).json
        assert (run["status"], run["current_epoch"], run["dataset_id"], run["img_size"]) == ("completed", 2, 1, 64)
        assert run["params"] == {"seed": 7}


def test_a_damaged_record_costs_no_run(filled: Path) -> None:
    """What its newest task and its about.json cannot say, an older task does."""
    detach_database(filled)
    folder = filled / "data/models/1"
    spec = json.loads((folder / "attempts/1/spec.json").read_bytes())
    (folder / "attempts/2").mkdir()
    (folder / "attempts/2/spec.json").write_text(json.dumps(spec | {"start": "scratch", "epochs": 9}))
    row = {"id": 1, "name": "Kept", "dataset_id": "first"}
    (folder / "about.json").write_text(json.dumps({"kind": "training", "row": row}))
    with served(filled) as app:
        client = app.test_client()
        assert client.post("/api/installation/adopt").json["adopted"]["training"] == 2
        run = client.get("/api/trainings/1", headers=ENGLISH).json
        assert (run["name"], run["status"], run["dataset_id"], run["epochs"]) == ("Kept", "completed", 1, 2)


def test_one_bad_folder_is_set_aside(filled: Path) -> None:
    detach_database(filled)
    shutil.rmtree(filled / "data/models/2/attempts")
    with served(filled) as app:
        result = app.test_client().post("/api/installation/adopt").json
    assert result["adopted"] == {"dataset": 2, "training": 1, "test": 0}
    assert result["set_aside"]["training"] == 1
    assert next((filled / "data/orphans").glob("models-2-*/run/weights/best.pt")).read_bytes() == checkpoint_bytes(
        b"Broken"
    )


def test_start_anew_deletes_nothing(filled: Path) -> None:
    """Folders are set aside; ids continue above theirs; they return by themselves when their rows do."""
    before = contents(filled)
    detached = detach_database(filled)
    with served(filled) as app:
        client = app.test_client()
        result = client.post("/api/installation/start-anew").json
        assert result["set_aside"] == {"dataset": 2, "training": 2, "test": 0}
        assert reasons(client) == []
        assert client.get("/api/datasets").json["total"] == 0
        assert os.listdir(filled / "data/datasets") == []
    with served(filled) as app, app.app_context(), writing() as session:
        session.add(Dataset(name="above"))
        session.flush()
        assert session.query(Dataset.id).scalar() == 3
    restore_database(filled, detached)
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == []
        assert wait_for_dataset(client, 1)["status"] == "valid"
        assert client.get("/api/trainings/1/download").data == checkpoint_bytes(b"Run")
    now = contents(filled)
    assert {name: digest for name, digest in now.items() if "installation" not in name} == {
        name: digest for name, digest in before.items() if "installation" not in name
    }


def test_an_older_backup(filled: Path) -> None:
    """Folders exist without rows: a new training would overwrite a folder."""
    shutil.copy(database(filled), filled / "backup.db")
    with served(filled) as app:
        wait_for_dataset(app.test_client(), upload(app.test_client(), yolo_zip(), name="Later").json["dataset_id"])
        assert add_training(app, 3, name="Later") == 3
    restore_database(filled, filled / "backup.db")
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == ["older_database"]
        assert client.get("/api/installation").json["without_row"] == {"dataset": 1, "training": 1, "test": 0}
        assert client.post("/api/installation/adopt").json["adopted"] == {"dataset": 1, "training": 1, "test": 0}
        assert client.get("/api/trainings/3").json["dataset_name"] == "Later"
        assert add_training(app, 1) == 4


def test_an_older_backup_of_a_training_that_has_run_since(filled: Path) -> None:
    """No row is missing, but starting it again would overwrite its progress."""
    with served(filled) as app, app.app_context(), writing() as session:
        row = session.get_one(Training, 1)
        row.status, row.attempt = TrainingStatus.PENDING, 0
    before = contents(filled)
    with served(filled) as app:
        assert reasons(app.test_client()) == ["older_database"]
    assert contents(filled) == before


def test_another_database(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It has rows with the same ids for different files. Adopted folders get new ids, and afterwards both
    sets exist.
    """
    second_folder = tmp_path_factory.mktemp("other")
    with served(second_folder) as app:
        wait_for_dataset(app.test_client(), upload(app.test_client(), yolo_zip(), name="Other").json["dataset_id"])
    detach_database(filled)
    shutil.copy(database(second_folder), database(filled))
    before = contents(filled)
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == ["other_database"]
        assert contents(filled) == before
        assert client.post("/api/installation/adopt").json["adopted"] == {"dataset": 2, "training": 2, "test": 0}
        assert client.get("/api/datasets/1").json["name"] == "Other"
        run = client.get("/api/trainings/1").json
        assert run["dataset_name"] == "Cars"
        assert run["dataset_id"] not in {1, 2}
        dataset = client.get(f"/api/datasets/{run['dataset_id']}", headers=ENGLISH).json
        assert (dataset["name"], dataset["status"]) == ("Cars", "valid")
        assert len(client.get(f"/api/datasets/{run['dataset_id']}/images").json["images"]) == 8


def test_an_empty_data_folder(filled: Path) -> None:
    """It is not mounted: rows are not marked as lost, and everything works when it is back."""
    (filled / "data").rename(filled / "elsewhere")
    with served(filled) as app:
        assert reasons(app.test_client()) == ["empty_folder"]
    shutil.rmtree(filled / "data")
    (filled / "elsewhere").rename(filled / "data")
    with served(filled) as app:
        assert reasons(app.test_client()) == []
        assert wait_for_dataset(app.test_client(), 1)["status"] == "valid"


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"[1]", b'{"uuid": 5}', b'{"uuid": "x", "highest": 3}'])
def test_a_damaged_mark_is_rewritten(filled: Path, damage: bytes) -> None:
    for name in ("installation.json", ".installation.json"):
        (filled / "data" / name).write_bytes(damage)
        with served(filled) as app:
            assert reasons(app.test_client()) == []
            here, there = uuids(app)
            assert here == there


def test_ids_are_never_reused(filled: Path) -> None:
    with served(filled) as app:
        client = app.test_client()
        last = upload(client, yolo_zip()).json["dataset_id"]
        wait_for_dataset(client, last)
        assert client.delete(f"/api/datasets/{last}").status_code == 200
    with served(filled) as app:
        assert upload(app.test_client(), yolo_zip()).json["dataset_id"] == last + 1


def test_the_folder_records_the_ids_of_tests(filled: Path) -> None:
    """After the response, and all of them."""
    with served(filled) as app, app.app_context():
        for number in (71, 72, 73):
            with writing() as session:
                session.add(Test(id=number, training_id=1, confidence_threshold=0.5, iou_threshold=0.5))
        path = Path(app.config["DATA_ROOT"]) / "installation.json"
        until(lambda: json.loads(path.read_text())["highest"]["test"] == 73)


def test_the_commands(filled: Path) -> None:
    detach_database(filled)
    settings = settings_for(filled, SOCKETIO_ASYNC_MODE="threading")

    def run(word: str) -> Any:
        return create_app("cli", settings).test_cli_runner().invoke(args=["installation", word])

    upgrade_if_old(create_app("cli", settings))
    status = run("status")
    assert status.exit_code == 1
    assert "new_database" in status.output
    command = [sys.executable, "-m", "scripts.installation", "adopt"]
    completed = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=120
    )
    assert "adopted: 2 dataset, 2 training" in completed.stdout, completed.stderr
    assert run("status").exit_code == 0
    assert run("start-anew").exit_code == 1, "nothing to decide"


def post_dataset(server: Server, name: str) -> Any:
    return server.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": name})


def test_a_file_that_is_renamed_under_the_server(server: Server) -> None:
    """Writes are refused, reads are answered, and nothing is lost when the file is back."""
    path = database(server.folder)
    assert post_dataset(server, "First").status_code == 201
    path.rename(server.folder / "away.db")
    readiness = server.get("/ready")
    assert (readiness.status_code, readiness.json()["reasons"][0]["code"]) == (503, "file_missing")
    refused = post_dataset(server, "Lost")
    assert (refused.status_code, refused.json()["code"]) == (503, "file_missing")
    assert server.get("/api/datasets").json()["total"] == 1
    assert "the database file is gone" in server.get("/", headers=ENGLISH | {"Accept": "text/html"}).text
    assert not path.exists(), "no empty file is created instead"
    path.write_bytes(b"")
    assert server.get("/ready").json()["reasons"][0]["code"] == "file_replaced"
    os.replace(server.folder / "away.db", path)
    assert server.get("/ready").status_code == 200
    again = post_dataset(server, "Second")
    assert (again.status_code, again.json()["dataset_id"]) == (201, 2)


def test_a_killed_server_and_a_file_that_moved(threading_server: Server) -> None:
    """What was committed and is only in SQLite's log moves with the file, whichever of them is moved."""
    server, path = threading_server, database(threading_server.folder)
    for name in ("First", "Second"):
        post_dataset(server, name)
    server.kill()
    path.rename(server.folder / "away.db")
    server.start()
    assert server.get("/ready").json()["reasons"][0]["code"] == "new_database"
    server.stop()
    for leftover in path.parent.glob("test.db*"):
        if "aside" not in leftover.name:
            leftover.unlink()
    os.replace(server.folder / "away.db", path)
    server.start()
    assert server.get("/ready").status_code == 200
    datasets = server.get("/api/datasets?sort=created_at").json()["datasets"]
    assert [item["name"] for item in datasets] == ["First", "Second"]


@pytest.mark.parametrize("renamed_first", [False, True])
def test_the_right_file_comes_back_under_a_read_only_server(filled: Path, renamed_first: bool) -> None:
    """SQLite would apply to the right one what the server wrote into the wrong one."""
    backup = filled / "backup.db"  # a copy, which is also another file to the server
    shutil.copy(database(filled), backup)
    detach_database(filled)
    rows = rows_of(backup)
    with served(filled) as app:
        client, installation = app.test_client(), app.extensions["installation"]
        assert reasons(client) == ["new_database"]
        with closing(sqlite3.connect(database(filled))) as connection:  # as a migration does; it stays in the log
            connection.execute(
                "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n "
                "WHERE i < 2000) SELECT i, hex(randomblob(100)) AS text FROM n"
            )
            connection.commit()
        if renamed_first:
            database(filled).rename(filled / "wrong.db")
        os.replace(backup, database(filled))
        until(lambda: installation.verdict is None)
        assert reasons(client) == []
        assert rows_of(database(filled)) == rows
        assert [item["status"] for item in client.get("/api/datasets").json["datasets"]] == ["valid", "valid"]
    assert rows_of(database(filled)) == rows


def rows_of(path: Path) -> dict[str, int]:
    """The number of rows of each table; the file is intact."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}


def until(holds: Callable[[], Any], seconds: float = 180) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def newer_version(app: APIFlask) -> None:
    """Version 2 of the first dataset, complete, with an export and a class of its own."""
    storage = app.extensions["services"].storage
    first, second = storage.revision_dir(1, 1), storage.revision_dir(1, 2)
    with app.app_context(), writing() as session:
        row = session.get_one(Dataset, 1)
        session.add(
            DatasetRevision(
                dataset_id=1,
                number=2,
                origin={"kind": "edit", "base": 1},
                options={},
                status=RevisionStatus.READY,
                classes=["newer"],
                report=dict(row.report),
            )
        )
    shutil.copytree(first, second, symlinks=True)
    (second / "dataset.yaml").write_text((second / "dataset.yaml").read_text().replace("thing", "newer"))
    (storage.dataset_dir(1) / "exports").mkdir(exist_ok=True)
    (storage.dataset_dir(1) / "exports" / "2-yolo.zip").write_bytes(b"of version 2")


@pytest.fixture
def older(filled: Path) -> Path:
    """The database is from before the first dataset's second version."""
    shutil.copy(database(filled), filled / "backup.db")
    with served(filled) as app:
        newer_version(app)
    restore_database(filled, filled / "backup.db")
    return filled


def test_an_older_backup_of_a_dataset_with_a_newer_version(older: Path) -> None:
    before = contents(older)
    with served(older) as app:
        client = app.test_client()
        assert reasons(client) == ["older_database"]
        assert contents(older) == before
        assert client.post("/api/installation/adopt").status_code == 200
        assert reasons(client) == []
        assert [item["number"] for item in client.get("/api/datasets/1/revisions").json["revisions"]] == [2, 1]
        assert client.get("/api/datasets/1").json["classes"] == ["newer"]
    with served(older) as app:
        assert reasons(app.test_client()) == []
        assert (older / "data/datasets/1/revisions/2/dataset.yaml").is_file()


def test_start_anew_preserves_a_newer_version(older: Path) -> None:
    with served(older) as app:
        client = app.test_client()
        assert client.post("/api/installation/start-anew").status_code == 200
        assert [item["number"] for item in client.get("/api/datasets/1/revisions").json["revisions"]] == [1]
        assert client.get("/api/datasets/1").json["status"] == "valid"
    assert "newer" in next((older / "data/orphans").glob("datasets-1-revisions-2-*/dataset.yaml")).read_text()
    assert not (older / "data/datasets/1/exports/2-yolo.zip").exists(), "the next version 2 is another one"


def test_a_version_without_a_row_is_never_removed(filled: Path) -> None:
    """Even where nothing indicates that the database is older."""
    with served(filled) as app, app.app_context():
        storage = app.extensions["services"].storage
        shutil.copytree(storage.revision_dir(1, 1), storage.revision_dir(1, 7), symlinks=True)
        remove_unknown(storage, 1, {1: RevisionStatus.READY})
        assert storage.revision_dir(1, 1).is_dir()
        assert not storage.revision_dir(1, 7).exists()
    assert next((filled / "data/orphans").glob("datasets-1-revisions-7-*/dataset.yaml")).is_file()


def test_nothing_is_restored_into_another_data_folder(filled: Path) -> None:
    """The command checks as the server does, and reuses no id of the folder."""
    settings = settings_for(filled, SOCKETIO_ASYNC_MODE="threading")
    with served(filled) as app, app.app_context(), writing() as session:
        session.get_one(Training, 1).important = True
    with create_app("cli", settings).app_context():
        assert backup_command(settings, "now", "1").exit_code == 0
    with served(filled) as app, app.app_context(), writing() as session:
        session.query(TrainingMetric).delete()
        session.query(Training).filter(Training.id == 1).delete()
    shutil.rmtree(filled / "data/models/1")
    detached = detach_database(filled)
    upgrade_if_old(create_app("cli", settings))
    before = contents(filled)
    refused = backup_command(settings, "restore", "1")
    assert refused.exit_code == 1
    assert "este banco de dados é novo" in refused.output
    assert contents(filled) == before
    restore_database(filled, detached)
    completed = backup_command(settings, "restore", "1")
    assert (completed.exit_code, completed.output) == (0, "Restored as training 3.\n")


def backup_command(settings: dict[str, str], *words: str) -> Any:
    return create_app("cli", settings).test_cli_runner().invoke(args=["backup", *words])


def test_an_adoption_that_ends_halfway_goes_on(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is adopted stays, the rest is still to be decided: the next start does not set it aside."""
    detach_database(filled)
    for path in (filled / "data").glob("*installation.json"):
        path.unlink()
    with served(filled) as app:
        installation = app.extensions["installation"]
        with app.app_context(), monkeypatch.context() as patch:
            patch.setitem(MAKERS, "training", killed)
            with pytest.raises(KeyboardInterrupt):
                installation.adopt()
            assert installation.examined().code == "older_database"
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == ["older_database"]
        assert client.post("/api/installation/adopt").json["adopted"] == {"dataset": 0, "training": 2, "test": 0}
        assert client.get("/api/trainings/1").json["dataset_name"] == "Cars"


def killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_attempts_are_decided_once(filled: Path) -> None:
    """Also for a run that has ended."""
    with served(filled) as app, app.app_context(), writing() as session:
        session.get_one(Training, 1).attempt = 0
    with served(filled) as app:
        client, started = app.test_client(), []
        app.extensions["installation"]._start = lambda: started.append(True)
        assert reasons(client) == ["older_database"]
        assert client.post("/api/installation/adopt").status_code == 200
        assert client.get("/api/trainings/1").json["status"] == "completed"
        with app.app_context():
            app.extensions["installation"].start_work()
        assert started == [True]
    with served(filled) as app:
        assert reasons(app.test_client()) == []


def test_a_lost_mark_and_one_folder_too_many(filled: Path) -> None:
    """Only that folder is adopted; the database's rows are unaffected."""
    for path in (filled / "data").glob("*installation.json"):
        path.unlink()
    shutil.copytree(filled / "data/models/1", filled / "data/models/9")
    with served(filled) as app:
        client = app.test_client()
        assert reasons(client) == ["other_database"]
        assert client.get("/api/installation").json["without_row"] == {"dataset": 0, "training": 1, "test": 0}
        assert client.post("/api/installation/adopt").json["adopted"] == {"dataset": 0, "training": 1, "test": 0}
        assert client.get("/api/datasets").json["total"] == 2
        assert client.get("/api/trainings/9").json["dataset_id"] == 1
    with served(filled) as app:
        assert reasons(app.test_client()) == []


def test_a_late_start_that_fails_ends_the_server(filled: Path) -> None:
    detach_database(filled)
    signals: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    try:
        with served(filled) as app:
            app.extensions["installation"]._start = lambda: 1 / 0
            app.test_client().post("/api/installation/adopt")
            until(lambda: signals)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_start_that_fails_behind_the_end_ends_nothing(filled: Path) -> None:
    """The signal would reach whatever this process runs by then."""
    signals: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    try:
        with served(filled) as app:
            installation = app.extensions["installation"]

            def start() -> None:
                installation.close()
                raise OSError("its folder is gone")

            installation._start, installation._started = start, False
            installation.start_work()
            installation._started = False
            installation.start_work()  # nothing is started any more
        assert not signals
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_janitor_waits_for_the_decision(filled: Path) -> None:
    detach_database(filled)
    with served(filled) as app, app.app_context():
        old = filled / "data/tmp/old"
        old.write_text("of yesterday")
        os.utime(old, (0, 0))
        janitor = Janitor(app.extensions["services"])
        assert janitor.sweep(now()) == {}
        assert old.exists()
        app.extensions["installation"].adopt()
        janitor.sweep(now())
        assert not old.exists()


def test_records_are_read_when_they_change(tmp_path: Path) -> None:
    """A read-only server checks every two seconds."""
    path = tmp_path / "5"
    path.mkdir()
    (path / "about.json").write_text('{"kind": "training", "row": {"id": 5, "created_at": "then"}}')
    first = identity(path, "training")
    assert first == (5, "then")
    misses = read_identity.cache_info().misses
    assert identity(path, "training") == first
    assert read_identity.cache_info().misses == misses
    record = json.loads((path / "about.json").read_text())
    record["row"]["id"] = 77
    (path / "about.json").write_text(json.dumps(record, indent=3))
    assert identity(path, "training")[0] == 77
    (path / "about.json").unlink()
    assert identity(path, "training") == (None, None)
