"""A web process and workers that share no volume, each with a data folder of its own: files go through a real S3
server."""

import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from app.object_store.bucket import Bucket
from scripts.local_server import Server
from scripts.processes import kill_below
from tests.cluster.pair import until
from tests.cluster.redis_server import running_redis
from tests.cluster.worker_process import WorkerProcess
from tests.data import yolo_zip
from tests.object_store.s3_server import S3Server, running_s3
from tests.postgres import new_database, running_postgres

TINY = {"name": "Run", "model_version": "n", "batch_size": 4, "img_size": 64}


class Platform:
    """All of them."""

    def __init__(self, folder: Path, web: Server, store: S3Server, database: str) -> None:
        self.folder, self.web, self.store, self.database = folder, web, store, database
        self.workers: list[WorkerProcess] = []

    def worker(self, name: str) -> WorkerProcess:
        """One on a host of its own."""
        own = self.folder / name
        own.mkdir(exist_ok=True)
        folders = {"DATA_ROOT": str(own / "data"), "INSTANCE_PATH": str(own / "instance"), "LOG_DIR": str(own / "logs")}
        unique = f"{name}-{uuid.uuid4().hex[:6]}"
        made = WorkerProcess(own, unique, self.web.settings | folders).start()
        self.workers.append(made)
        return made

    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.database) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    @property
    def bucket(self) -> Bucket:
        uuid_ = self.rows("SELECT uuid FROM installation")[0][0]
        return self.store.bucket().below(uuid_)

    def about(self) -> str:
        logs = "\n".join(f"{worker.name}:\n{worker.log()}" for worker in self.workers)
        return f"web:\n{self.web.log()}\n{logs}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("separate")
    with running_redis(folder) as redis, running_postgres() as postgres, running_s3(folder) as store:
        database = new_database(postgres, "separate")
        shared = {"DATABASE_URL": database, "REDIS_URL": f"redis://127.0.0.1:{redis}/0", "DISPATCH": "rq"}
        own = folder / "web"
        own.mkdir()
        with Server(own, "threading", RATELIMIT_ENABLED="False", **shared, **store.settings) as web:
            made = Platform(folder, web, store, database)
            try:
                yield made
            finally:
                store.signal(signal.SIGCONT)
                for worker in made.workers:
                    worker.running.kill()
                    worker.running.wait()
                kill_below(folder)


def newest(folder: Path) -> int:
    """The last epoch whose checkpoint is in a training's folder; 0 for none."""
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("checkpoints/epoch-*.pt")), default=0)


def trainer_pid(platform: Platform) -> int:
    """The process that trains."""
    runner = platform.rows("SELECT runner FROM job WHERE kind = 'training'")[0][0]
    found: int = (json.loads(runner) if isinstance(runner, str) else runner)["pid"]
    return found


@pytest.mark.training
@pytest.mark.timeout(900)  # on a loaded machine
def test_a_training_goes_on_on_another_host_without_a_shared_volume(platform: Platform) -> None:
    web, first = platform.web, platform.worker("one")
    answer = web.post("/api/datasets", files={"file": ("a.zip", yolo_zip())}, data={"name": "A"})
    assert answer.status_code == 201, answer.text
    dataset_id = answer.json()["dataset_id"]
    until(lambda: web.get(f"/api/datasets/{dataset_id}").json()["status"] == "valid", 240, platform.about)

    training = web.post("/api/trainings", json=TINY | {"dataset_id": dataset_id, "epochs": 6}).json()
    path, number = f"/api/trainings/{training['training_id']}", training["training_id"]

    def epoch() -> int:
        found: int = web.get(path).json()["current_epoch"]
        return found

    until(lambda: epoch() >= 1, 400, platform.about)
    child = psutil.Process(trainer_pid(platform))
    child.suspend()  # it must not be ready before it is lost
    here = platform.folder / "web" / "data" / "models" / str(number)
    until(lambda: newest(here) >= 1, 120, platform.about)
    until(lambda: web.get(f"{path}/csv-data").status_code == 200, 120, platform.about)
    assert (platform.folder / "one/data/datasets" / str(dataset_id) / "revisions/1/images").is_dir()

    platform.store.signal(signal.SIGSTOP)
    before = epoch()
    child.resume()
    until(lambda: epoch() > before, 120, platform.about)
    child.suspend()
    platform.store.signal(signal.SIGCONT)
    until(lambda: newest(here) > before, 120, platform.about)

    first.kill()  # all of its host, with the training
    kill_below(platform.folder / "one" / "data")
    second = platform.worker("two")
    silent = "UPDATE worker SET heartbeat_at = heartbeat_at - interval '61 seconds' WHERE name = '%s'"
    platform.execute(silent % first.name)
    until(lambda: web.get(path).json()["status"] == "completed", 400, platform.about)

    job = web.get("/api/jobs", params={"kind": "training"}).json()["jobs"][0]
    assert job["status"] == "completed"
    assert f"attempt {job['attempt']}" in second.log()
    epochs = platform.rows("SELECT epoch FROM training_metric ORDER BY epoch")
    assert epochs == [(number_,) for number_ in range(1, 7)], "each counts once"
    weights = web.get(f"{path}/download")
    assert weights.status_code == 200
    assert weights.content == (here / "run/weights/best.pt").read_bytes()
    assert '"resumed"' in (here / "attempts" / str(job["attempt"]) / "events.jsonl").read_text()
    until(lambda: not platform.bucket.keys("jobs/"), 60, platform.about)
    left = platform.folder / "two/data/workers" / second.name / "models" / str(number)
    until(lambda: not (left / "run").exists(), 30, platform.about)

    def described() -> str:  # behind the ending: it may come with the worker's last files, after the others are removed
        status: str = json.loads((here / "about.json").read_text())["row"]["status"]
        return status

    until(lambda: described() == "completed", 120, platform.about)
