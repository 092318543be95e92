"""Finds running rows without a supervisor: their claim was committed, and what should have followed it failed."""

import time
from collections.abc import Container, Iterable

UNWATCHED_S = 10.0  # a supervisor is there long before

Attempt = tuple[int, int]  # id and attempt of a job


class Unwatched:
    """Since when each such row is known."""

    def __init__(self) -> None:
        self._since: dict[Attempt, float] = {}

    def overdue(self, running: Iterable[Attempt], supervised: Container[int]) -> list[Attempt]:
        """Those that have been without a supervisor for too long; they are counted anew from now on.

        Args:
            running: what the rows say.
            supervised: the ids of the jobs that have one.
        """
        present = time.monotonic()
        self._since = {item: self._since.get(item, present) for item in running if item[0] not in supervised}
        overdue = [item for item, since in self._since.items() if present - since >= UNWATCHED_S]
        for item in overdue:
            del self._since[item]
        return overdue
