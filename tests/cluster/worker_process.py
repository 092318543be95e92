"""A real worker, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from scripts.local_server import ROOT


class WorkerProcess:
    """`python -m scripts.worker`.

    Args:
        folder: for its output.
        name: beginning of its name, which no other worker of this machine has.
        settings: of the platform.
    """

    def __init__(self, folder: Path, name: str, settings: Mapping[str, str], device: str = "--cpu") -> None:
        self.log_path = folder / f"worker-{name}.log"
        self.settings = {**settings, "WORKER_NAME": name}
        self.device, self.name = device, f"{name}-cpu"

    def start(self) -> "WorkerProcess":
        with open(self.log_path, "ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "scripts.worker", *self.device.split()],
                cwd=ROOT,
                env=os.environ | self.settings,
                stdout=log,
                stderr=log,
            )
        return self

    def horse(self) -> psutil.Process | None:
        """The process that it has forked, if there is one."""
        try:
            return next(iter(psutil.Process(self.running.pid).children()), None)
        except psutil.NoSuchProcess:
            return None

    def kill(self) -> None:
        self.running.kill()
        self.running.wait(30)

    def end(self, seconds: float = 60) -> int:
        """SIGTERM; its exit status."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")[-6000:]
