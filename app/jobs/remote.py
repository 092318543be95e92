"""A child that another machine's process started: only its files are visible here."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.jobs.model import RunnerProcess
from app.jobs.process import Child
from app.jobs.pulse import Pulse
from app.jobs.watch import SILENT_S


class RemoteChild(Child):
    """It lives while its heartbeat changes: nobody here can ask its machine. Asked to stop, it does so by itself; it
    can be killed only there."""

    def __init__(self, directory: Path, pid: int, started: float) -> None:
        super().__init__(directory, pid, started)
        self._pulse = Pulse(self)

    def alive(self) -> bool:
        return self._pulse.silent_s() <= SILENT_S

    def exit_code(self) -> int | None:
        return None

    def processor_s(self) -> float | None:
        return None

    def signal(self, number: int) -> None:
        """It cannot be reached. What it still does is fenced by its attempt, and goes to that attempt's folder."""
        if self.alive():
            self.ask_to_stop()

    def ask_to_stop(self, how: str = "cancel") -> None:
        try:
            super().ask_to_stop(how)
        except FileNotFoundError:  # its folder is gone already
            return

    def sweep(self) -> None:
        """What it leaves behind is its machine's."""

    def stop(self, wait: Callable[[float], Any], ask: float = 0.0, term: float = 0.0) -> None:
        self.ask_to_stop()


class LostChild(Child):
    """A child whose worker is lost. Its events on the shared disk count; what it still does is fenced."""

    def alive(self) -> bool:
        return False

    def signal(self, number: int) -> None:
        """It cannot be reached."""

    def sweep(self) -> None:
        """What it leaves behind is its machine's."""


def child_of_runner(directory: Path, runner: RunnerProcess, shared: bool) -> Child:
    """The child of a job's row.

    Args:
        runner: host, pid and started, as the row has them.
        shared: whether several machines may work in the data folder; else a host that was renamed is still this one.
    """
    kind = RemoteChild if shared and runner.get("host") != socket.gethostname() else Child
    return kind(directory, runner["pid"], runner["started"])
