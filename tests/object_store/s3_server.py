"""A real S3 server in a process of its own, for tests: moto's, which is on PyPI, maintained, and starts in 0.4 s. It
stores objects in memory: a killed one restarts empty, which is worse than real stores.
"""

import importlib.util
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.object_store.bucket import Bucket
from scripts.local_server import free_port

BUCKET = "platform"


class S3Server:
    """
    Args:
        folder: for its output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.running: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Of the platform."""
        return {
            "STORAGE_URL": f"s3://{BUCKET}/files",
            "STORAGE_ENDPOINT": self.endpoint,
            "STORAGE_ACCESS_KEY": "access-of-a-test",
            "STORAGE_SECRET_KEY": "secret-of-a-test",
        }

    def bucket(self) -> Bucket:
        values = self.settings
        return Bucket(values["STORAGE_URL"], self.endpoint, values["STORAGE_ACCESS_KEY"], values["STORAGE_SECRET_KEY"])

    def start(self) -> "S3Server":
        """Start it, with an empty bucket."""
        if importlib.util.find_spec("moto") is None:
            pytest.skip("moto is not installed: see requirements-dev.txt")
        with open(self.folder / "s3.log", "ab") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
            self.running = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                assert time.monotonic() < end, (self.folder / "s3.log").read_text()
                time.sleep(0.05)
        self.bucket().client.create_bucket(Bucket=BUCKET)
        return self

    def signal(self, number: int) -> None:
        assert self.running is not None
        self.running.send_signal(number)

    def stop(self) -> None:
        """kill -9."""
        if self.running is not None:
            self.running.send_signal(signal.SIGCONT)
            self.running.kill()
            self.running.wait(30)
            self.running = None


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    server = S3Server(folder)
    try:
        yield server.start()
    finally:
        server.stop()
