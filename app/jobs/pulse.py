"""Measures how long a child has been silent."""

import time

from app.jobs.process import Child

UNSIGNALLED_S = 60.0  # of CPU time without a heartbeat that count as a sign of life
PROCESSOR_CHECK_S = 5.0  # without a heartbeat, before the CPU time is checked


class Pulse:
    """How long a child has been silent, by a monotonic clock.

    The heartbeat thread waits for the interpreter lock: a library that holds it for five seconds of CPU time may need
    minutes on a loaded machine. So CPU time counts as a sign of life too: up to UNSIGNALLED_S of it without a
    heartbeat.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        self._beat: float | None = None
        self._since = time.monotonic()
        # seconds of CPU time since the last heartbeat: at the first check, and at the last
        self._used: list[float] = []

    def silent_s(self) -> float:
        """Seconds since a check last saw a heartbeat or CPU time, or since the start."""
        beat = self.child.heartbeat()
        if beat != self._beat:
            self._beat, self._since, self._used = beat, time.monotonic(), []
        elif time.monotonic() - self._since > PROCESSOR_CHECK_S and (used := self.child.processor_s()) is not None:
            first, last = self._used or (used, used)
            if used > last and used - first < UNSIGNALLED_S:
                self._since = time.monotonic()
            self._used = [first, used]
        return time.monotonic() - self._since
