"""Several web processes over one database, one data folder and one Redis. Without REDIS_URL there is one process, which
leads, and nothing here costs anything."""

import uuid

from app.cluster.bus import Bus

__all__ = ["Bus", "Cluster"]


class Cluster:
    """This process among the others.

    Args:
        redis_url: of the Redis that they share; empty: there are no others.
        dispatches: whether workers run the jobs, see app/jobs/dispatch.py.

    Attributes:
        id: of this process, anew with each start.
        leads: whether it has the queue, the janitor and what a start puts right. At most one process does.
    """

    def __init__(self, redis_url: str = "", dispatches: bool = False) -> None:
        self.dispatches = dispatches
        self.id = uuid.uuid4().hex[:12]
        self.on = bool(redis_url)
        self.leads = not self.on
        self.bus = Bus(redis_url, self.id)
        self.closed = False

    def close(self) -> None:
        """Receive nothing more, and claim nothing. Called from a signal handler too: it takes no lock."""
        self.closed = self.bus.closed = True
