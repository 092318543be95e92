"""Jobs that are waiting for workers, and registered workers without a process."""

from typing import Any

from apiflask import APIFlask

from app.database import writing
from app.extensions import db
from app.jobs import Job, workers
from app.jobs.disk import DiskSpace
from app.jobs.dispatch import Dispatcher
from app.jobs.workers import WorkerName
from app.jobs.workhorse import WorkHorse
from tests.cluster.redis_server import RedisServer

PLENTY, LITTLE = DiskSpace(10, 5), DiskSpace(1, 5)
CPU, GPU = ("cpu",), ("0",)


def url(redis: RedisServer) -> str:
    return f"redis://127.0.0.1:{redis.port}/0"


def add(**values: Any) -> int:
    with writing() as session:
        row = Job(**{"kind": "draw_sample", "params": {}} | values)
        session.add(row)
        session.flush()
        return row.id


def horse(
    app: APIFlask, name: str = "one", devices: tuple[str, ...] = CPU, about: dict[str, Any] | None = None
) -> WorkHorse:
    """The work-horse of a registered worker."""
    identity = WorkerName(name, "here", 1, devices)
    with db.engine.begin() as connection:
        workers.register(connection, identity, about or {})
    return WorkHorse(app, app.extensions["services"].jobs, identity)


def row(job_id: int) -> Job:
    db.session.rollback()
    return db.session.get_one(Job, job_id, populate_existing=True)


def tickets(dispatcher: Dispatcher) -> dict[str, int]:
    delivered = dispatcher.runner.tickets()
    assert delivered is not None
    return {name: number for name, number in delivered.items() if number}
