"""Reports a program's progress to its supervisor."""

import time

from app.events import Advanced
from app.worker.channel import Channel
from app.worker.failures import StopRequested

EVERY_S = 0.25


class ProgressReporter:
    """Counts processed items.

    Args:
        total: the number of items; 0: unknown.
    """

    def __init__(self, channel: Channel, total: int, stage: str = "") -> None:
        self.channel, self.total, self.stage = channel, total, stage
        self.done = 0
        self._reported_at = 0.0

    def step(self) -> None:
        """Count one item; reported at most four times a second.

        Raises:
            StopRequested: a stop was requested.
        """
        self.done += 1
        now = time.monotonic()
        if now - self._reported_at >= EVERY_S or self.done == self.total:
            self._reported_at = now
            if self.channel.stop_requested():
                raise StopRequested
            self.channel.emit(Advanced(self.done, self.total, self.stage))
