"""Who waits for a job hears of its next change."""

import threading

from app.cluster import Cluster

LOOK_S = 1.0  # until the next look, where another process may change a job: what it says of that may be lost


class JobNews:
    """By job: an event that is set, and forgotten, with its next change.

    Args:
        cluster: the processes whose changes are heard, too.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._news: dict[int, threading.Event] = {}
        cluster.bus.on("job", self.tell_here)

    def next(self, job_id: int) -> threading.Event:
        """What changes from here on is heard."""
        return self._news.setdefault(job_id, threading.Event())

    def wait(self, news: threading.Event, left: float | None) -> None:
        """Until it is told, or it is time to look again; `left`: seconds that are left, None: no end."""
        if self.cluster.on:
            left = LOOK_S if left is None else min(left, LOOK_S)
        news.wait(left)

    def tell(self, job_id: int) -> None:
        """Whoever waits for a job looks at it again, in every process."""
        self.tell_here(job_id)
        self.cluster.bus.publish("job", job_id)

    def tell_here(self, job_id: int) -> None:
        """In this process."""
        if news := self._news.pop(job_id, None):
            news.set()
