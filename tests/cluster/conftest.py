"""A platform with dispatch to workers, in the test's process: the queue is empty, and no worker is registered."""

from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from sqlalchemy import text

from app import create_app
from app.database import upgrade_if_old, writing
from app.extensions import db
from app.jobs import JobService
from app.jobs.dispatch import Dispatcher
from app.jobs.runner import RQRunner
from scripts.local_server import settings_for
from tests.cluster.queued import url
from tests.cluster.redis_server import RedisServer
from tests.conftest import close_database
from tests.postgres import new_database, running_postgres


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as server:
        yield new_database(server, "dispatch")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, database: str) -> Iterator[APIFlask]:
    folder = tmp_path_factory.mktemp("app")
    shared = {"DATABASE_URL": database, "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "DISPATCH": "rq"}
    application = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading") | shared)
    upgrade_if_old(application)
    application.extensions["services"].jobs.root.mkdir(parents=True)
    yield application
    close_database(application)


@pytest.fixture
def jobs(app: APIFlask, redis: RedisServer) -> Iterator[JobService]:
    """The queue is empty, and no worker is registered."""
    service: JobService = app.extensions["services"].jobs
    with app.app_context():
        RQRunner(url(redis)).client.flushall()
        with writing() as session:
            for table in ("job", "worker", "training"):
                session.execute(text(f"DELETE FROM {table}"))
        yield service
        db.session.remove()


@pytest.fixture
def dispatcher(jobs: JobService, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Dispatcher:
    monkeypatch.setattr("app.jobs.dispatch.COUNT_S", 0.0)
    return Dispatcher(jobs.kinds, RQRunner(url(redis)), jobs.announce)
