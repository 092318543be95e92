"""Finds running rows without a supervisor: their claim was committed, but starting the supervisor failed."""

import time
from collections.abc import Container, Iterable

UNWATCHED_S = 10.0  # a supervisor normally exists long before

Attempt = tuple[int, int]  # id and attempt of a job


class Unwatched:
    """When each such row was first seen."""

    def __init__(self) -> None:
        self._since: dict[Attempt, float] = {}

    def overdue(self, running: Iterable[Attempt], supervised: Container[int]) -> list[Attempt]:
        """The rows without a supervisor for too long; their time then starts again.

        Args:
            running: the running rows.
            supervised: ids of the jobs with a supervisor.
        """
        present = time.monotonic()
        self._since = {item: self._since.get(item, present) for item in running if item[0] not in supervised}
        overdue = [item for item, since in self._since.items() if present - since >= UNWATCHED_S]
        for item in overdue:
            del self._since[item]
        return overdue
