"""One real server in each mode for all attacks, with a dataset, a completed training, and a pending one."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import create_app
from app.database import upgrade_if_old
from scripts.local_server import MODES, Server, settings_for
from tests.data import checkpoint_bytes, completed_training


@dataclass
class Target:
    """The attacked server, and the ids of its rows."""

    server: Server
    dataset_id: int
    training_id: int

    def raw(self, sent: bytes, *, half_close: bool = True) -> bytes:
        """The complete response to these bytes, after which the client sends nothing more."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def status(self, sent: bytes) -> int:
        """The status of the response to these bytes."""
        return int(self.raw(sent).split(b" ", 2)[1])

    def counts(self) -> dict[str, int]:
        """The number of rows of each kind."""
        return {name: self.server.get(f"/api/{name}").json()["total"] for name in ("datasets", "trainings", "tests")}


def started_target(folder: Path, mode: str, **settings: str) -> Iterator[Target]:
    """A server in a mode, with its rows written before it starts."""
    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading"))
    upgrade_if_old(app)
    dataset_id, training_id = completed_training(app)
    with app.app_context():
        weights = app.extensions["services"].trainer.store.folder(training_id) / "run" / "weights" / "best.pt"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(checkpoint_bytes(bytes(40_000_000)))
        attempt = app.extensions["services"].trainer.store.attempt_dir(training_id, 1)
        attempt.mkdir(parents=True)
        (attempt / "worker.log").write_text("a line\n")
    with Server(folder, mode, **settings) as server:
        yield Target(server, dataset_id, training_id)


@pytest.fixture(scope="session", params=MODES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The attacked server, once under eventlet and once under threading."""
    yield from started_target(tmp_path_factory.mktemp("attacked"), request.param)
