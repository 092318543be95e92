"""A real server process on a free loopback port, with folders of its own."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import psutil
import requests

from app.access.secrets import owner_secret
from scripts.processes import answers, kill_below

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0  # for what takes an idle machine a second or two
MODES = ("eventlet", "threading")
DATABASE = "test.db"
# Below Linux's ephemeral ports (from 32768): while a server has not started yet, or is killed and restarted, another
# connection could otherwise get its port as its own local port; a client that polls it may even be connected to itself.
PORTS = range(20_000, 32_000)


def settings_for(folder: Path, **changes: str) -> dict[str, str]:
    """Settings that keep everything below `folder` and download nothing."""
    return {
        "DATA_ROOT": str(folder / "data"),
        "INSTANCE_PATH": str(folder / "instance"),
        "DATABASE_URL": f"sqlite:///{folder / 'instance' / DATABASE}",
        "LOG_DIR": str(folder / "logs"),
        "WEIGHTS_URL": "",
        "MIN_FREE_DISK": "50MB",
        "DISK_RESERVE": "50MB",
        "AUTO_EVALUATE": "False",
        "AUTO_EXPORT": "False",
        "AUTH": "off",  # a test client has no socket whose user is known
    } | changes


def free_port() -> int:
    """A free loopback port, outside those that the system assigns."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # a test may have seeded the shared generator, in several processes
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """`python run.py` in a process of its own; a context manager that ends it and its children.

    Attributes:
        empty_database: makes the SQLite file that the first start in a folder begins with; None: each one migrates its
            own, as the first start of a user does.
    """

    empty_database: ClassVar[Callable[[], Path] | None] = None

    def __init__(self, folder: Path, mode: str, **settings: str) -> None:
        self.folder = folder
        self.mode = mode
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = settings_for(folder, SOCKETIO_ASYNC_MODE=mode, PORT=str(self.port), AUTH="auto") | settings
        self.process: subprocess.Popen[bytes] | None = None
        self.first_answer_s = 0.0
        self.headers: dict[str, str] = {}  # of each request by this object

    def start(self) -> "Server":
        """Start it and wait for its first response."""
        self._copy_database()
        began = time.monotonic()
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "run.py"], cwd=ROOT, env=os.environ | self.settings, stdout=log, stderr=log
            )
        while time.monotonic() - began < PATIENCE_S:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log()}")
            if answers(self.url + "/health"):
                self.first_answer_s = time.monotonic() - began
                return self
            time.sleep(0.02)
        raise RuntimeError(f"the server did not answer:\n{self.log()}")

    def _copy_database(self) -> None:
        """Begin with a copy of `empty_database`, where nothing is there yet."""
        instance = Path(self.settings["INSTANCE_PATH"])
        address = f"sqlite:///{instance / DATABASE}"
        if Server.empty_database is None or instance.exists() or self.settings["DATABASE_URL"] != address:
            return
        instance.mkdir(mode=0o700)
        shutil.copy(Server.empty_database(), instance / DATABASE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit status. Trainings continue: see `end`."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """kill -9 of the serving processes, the master first, since it would start another worker. Jobs continue: see
        `end`.
        """
        assert self.process is not None
        for pid in self.worker_pids():
            with suppress(ProcessLookupError):  # a worker whose master has ended exits by itself
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """End the server and every child process that works below its folder."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        kill_below(self.folder)

    def log(self) -> str:
        return self.read_log()[-5000:]

    def read_log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def worker_pids(self) -> list[int]:
        """The serving processes, the master first."""
        assert self.process is not None
        master = psutil.Process(self.process.pid)
        return [master.pid, *(child.pid for child in master.children() if child.cmdline() == master.cmdline())]

    def authorize(self) -> None:
        """Send requests as the owner from now on, whatever AUTH is."""
        self.headers["Authorization"] = f"Bearer {owner_secret(Path(self.settings['INSTANCE_PATH']))}"

    def call(self, method: str, path: str, timeout: float = 60, **options: Any) -> requests.Response:
        headers = self.headers | options.pop("headers", {})
        return requests.request(method, self.url + path, timeout=timeout, headers=headers, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.call("POST", path, timeout=300, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.call("DELETE", path, **options)

    def __enter__(self) -> "Server":
        try:
            return self.start()
        except BaseException:  # __exit__ is not called then
            self.end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
