"""Shares one read among concurrent callers with the same key, and runs one read at a time for all keys."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

LONGEST_REST_S = 0.1


@dataclass
class Round:
    """A read that several callers wait for."""

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
        """The result of another thread's read, or its exception."""
        self.over.wait()
        if self.error is not None:
            raise self.error
        return self.value


class SharedReads:
    """Reads by key, one after the other; callers share a read that has not begun. A result was never read before its
    caller asked, so it is as new as a read of its own.

    Many clients joining one room cost one or two reads; many joining many rooms use at most half of a CPU's time: after
    each read there is a pause as long as the read.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held while waiting
        self._turn = threading.Lock()
        self._next: dict[Hashable, Round] = {}
        self._free_at = 0.0

    def read(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """The result of `work`, shared by concurrent callers with the same key.

        Args:
            work: its result is shared, and must not be modified.
        """
        with self._lock:
            mine = self._next.get(key)
            leads = mine is None
            if mine is None:
                mine = self._next[key] = Round()
        return mine.read(lambda: self._in_turn(key, work)) if leads else mine.result()

    def _in_turn(self, key: Hashable, work: Callable[[], Any]) -> Any:
        try:
            self._turn.acquire()
            try:
                time.sleep(max(0.0, self._free_at - time.monotonic()))
            except BaseException:  # its client has disconnected
                self._turn.release()
                raise
        finally:  # later callers may already know of something newer
            with self._lock:
                del self._next[key]
        began = time.monotonic()
        try:
            return work()
        finally:
            ended = time.monotonic()
            self._free_at = ended + min(ended - began, LONGEST_REST_S)
            self._turn.release()
