"""Measures how much longer the work of this process takes because others use the processor, too. Linux."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

THREADS = Path("/proc/self/task")


class ProcessorTime(NamedTuple):
    """Of all threads of this process, ns: on a processor, and ready to run while others had it."""

    used: int
    waited: int


def processor_time() -> ProcessorTime | None:
    """As the kernel's scheduler counts it (proc_pid_schedstat); None: this system doesn't."""
    used = waited = 0
    for path in THREADS.glob("*/schedstat"):
        with suppress(OSError, ValueError):  # a thread that has just ended
            on, behind, *_rest = map(int, path.read_text(encoding="ascii").split())
            used, waited = used + on, waited + behind
    return ProcessorTime(used, waited) if used else None


class ProcessorContention:
    """The contention of what this process does from here on."""

    def __init__(self) -> None:
        self.before = processor_time()

    def ratio(self) -> float | None:
        """How many times as long it took as it would have alone, at least 1; None: this system doesn't say."""
        after = processor_time()
        if self.before is None or after is None or after.used <= self.before.used:
            return None
        return round(1 + max(0, after.waited - self.before.waited) / (after.used - self.before.used), 2)
