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
        self._told = 0.0

    def step(self) -> None:
        """One more is done; told at most four times a second.

        Raises:
            StopRequested: the supervisor asked to stop.
        """
        self.done += 1
        now = time.monotonic()
        if now - self._told >= EVERY_S or self.done == self.total:
            self._told = now
            if self.channel.stop_requested():
                raise StopRequested
            self.channel.say(Advanced(self.done, self.total, self.stage))
