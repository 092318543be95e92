"""The server shared by the checks: starts, uploads and trained models take more time than what is checked."""

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from scripts.gpu.outcome import Fails
from scripts.local_server import Server

EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Exit)\b.*")


@dataclass
class Stage:
    """The contents of a platform's folder for the next check: a dataset, and a completed training."""

    folder: Path
    dataset_id: int | None = None
    training_id: int | None = None


class Servers:
    """At most one server, on one folder. It is restarted there for a check that needs other settings; after a failed
    check, the next one gets a new folder.

    Args:
        root: the folders are created below it.
        common: settings of every server.
    """

    def __init__(self, root: Path, common: dict[str, str]) -> None:
        self.root, self.common = root, common
        self.server: Server | None = None
        self._stage: Stage | None = None

    @property
    def stage(self) -> Stage:
        """The contents of the present folder."""
        if self._stage is None:
            number = len(list(self.root.iterdir())) + 1 if self.root.exists() else 1
            folder = self.root / str(number)
            folder.mkdir(parents=True)
            self._stage = Stage(folder)
        return self._stage

    def running(self, mode: str, **settings: str) -> Server:
        """A running server with these settings.

        Raises:
            Fails: it does not start.
        """
        requested = Server(self.stage.folder, mode, **self.common | settings)
        if self.server is not None and self._is(requested):
            return self.server
        self.stop()
        self.server = requested
        try:
            return requested.start()
        except RuntimeError as error:
            raise Fails(
                f"the server does not start: {reason_in(str(error))}; see {requested.folder}/server.log"
            ) from error

    def _is(self, requested: Server) -> bool:
        """Whether the running server is the requested one, apart from its port."""
        server = self.server
        if server is None or server.process is None or server.process.poll() is not None:
            return False
        return requested.settings | {"PORT": str(server.port)} == server.settings

    def ending(self) -> str:
        """For a message: that the server has ended on its own, if it has."""
        process = self.server.process if self.server else None
        if process is None or (status := process.poll()) is None:
            return ""
        return f"; the server has ended ({signal.Signals(-status).name if status < 0 else f'status {status}'})"

    def stop(self) -> None:
        """End the server and its children; its folder remains usable."""
        if self.server is not None:
            self.server.end()
        self.server = None

    def abandon(self) -> None:
        """End it, and start in a new folder; the weights in the old one are removed, its logs are kept."""
        self.stop()
        if self._stage is not None:
            for path in self._stage.folder.rglob("*.pt"):
                path.unlink()
        self._stage = None


def reason_in(log: str) -> str:
    """The reason from a server's log: its last exception, since gunicorn only logs that it failed; otherwise its last
    line.
    """
    lines = [line.strip() for line in reversed(log.splitlines()) if line.strip()]
    return next((line for line in lines if EXCEPTION.match(line)), lines[0] if lines else "it said nothing")
