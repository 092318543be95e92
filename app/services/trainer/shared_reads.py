"""One read for all who ask for the same at the same time."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Round:
    """A read that several wait for."""

    over: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None

    def read(self, work: Callable[[], Any]) -> Any:
        try:
            self.value = work()
            return self.value
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.over.set()

    def result(self) -> Any:
        """What another thread has read, or why it could not."""
        self.over.wait()
        if self.error is not None:
            raise self.error
        return self.value


class SharedReads:
    """Reads by key, one at a time each: those who ask meanwhile share the next one. What one gets was never read before
    it asked, so it is as new as if it had read alone. Many threads that join one room cost two reads, not many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Round] = {}
        self._next: dict[Hashable, Round] = {}

    def read(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """
        Args:
            work: what it returns is shared: nobody changes it.
        """
        with self._lock:
            mine = self._next.get(key)
            leads = mine is None
            if mine is None:
                mine = self._next[key] = Round()
            before = self._running.get(key)
        if not leads:
            return mine.result()
        if before is not None:
            before.over.wait()
        with self._lock:
            del self._next[key]
            self._running[key] = mine
        try:
            return mine.read(work)
        finally:
            with self._lock:
                if self._running.get(key) is mine:
                    del self._running[key]
