"""Fixtures of all tests: an application on a temporary folder, and a real server in both modes."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.database import upgrade_if_old
from app.extensions import db, socketio
from scripts.fitted_model import create_model
from scripts.local_server import MODES, Server, settings_for
from tests.random_weights import write_weights
from tests.shared_files import shared_folder

CRASHED = pytest.StashKey[bool]()
LONG_S = 600.0  # the limit of tests that take a minute or more on an idle machine
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with real trainings first, then those with another long test: files are distributed over processes, and a
    long one must not come last, while the other processes are idle.
    """
    training = {item.path for item in items if item.get_closest_marker("training")}
    long = {item.path for item in items if time_limit(item) >= LONG_S}
    items.sort(key=lambda item: (item.path not in training, item.path not in long))


def time_limit(item: pytest.Item) -> float:
    """Seconds that a test may take by its own mark; 0 without one."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark is not None and mark.args else 0.0


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A crashed process leaves tests that were not run: that is no run with a failed test, see scripts/test.sh."""
    if error:
        node.config.stash[CRASHED] = True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash.get(CRASHED, False):
        session.exitstatus = pytest.ExitCode.INTERRUPTED


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of this version. Migrating one takes longer than the rest of an application's start, and more
    than a thousand tests start with one.
    """
    folder = tmp_path_factory.mktemp("migrated")
    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    close_database(app)
    return folder / "instance" / "test.db"


@pytest.fixture(scope="session", autouse=True)
def migrated_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Real servers begin with its copy, too; tests/test_web_process.py has the first start of a user's own."""
    Server.empty_database = lambda: request.getfixturevalue("migrated")
    yield
    Server.empty_database = None


@pytest.fixture
def empty_database(tmp_path: Path, migrated: Path) -> None:
    """Its copy, at the path that an application of `settings_for(tmp_path)` expects."""
    (tmp_path / "instance").mkdir(mode=0o700)
    shutil.copy(migrated, tmp_path / "instance")


@pytest.fixture
def app(tmp_path: Path, empty_database: None) -> Iterator[APIFlask]:
    """An application as `make run` starts it, in threading mode, on a temporary database and folders."""
    app = create_app("web", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


@pytest.fixture(scope="module")
def common_app(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[APIFlask]:
    """The same for all tests of a module that use it, for requests that change nothing."""
    folder = tmp_path_factory.mktemp("common")
    (folder / "instance").mkdir(mode=0o700)
    shutil.copy(migrated, folder / "instance")
    app = create_app("web", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


@pytest.fixture
def idle_app(tmp_path: Path, empty_database: None) -> Iterator[APIFlask]:
    """Like `app`, but nothing in its queue is started."""
    app = create_app("cli", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_database(app)


def close_app(app: Flask) -> None:
    """End an application that serves, including its jobs. Otherwise their supervisors would look for a deleted database
    for as long as this process lives, and write to the log of another test.
    """
    services = app.extensions["services"]
    services.close()
    scheduler, until = services.jobs.scheduler, time.monotonic() + 180
    while scheduler.running:
        assert time.monotonic() < until, f"supervisors that do not end: {scheduler.running}"
        for supervisor in scheduler.supervisors():
            if supervisor.started:
                supervisor.child.signal(signal.SIGKILL)
        time.sleep(0.02)
    close_database(app)


def close_database(app: Flask) -> None:
    """Close its connections, which would otherwise stay open for as long as this process lives: three files each, for a
    thousand tests.
    """
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def socketio_initialized() -> None:
    """For code that yields to other clients and is called without an application. (If `socketio.sleep` were replaced,
    the loops of all earlier applications of this process would spin.)
    """
    if socketio.server is None:
        socketio.init_app(Flask(__name__), async_mode="threading")


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(params=MODES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A real server process, once under eventlet and once under threading."""
    with Server(tmp_path, request.param) as running:
        yield running


@pytest.fixture
def threading_server(tmp_path: Path) -> Iterator[Server]:
    """A real server process for tests that do not depend on the mode."""
    with Server(tmp_path, "threading") as running:
        yield running


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model file without a training that detects something in every image."""
    folder = shared_folder(tmp_path_factory, "random-weights", lambda folder: write_weights(folder / "best.pt"))
    return (folder / "best.pt").read_bytes()


@pytest.fixture(scope="module")
def fitted_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `best.pt` and `data`: a model that is right about its dataset, without a training."""
    shared = shared_folder(tmp_path_factory, "fitted-model", create_model)
    folder = tmp_path_factory.mktemp("fitted")
    shutil.copytree(shared, folder, dirs_exist_ok=True)
    description = folder / "data" / "dataset.yaml"
    description.write_text(description.read_text().replace(str(shared), str(folder)))
    return folder


@pytest.fixture(scope="session")
def bccd_yolo() -> Path:
    """364 blood-cell images in YOLO layout."""
    return shared_file("datasets/bccd-yolo.zip")


@pytest.fixture(scope="session")
def bccd_voc() -> Path:
    """74 blood-cell images in Pascal VOC layout."""
    return shared_file("datasets/bccd-voc.zip")


def shared_file(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path
