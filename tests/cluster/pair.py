"""Two real web processes over one database, one data folder and one Redis."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app import create_app
from app.database import upgrade_if_old
from scripts.local_server import Server, settings_for
from scripts.processes import kill_below
from tests.conftest import close_database
from tests.data import valid_dataset


@contextmanager
def running_pair(
    folder: Path, redis_port: int, database: str | None = None, mode: str = "threading"
) -> Iterator["Pair"]:
    """Both processes, the leader first.

    Args:
        database: its address; None: SQLite.
    """
    shared = settings_for(folder, SOCKETIO_ASYNC_MODE=mode)
    if database:
        shared["DATABASE_URL"] = database
    app = create_app("cli", shared)
    upgrade_if_old(app)
    dataset_id = valid_dataset(app)
    close_database(app)
    shared = {name: shared[name] for name in ("DATA_ROOT", "INSTANCE_PATH", "DATABASE_URL")}
    shared["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}/0"
    servers = []
    try:
        for name in ("first", "second"):
            home = folder / name
            home.mkdir()
            servers.append(Server(home, mode, LOG_DIR=str(home / "logs"), **shared).start())
        yield Pair(folder, servers[0], servers[1], dataset_id)
    finally:
        for server in servers:
            server.end()
        kill_below(folder)


class Pair:
    """Two servers; `first` leads at the beginning."""

    def __init__(self, folder: Path, first: Server, second: Server, dataset_id: int) -> None:
        self.folder, self.first, self.second, self.dataset_id = folder, first, second, dataset_id

    def kill(self, server: Server) -> None:
        """kill -9 of all of its processes; job processes continue."""
        server.kill()

    def logs(self) -> str:
        return f"first:\n{self.first.log()}\nsecond:\n{self.second.log()}"


def until(there: Callable[[], Any], seconds: float = 120, about: Callable[[], str] = str) -> Any:
    """The first true value of `there`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := there():
            return value
        time.sleep(0.05)
    raise TimeoutError(about())
