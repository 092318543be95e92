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
    """Counts as alive while its heartbeat changes, since its machine cannot be queried. It stops by itself on request;
    only its machine can kill it.
    """

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
        """Not possible. Its writes are fenced by its attempt, and its files are in that attempt's folder."""
        if self.alive():
            self.ask_to_stop()

    def ask_to_stop(self, how: str = "cancel") -> None:
        try:
            super().ask_to_stop(how)
        except FileNotFoundError:  # its folder was already removed
            return

    def sweep(self) -> None:
        """Left to its machine."""

    def stop(self, wait: Callable[[float], Any], ask: float = 0.0, term: float = 0.0) -> None:
        self.ask_to_stop()


class LostChild(Child):
    """A child whose worker is lost. Its events on the shared disk count; later writes are fenced."""

    def alive(self) -> bool:
        return False

    def signal(self, number: int) -> None:
        """Not possible."""

    def sweep(self) -> None:
        """Left to its machine."""


def child_of_runner(directory: Path, runner: RunnerProcess, shared: bool) -> Child:
    """The child of a job's row.

    Args:
        runner: host, pid and started, as the row has them.
        shared: whether several machines may work in the data folder; otherwise another host name means that this host
            was renamed.
    """
    kind = RemoteChild if shared and runner.get("host") != socket.gethostname() else Child
    return kind(directory, runner["pid"], runner["started"])
