"""Wakes callers that wait for a job when it changes."""

import threading

from app.cluster import Cluster

POLL_S = 1.0  # between two checks with several processes: a message of another one may be lost


class JobNews:
    """By job, an event that is set, and dropped, at its next change.

    Args:
        cluster: the processes whose changes count too.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._news: dict[int, threading.Event] = {}
        cluster.bus.on("job", self.publish_here)

    def next(self, job_id: int) -> threading.Event:
        """The event that is set at the next change from now on."""
        return self._news.setdefault(job_id, threading.Event())

    def wait(self, news: threading.Event, timeout: float | None) -> None:
        """Wait for the event, or until the row should be checked; `timeout`: in seconds, None: unlimited."""
        if self.cluster.on:
            timeout = POLL_S if timeout is None else min(timeout, POLL_S)
        news.wait(timeout)

    def publish(self, job_id: int) -> None:
        """Wake those that wait for this job, in every process."""
        self.publish_here(job_id)
        self.cluster.bus.publish("job", job_id)

    def publish_here(self, job_id: int) -> None:
        """Wake them in this process."""
        if news := self._news.pop(job_id, None):
            news.set()
