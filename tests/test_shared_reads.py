"""One read for all simultaneous readers, never an older one, and one at a time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from app.shared_reads import LONGEST_REST_S, SharedReads


def test_concurrent_readers_share_the_next_read() -> None:
    shared, begun, go_on, asking = SharedReads(), threading.Event(), threading.Event(), threading.Semaphore(0)
    reads: list[int] = []

    def work() -> int:
        reads.append(len(reads) + 1)
        begun.set()
        assert go_on.wait(60)
        return reads[-1]

    def ask() -> int:
        asking.release()
        return shared.read("a", work)

    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(ask)
        assert begun.wait(60)
        readers = [pool.submit(ask) for _ in range(9)]
        another = pool.submit(shared.read, "another", lambda: "after it")
        for _ in range(10):
            assert asking.acquire(timeout=60)
        with pytest.raises(TimeoutError):
            another.result(0.05)
        go_on.set()
        assert another.result(60) == "after it"
        assert first.result(60) == 1
        assert {reader.result(60) for reader in readers} <= set(range(2, 11)), (
            "no reader gets a result from before its request"
        )
    assert not shared._next


def test_a_waiting_reader_gets_a_read_begun_after_its_request() -> None:
    shared, begun, go_on = SharedReads(), threading.Event(), threading.Event()
    values = iter(["old", "new"])

    def slow() -> str:
        begun.set()
        assert go_on.wait(60)
        return next(values)

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.read, "a", slow)
        assert begun.wait(60)
        readers = [pool.submit(shared.read, "a", lambda: next(values)) for _ in range(8)]
        while "a" not in shared._next:
            time.sleep(0.01)
        go_on.set()
        assert first.result(60) == "old"
        results = set()
        for reader in readers:
            try:
                results.add(reader.result(60))
            except StopIteration:  # it started when the others had ended
                results.add("later")
        assert "old" not in results
        assert "new" in results


def test_a_failure_reaches_every_reader() -> None:
    shared = SharedReads()
    with pytest.raises(ZeroDivisionError):
        shared.read("a", lambda: 1 // 0)
    assert shared.read("a", lambda: 5) == 5


def test_a_rest_as_long_as_the_read_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs are joined: half of a core's time remains for everything else."""
    clock, rests = [100.0], []
    monkeypatch.setattr("app.shared_reads.time", SimpleNamespace(monotonic=lambda: clock[0], sleep=rests.append))

    def advance(seconds: float) -> None:
        clock[0] += seconds

    shared = SharedReads()
    for number, seconds in enumerate((0.03, 0.05, 5.0, 0.01)):
        shared.read(number, lambda seconds=seconds: advance(seconds))  # type: ignore[misc]
    assert rests == pytest.approx([0, 0.03, 0.05, LONGEST_REST_S])


def test_a_cancelled_reader_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def disconnect(_seconds: float) -> None:
        raise SystemExit  # as a greenlet ends

    shared = SharedReads()
    with monkeypatch.context() as patch:
        patch.setattr("app.shared_reads.time", SimpleNamespace(monotonic=time.monotonic, sleep=disconnect))
        with pytest.raises(SystemExit):
            shared.read("a", lambda: 5)
    assert shared.read("a", lambda: 6) == 6
