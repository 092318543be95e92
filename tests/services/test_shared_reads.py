"""One read for all who ask at the same time, and never an older one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.services.trainer.shared_reads import SharedReads


def test_those_who_ask_meanwhile_share_the_next_read() -> None:
    shared, begun, go_on, asked = SharedReads(), threading.Event(), threading.Event(), threading.Semaphore(0)
    reads: list[int] = []

    def work() -> int:
        reads.append(len(reads) + 1)
        begun.set()
        assert go_on.wait(60)
        return reads[-1]

    def ask() -> int:
        asked.release()
        return shared.read("a", work)

    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(ask)
        assert begun.wait(60)
        others = [pool.submit(ask) for _ in range(9)]
        for _ in range(10):
            assert asked.acquire(timeout=60)
        assert shared.read("another", lambda: "at once") == "at once"
        go_on.set()
        assert first.result(60) == 1
        assert {other.result(60) for other in others} <= set(range(2, 11)), "none has what was read before it asked"
    assert not shared._next
    assert not shared._running


def test_a_waiting_one_gets_what_is_read_behind_its_question() -> None:
    shared, begun, go_on = SharedReads(), threading.Event(), threading.Event()
    values = iter(["old", "new"])

    def slow() -> str:
        begun.set()
        assert go_on.wait(60)
        return next(values)

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.read, "a", slow)
        assert begun.wait(60)
        others = [pool.submit(shared.read, "a", lambda: next(values)) for _ in range(8)]
        while "a" not in shared._next:
            time.sleep(0.01)
        go_on.set()
        assert first.result(60) == "old"
        results = set()
        for other in others:
            try:
                results.add(other.result(60))
            except StopIteration:  # it asked when the others were through
                results.add("later")
        assert "old" not in results
        assert "new" in results


def test_a_failure_is_everybodys() -> None:
    shared = SharedReads()
    with pytest.raises(ZeroDivisionError):
        shared.read("a", lambda: 1 // 0)
    assert shared.read("a", lambda: 5) == 5
