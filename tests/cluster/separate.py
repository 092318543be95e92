"""A web process and workers without a shared volume, each with a data folder of its own: files are exchanged through a
real S3 server.
"""

import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from app.object_store.bucket import Bucket
from scripts.local_server import Server
from scripts.processes import kill_below
from tests.cluster.redis_server import running_redis
from tests.cluster.worker_process import WorkerProcess
from tests.object_store.s3_server import S3Server, running_s3
from tests.postgres import new_database, running_postgres


class Platform:
    """The web process, the workers and their services."""

    def __init__(self, folder: Path, web: Server, store: S3Server, database: str) -> None:
        self.folder, self.web, self.store, self.database = folder, web, store, database
        self.workers: list[WorkerProcess] = []

    def worker(self, name: str) -> WorkerProcess:
        """A worker on a host of its own."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        folders = {
            "DATA_ROOT": str(home / "data"),
            "INSTANCE_PATH": str(home / "instance"),
            "LOG_DIR": str(home / "logs"),
        }
        unique = f"{name}-{uuid.uuid4().hex[:6]}"
        process = WorkerProcess(home, unique, self.web.settings | folders).start()
        self.workers.append(process)
        return process

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


@contextmanager
def running_platform(folder: Path) -> Iterator[Platform]:
    """With its database, Redis and store, and no worker yet."""
    with running_redis(folder) as redis, running_postgres() as postgres, running_s3(folder) as store:
        database = new_database(postgres, "separate")
        shared = {"DATABASE_URL": database, "REDIS_URL": f"redis://127.0.0.1:{redis}/0", "DISPATCH": "rq"}
        home = folder / "web"
        home.mkdir()
        with Server(home, "threading", RATELIMIT_ENABLED="False", **shared, **store.settings) as web:
            platform = Platform(folder, web, store, database)
            try:
                yield platform
            finally:
                if store.running is not None:
                    store.signal(signal.SIGCONT)
                for worker in platform.workers:
                    worker.running.kill()
                    worker.running.wait()
                kill_below(folder)
