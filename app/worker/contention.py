"""Measures the slowdown of this process by other processes on the CPU. Linux."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

THREADS = Path("/proc/self/task")


class ProcessorTime(NamedTuple):
    """Times of all threads of this process, ns: running, and runnable while others ran."""

    used: int
    waited: int


def processor_time() -> ProcessorTime | None:
    """The scheduler's counters (proc_pid_schedstat); None: not available."""
    used = waited = 0
    for path in THREADS.glob("*/schedstat"):
        with suppress(OSError, ValueError):  # the thread has just ended
            on, behind, *_rest = map(int, path.read_text(encoding="ascii").split())
            used, waited = used + on, waited + behind
    return ProcessorTime(used, waited) if used else None


class ProcessorContention:
    """The contention of this process from its creation on."""

    def __init__(self) -> None:
        self.before = processor_time()

    def ratio(self) -> float | None:
        """The slowdown as a factor, at least 1; None: not available."""
        after = processor_time()
        if self.before is None or after is None or after.used <= self.before.used:
            return None
        return round(1 + max(0, after.waited - self.before.waited) / (after.used - self.before.used), 2)
