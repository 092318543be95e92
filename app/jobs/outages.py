"""Logs that the object store cannot be reached, at most once a minute however often it is tried."""

import time
from collections.abc import Callable

from app.object_store.errors import StoreAway

LOGGED_S = 60.0  # between two log lines


class OutageLog:
    """
    Args:
        log: called with the error, and the seconds until the next attempt.
    """

    def __init__(self, log: Callable[[StoreAway, float], object]) -> None:
        self.log = log
        self._logged_at = -LOGGED_S

    def note(self, error: StoreAway, pause: float) -> None:
        if time.monotonic() - self._logged_at > LOGGED_S:
            self._logged_at = time.monotonic()
            self.log(error, pause)
