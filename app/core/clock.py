"""The time of day that several hosts share: the database's, carried on by this host's steady clock.

A host's own time of day may be wrong by an hour, and put right while jobs run. One machine alone has its own.
"""

import time
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(seconds=0.5)  # the way to the database and back, and drift: nothing to set the clock by


class SharedClock:
    """The time of day: the database's from the first time on that it is `set`, whatever happens to this host's own."""

    def __init__(self) -> None:
        self._anchor: tuple[datetime, float] | None = None  # the database's time, and the steady clock's then

    def now(self) -> datetime:
        """Aware, in UTC."""
        if self._anchor is None:
            return datetime.now(UTC)
        then, began = self._anchor
        return then + timedelta(seconds=steady_s() - began)

    def set(self, time_there: datetime) -> None:
        """Set the clock to the database's present time, UTC."""
        if self._anchor is None or abs(self.now() - time_there) >= TOLERANCE:
            self._anchor = time_there, steady_s()

    def shared(self, time_here: datetime) -> datetime:
        """What the shared clock showed when this host's own showed this, a moment ago."""
        return time_here if self._anchor is None else time_here - (datetime.now(UTC) - self.now())

    def reset(self) -> None:
        """Go by this host's own again."""
        self._anchor = None


def steady_s() -> float:
    """Seconds of a clock that also counts while the machine sleeps, and is never set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


CLOCK = SharedClock()
