"""Reports the progress of an import, and ends it on request."""

import time
from collections.abc import Callable

from app.events import Advanced
from app.worker.channel import Channel
from app.worker.failures import StopRequested

REPORT_S = 0.25


class Reporter:
    """Reports the progress of stages: `extracting` (bytes), `reading`, `scanning`, `checking`, `building` (images)."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.reported_at, self.reported_stage = 0.0, ""

    def stage(self, name: str) -> Callable[[int, int], None]:
        """A callback that reports the progress of a stage: (done, total)."""
        return lambda done, total: self.report(name, done, total)

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress, a few times a second and at a stage's beginning and end.

        Raises:
            StopRequested: a stop was requested.
        """
        now = time.monotonic()
        if stage != self.reported_stage or now - self.reported_at >= REPORT_S or (total and done == total):
            self.reported_at, self.reported_stage = now, stage
            self.go_on()
            self.channel.emit(Advanced(done, total, stage))

    def go_on(self) -> None:
        """Check for a stop request.

        Raises:
            StopRequested: a stop was requested.
        """
        if self.channel.stop_requested():
            raise StopRequested
