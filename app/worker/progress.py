"""Reports a program's progress to its supervisor."""

import time

from app.events import Advanced
from app.worker.channel import Channel
from app.worker.failures import StopRequested

EVERY_S = 0.25


class ProgressReporter:
    """Counts what is done.

    Args:
        total: how many there are, in what the program works on; 0: not known.
    """

    def __init__(self, channel: Channel, total: int, stage: str = "") -> None:
        self.channel, self.total, self.stage = channel, total, stage
        self.done = 0
        self._reported_at = 0.0

    def step(self) -> None:
        """Count one item; reported at most four times a second.

        Raises:
            StopRequested: the supervisor asked to stop.
        """
        self.done += 1
        now = time.monotonic()
        if now - self._reported_at >= EVERY_S or self.done == self.total:
            self._reported_at = now
            if self.channel.stop_requested():
                raise StopRequested
            self.channel.emit(Advanced(self.done, self.total, self.stage))
