"""The time of day shared by several hosts: the database's, advanced by this host's monotonic clock.

A host's own time of day may be wrong, and corrected while jobs run. A single machine uses its own.
"""

import time
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=0.5)  # latency of the database and drift: smaller differences do not set the clock


class SharedClock:
    """The time of day: this host's own until the first `set`, then the database's, independent of this host's."""

    def __init__(self) -> None:
        # the database's time, and the monotonic clock's at that moment
        self._anchor: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The present time, aware, in UTC."""
        if self._anchor is None:
            return datetime.now(UTC)
        then, began = self._anchor
        return then + timedelta(seconds=steady_s() - began)

    def set(self, time_there: datetime) -> None:
        """Set the clock to the database's present time, UTC."""
        if self._anchor is None or abs(self.now() - time_there) >= TOLERANCE:
            self._anchor = time_there, steady_s()

    def shared(self, time_here: datetime) -> datetime:
        """The shared time of a recent moment, given this host's own time of it."""
        return time_here if self._anchor is None else time_here - (datetime.now(UTC) - self.now())

    def reset(self) -> None:
        """Use this host's own time again."""
        self._anchor = None


def steady_s() -> float:
    """Seconds of a monotonic clock that also counts while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


CLOCK = SharedClock()
