"""A real web process and real workers over PostgreSQL and Redis: jobs run elsewhere, and survive their worker."""

import signal
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scripts.local_server import Server
from scripts.processes import kill_below
from tests.cluster.pair import until
from tests.cluster.redis_server import running_redis
from tests.cluster.worker_process import WorkerProcess
from tests.data import yolo_zip
from tests.postgres import new_database, running_postgres

TINY = {"name": "Run", "model_version": "n", "epochs": 2, "batch_size": 4, "img_size": 64}


class Platform:
    """Both, and their database."""

    def __init__(self, web: Server, worker: WorkerProcess, database: str) -> None:
        self.web, self.worker, self.database = web, worker, database

    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    def job(self, kind: str) -> dict[str, Any]:
        newest: dict[str, Any] = self.web.get("/api/jobs", params={"kind": kind}).json()["jobs"][0]
        return newest

    def about(self) -> str:
        return f"web:\n{self.web.log()}\nworker:\n{self.worker.log()}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    with running_redis(folder) as redis, running_postgres() as postgres:
        database = new_database(postgres, "workers")
        shared = {"DATABASE_URL": database, "REDIS_URL": f"redis://127.0.0.1:{redis}/0", "DISPATCH": "rq"}
        with Server(folder, "threading", RATELIMIT_ENABLED="False", **shared) as web:
            worker = WorkerProcess(folder, uuid.uuid4().hex[:8], web.settings).start()
            try:
                yield Platform(web, worker, database)
            finally:
                worker.kill()
                kill_below(folder)


@pytest.mark.training
@pytest.mark.timeout(900)  # on a loaded machine
def test_a_training_survives_its_work_horse_and_its_worker(platform: Platform) -> None:
    web, worker = platform.web, platform.worker
    answer = web.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": "A"})
    assert answer.status_code == 201, answer.text + platform.about()
    dataset = f"/api/datasets/{answer.json()['dataset_id']}"
    until(lambda: web.get(dataset).json()["status"] == "valid", 240, platform.about)
    assert "(import_dataset): attempt 1" in worker.log()

    training = web.post("/api/trainings", json=TINY | {"dataset_id": answer.json()["dataset_id"]}).json()
    path = f"/api/trainings/{training['training_id']}"
    until(lambda: web.get(path).json()["current_epoch"] >= 1, 400, platform.about)
    assert platform.job("training")["runner"] == worker.name
    horse = worker.horse()
    assert horse is not None, platform.about()
    horse.kill()
    until(lambda: (new := worker.horse()) is not None and new.pid != horse.pid, 60, platform.about)
    worker.kill()
    worker.start()
    until(lambda: web.get(path).json()["status"] == "completed", 400, platform.about)
    job = platform.job("training")
    assert (job["runner"], job["attempt"], job["status"]) == (None, 1, "completed"), "the process was followed"
    epochs = platform.rows("SELECT epoch FROM training_metric ORDER BY epoch")
    assert epochs == [(1,), (2,)], "each counts once"


def test_a_terminated_worker_is_removed(platform: Platform) -> None:
    until(lambda: platform.rows("SELECT name FROM worker WHERE state = 'idle'") == [(platform.worker.name,)], 60)
    assert platform.worker.end() == 0, platform.about()
    assert platform.rows("SELECT name FROM worker") == []
    answer = platform.web.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": "B"})
    assert answer.status_code == 201, "nobody waits for a worker in a request"
    platform.worker.start()
    dataset = f"/api/datasets/{answer.json()['dataset_id']}"
    until(lambda: platform.web.get(dataset).json()["status"] == "valid", 120, platform.about)


def test_one_that_stands_still_is_no_reason_to_wait(platform: Platform) -> None:
    """SIGTERM while it is stopped by SIGSTOP: both take effect once it continues."""
    platform.worker.running.send_signal(signal.SIGSTOP)
    platform.worker.running.send_signal(signal.SIGTERM)
    platform.worker.running.send_signal(signal.SIGCONT)
    assert platform.worker.running.wait(60) == 0, platform.about()
