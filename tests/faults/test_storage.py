"""Killed and concurrent uploads, and disks that are full or read-only."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from scripts.local_server import Server
from tests import test_uploads_tus as tus
from tests.data import yolo_zip
from tests.faults.conftest import Record
from tests.faults.tools import (
    add_dataset,
    check_database,
    filled,
    kill_server,
    occupied,
    remount,
    small_disk,
    wait_until,
)
from tests.test_uploads import drawn_zip, start_upload

LARGE = 2000  # images: about 300 MB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "big.zip"
    path.write_bytes(drawn_zip(LARGE))
    return path


def stored(server: Server) -> tuple[set[str], set[str]]:
    """The datasets as rows and as folders."""
    rows = {str(item["id"]) for item in server.get("/api/datasets?per_page=100").json()["datasets"]}
    return rows, {path.name for path in (server.folder / "data/datasets").iterdir()}


def staging_is_clear(server: Server) -> bool:
    return not list((server.folder / "data/tmp").iterdir())


@pytest.mark.faults("kill -9 web during a 300 MB upload", 30)
def test_kill_web_during_upload(record: Record, tmp_path: Path, large: Path) -> None:
    with Server(tmp_path, record.mode, MIN_FREE_DISK="1MB") as server:
        upload = start_upload(server, large)
        time.sleep(0.5 + random.Random(record.number).random() * 5)  # while receiving, extracting, moving or validating
        kill_server(server)
        answer, _ = upload.communicate(timeout=60)
        began = time.monotonic()
        server.start()
        assert record.recovered(began) < 10
        rows, folders = stored(server)
        assert rows == folders
        assert bool(rows) >= ("dataset_id" in answer), "an acknowledged dataset is there"
        record.note = "it was in already" if rows else "it was not in yet"
        wait_until(lambda: staging_is_clear(server), 5, "staging is cleared")
        for item in rows:
            body = server.get(f"/api/datasets/{item}").json()
            assert body["total_images"] == LARGE
        add_dataset(server, "retry")
        check_database(server)


@pytest.mark.faults("kill -9 web during a 300 MB upload in chunks", 30)
def test_kill_web_during_resumable_upload(record: Record, tmp_path: Path, large: Path) -> None:
    """Twice, at random points; acknowledged bytes are kept, and the upload resumes to one dataset."""
    data, chance = large.read_bytes(), random.Random(record.number)
    with Server(tmp_path, record.mode, MIN_FREE_DISK="1MB") as server:
        address, acknowledged = tus.begin(server, len(data)), 0
        for _ in range(2):
            timer = threading.Timer(0.2 + chance.random() * 2, kill_server, (server,))
            timer.start()
            while acknowledged < len(data):
                chunk = data[acknowledged : acknowledged + 20_000_000]
                try:
                    answer = tus.patch(server, address, acknowledged, chunk)
                except requests.RequestException:
                    break
                assert answer.status_code == 204, answer.text
                acknowledged = int(answer.headers["Upload-Offset"])
            timer.join()
            began = time.monotonic()
            server.start()
            on_disk = tus.offset(server, address)
            assert record.recovered(began) < 10
            assert on_disk >= acknowledged, "what was answered is on the disk"
            acknowledged = on_disk
        if acknowledged < len(data):
            assert tus.stored(server, address).read_bytes() == data[:acknowledged]
            assert tus.patch(server, address, acknowledged, data[acknowledged:]).status_code == 204
        assert tus.outcome(server, address)["dataset_id"] == 1
        rows, folders = stored(server)
        assert rows == folders == {"1"}
        assert server.get("/api/datasets/1").json()["total_images"] == LARGE
        check_database(server)


@pytest.mark.faults("100 parallel 5 MB uploads", 3)
@pytest.mark.timeout(600)
def test_parallel_uploads(record: Record, tmp_path: Path) -> None:
    body = drawn_zip(40)
    assert 4_500_000 < len(body) < 7_000_000
    with Server(tmp_path, record.mode, MIN_FREE_DISK="1MB") as server:

        def upload(number: int) -> requests.Response:
            return server.post("/api/datasets", data={"name": str(number)}, files={"file": ("a.zip", body)})

        began = time.monotonic()
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(upload, range(100)))
        record.recovered(began)
        assert {answer.status_code for answer in answers} <= {201, 503}
        assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
        accepted = {str(answer.json()["dataset_id"]) for answer in answers if answer.status_code == 201}
        record.note = f"{len(accepted)} accepted, {100 - len(accepted)} told to retry"
        assert stored(server) == (accepted, accepted)
        assert server.get("/ready").status_code == 200
        check_database(server)


def write_one(server: Server, dataset_id: int) -> requests.Response:
    """A write that only needs the database: the device is occupied."""
    body = {"name": "x" * 100, "dataset_id": dataset_id, "epochs": 1}
    return server.post("/api/trainings", json=body)


def reads_work(server: Server, dataset_id: int) -> None:
    for path in ("/api/datasets", f"/api/datasets/{dataset_id}", "/api/trainings", "/", "/health"):
        assert server.get(path).status_code == 200, path


def reasons(server: Server) -> set[str]:
    """The parts that the ready page names."""
    answer = server.get("/ready")
    assert (answer.status_code == 503) == bool(answer.json()["reasons"])
    assert all(reason["message"] for reason in answer.json()["reasons"])
    return {reason["part"] for reason in answer.json()["reasons"]}


@pytest.mark.faults("database file's disk full", 5)
def test_database_disk_full(record: Record, tmp_path: Path) -> None:
    with small_disk(tmp_path / "instance", "8m") as disk, Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        with occupied(server, dataset_id):
            assert reasons(server) == set()
            with filled(disk):
                answers = [write_one(server, dataset_id) for _ in range(20)]
                refused = [answer for answer in answers if answer.status_code != 201]
                assert {answer.status_code for answer in refused} == {507}, [answer.text for answer in refused]
                reads_work(server, dataset_id)
                assert reasons(server) == {"database"}
            freed = time.monotonic()
            again = wait_until(lambda: write_one(server, dataset_id).status_code == 201, 10, "writing works again")
            assert again
            record.recovered(freed)
            assert reasons(server) == set()
            accepted = 1 + len(answers) - len(refused)
            record.note = f"{len(refused)} of {len(answers)} writes answered 507"
            assert server.get("/api/trainings").json()["total"] == 1 + accepted
        check_database(server)


@pytest.mark.faults("disk of the data root full", 5)
def test_data_disk_full(record: Record, tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "60m") as disk, Server(tmp_path, record.mode, MIN_FREE_DISK="1MB") as server:
        dataset_id = add_dataset(server)
        with filled(disk, leave=2_000_000):  # the body does not fit, and then the extracted files do not
            for body in (drawn_zip(40), drawn_zip(8)):
                answer = server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", body)})
                assert answer.status_code == 507, answer.text
        with filled(disk):
            answer = server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", yolo_zip())})
            assert answer.status_code == 507, answer.text
            reads_work(server, dataset_id)
            assert reasons(server) == {"data"}
        freed = time.monotonic()
        assert staging_is_clear(server)
        add_dataset(server, "again")
        record.recovered(freed)
        assert reasons(server) == set()
        check_database(server)


@pytest.mark.faults("data root read-only", 5)
def test_data_root_read_only(record: Record, tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "60m") as disk, Server(tmp_path, record.mode, MIN_FREE_DISK="1MB") as server:
        dataset_id = add_dataset(server)
        remount(disk, "ro")
        answers = [
            server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", yolo_zip())}),
            server.delete(f"/api/datasets/{dataset_id}"),
        ]
        assert [answer.status_code for answer in answers] == [503, 503], [answer.text for answer in answers]
        assert all(answer.headers["Retry-After"] for answer in answers)
        reads_work(server, dataset_id)
        assert reasons(server) == {"data"}
        server.stop()
        server.start()  # reading works after a restart, too
        reads_work(server, dataset_id)
        assert reasons(server) == {"data"}
        remount(disk, "rw")
        writable = time.monotonic()
        assert reasons(server) == set()
        assert server.get(f"/api/datasets/{dataset_id}").json()["status"] == "valid"
        add_dataset(server, "again")
        record.recovered(writable)
        check_database(server)
