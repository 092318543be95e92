"""Several web processes over one database, one data folder and one Redis. Without REDIS_URL there is one process, which
leads, and this package does nothing.
"""

import uuid

from app.cluster.bus import Bus

__all__ = ["Bus", "Cluster"]


class Cluster:
    """This process among the other web processes.

    Args:
        redis_url: of the shared Redis; empty: this is the only process.
        dispatches: whether workers run the jobs, see app/jobs/dispatch.py.

    Attributes:
        id: of this process, new at each start.
        leads: whether this process runs the queue, the janitor and the recovery at start. At most one process leads.
    """

    def __init__(self, redis_url: str = "", dispatches: bool = False) -> None:
        self.dispatches = dispatches
        self.id = uuid.uuid4().hex[:12]
        self.on = bool(redis_url)
        self.leads = not self.on
        self.bus = Bus(redis_url, self.id)
        self.closed = False

    def close(self) -> None:
        """Receive nothing more, and never lead again. Called from a signal handler too, so it acquires no lock."""
        self.closed = self.bus.closed = True
