"""One read for all who ask for the same at the same time, and one read at a time for all of them together."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

LONGEST_REST_S = 0.1


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
    """Reads by key, one after the other; those who ask before one begins share it. What one gets was never read before
    it asked, so it is as new as if it had read alone.

    Many who join one room cost one or two reads, not many; and many who join many rooms take half of the time of a
    processor at most: after each read others have as long as it took.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held while something waits
        self._turn = threading.Lock()
        self._next: dict[Hashable, Round] = {}
        self._free_at = 0.0

    def read(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """What `work` returns, which all who ask for the same key at the same time share.

        Args:
            work: what it returns is shared: nobody changes it.
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
            except BaseException:  # its client is gone
                self._turn.release()
                raise
        finally:  # whoever asks from here on may have seen something newer
            with self._lock:
                del self._next[key]
        began = time.monotonic()
        try:
            return work()
        finally:
            ended = time.monotonic()
            self._free_at = ended + min(ended - began, LONGEST_REST_S)
            self._turn.release()
