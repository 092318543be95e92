"""Reports the progress of an import, and ends it where that was requested."""

import time
from collections.abc import Callable

from app.events import Advanced
from app.worker.channel import Channel
from app.worker.failures import StopRequested

REPORT_S = 0.25


class Reporter:
    """Says the progress of stages: `extracting` (bytes), `reading`, `scanning`, `checking`, `building` (images)."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.said = 0.0

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Says how far a stage is: (done, total)."""
        return lambda done, total: self.tell(name, done, total)

    def tell(self, stage: str, done: int, total: int, force: bool = False) -> None:
        """A few times a second, and at a stage's end.

        Raises:
            StopRequested: the supervisor asked for it.
        """
        now = time.monotonic()
        if force or now - self.said >= REPORT_S or (total and done == total):
            self.said = now
            self.go_on()
            self.channel.say(Advanced(done, total, stage))

    def go_on(self) -> None:
        """Raise StopRequested where the supervisor has asked to stop.

        Raises:
            StopRequested: the supervisor asked for it.
        """
        if self.channel.stop_requested():
            raise StopRequested
