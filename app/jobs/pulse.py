"""Measures for how long a child has given no sign of life."""

import time

from app.jobs.process import Child

UNSIGNALLED_S = 60.0  # of the processor, without a heartbeat
PROCESSOR_CHECK_S = 5.0  # without a heartbeat, until the processor's time is checked


class Pulse:
    """How long a child has given no sign of life, by a clock that neither sleep nor a changed system time moves.

    The thread that beats waits for whatever holds the interpreter: a library that takes five seconds of the processor
    for a step may need minutes for them on a loaded machine. So time of the processor is a sign of life, too: up to
    UNSIGNALLED_S of it without a beat, in all.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        self._beat: float | None = None
        self._since = time.monotonic()
        self._used: list[float] = []  # seconds of the processor since the last beat: at first, and at the last check

    def silent_s(self) -> float:
        """Seconds since it wat the last check to beat or to compute, or since the watch began."""
        beat = self.child.heartbeat()
        if beat != self._beat:
            self._beat, self._since, self._used = beat, time.monotonic(), []
        elif time.monotonic() - self._since > PROCESSOR_CHECK_S and (used := self.child.processor_s()) is not None:
            first, last = self._used or (used, used)
            if used > last and used - first < UNSIGNALLED_S:
                self._since = time.monotonic()
            self._used = [first, used]
        return time.monotonic() - self._since
