"""Limits the number of waiting requests of each kind, so that threads stay free for short ones."""

import math
import threading
import time
from dataclasses import dataclass, field

from app.shared_reads import SharedReads

# With threading, each of these occupies a thread of gunicorn.conf.py's `threads`; with eventlet, some kilobytes.
OF_MODE = {
    "threading": {"websockets": 600, "socket_polls": 100, "long_polls": 50, "downloads": 60},
    "eventlet": {"websockets": 2000, "socket_polls": 1000, "long_polls": 500, "downloads": 500},
}
PUBLIC_DOWNLOADS = 8  # of public files
# shared by all connections that join more rooms than a page does: burst, and per second; 9 ms each
JOINS, JOINS_RATE = 30, 10.0
FLOOD, FLOOD_RATE = 50, 50.0  # messages of all websockets that send more than a page does: burst, and per second


class Slots:
    """Slots for waiting requests of one kind."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._used = 0
        self._lock = threading.Lock()

    def acquire(self) -> bool:
        """Acquire a slot, until `release`; False: none is free."""
        with self._lock:
            free = self._used < self.count
            self._used += free
            return free

    def release(self) -> None:
        with self._lock:
            self._used -= 1

    @property
    def is_free(self) -> bool:
        """Whether no slot is in use."""
        return not self._used


class Waiting:
    """The slots of each kind; see OF_MODE.

    Args:
        mode: SOCKETIO_ASYNC_MODE.
    """

    def __init__(self, mode: str) -> None:
        counts = OF_MODE[mode]
        self.websockets = Slots(counts["websockets"])
        self.socket_polls = Slots(counts["socket_polls"])
        self.long_polls = Slots(counts["long_polls"])
        self.downloads = Slots(counts["downloads"])
        self.public_downloads = Slots(PUBLIC_DOWNLOADS)
        self.joins = Bucket(JOINS, JOINS_RATE)
        self.snapshots = SharedReads()
        self.flood = Bucket(FLOOD, FLOOD_RATE, most_owed=FLOOD_RATE)


@dataclass
class Bucket:
    """A token bucket: `burst` at once, then `rate` per second.

    Args:
        most_owed: the largest debt in tokens, which bounds the wait.
    """

    burst: float
    rate: float
    most_owed: float = math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens, self._at = self.burst, time.monotonic()

    def consume(self) -> float:
        """Consume a token: 0.0; otherwise the seconds until there is one."""
        with self._lock:
            self._refill()
            if self._tokens < 1:
                return (1 - self._tokens) / self.rate
            self._tokens -= 1
            return 0.0

    def spend(self, amount: float) -> float:
        """Consume several tokens, perhaps into debt; the seconds until the debt is refilled."""
        with self._lock:
            self._refill()
            self._tokens = max(self._tokens - amount, -self.most_owed)
            return max(0.0, -self._tokens / self.rate)

    def _refill(self) -> None:
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
