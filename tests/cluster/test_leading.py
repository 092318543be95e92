"""One of the processes leads: by a lock that ends with it, and that it may lose and acquire again."""

import os
import signal
from pathlib import Path

import pytest
from flask import Flask

from app.cluster import Cluster
from app.cluster.leadership import Leadership
from app.cluster.locks import DatabaseLock, FolderLock, Lock
from app.config import database_uri
from app.core.file_lock import FileLock
from tests.postgres import running_postgres


class FakeLock:
    """A lock controlled by the test."""

    def __init__(self) -> None:
        self.free, self.mine = True, False

    def acquire(self) -> bool:
        self.mine = self.free
        return self.mine

    def held(self) -> bool:
        return self.mine


def process(folder: Path, lock: object) -> Leadership:
    return Leadership(Cluster("redis://localhost:1/0"), lock, folder)  # type: ignore[arg-type]


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that this process would have sent itself."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: sent.append(number))
    return sent


def check_that_one_leads(first: Lock, second: Lock, folder: Path) -> None:
    assert process(folder, first).acquire()
    assert not process(folder, second).acquire()
    assert first.held()
    assert not second.held()


def test_one_leads_beside_sqlite(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    check_that_one_leads(first, second, tmp_path)
    first.leader.release()  # as when its process ends
    assert second.acquire()


def test_one_leads_over_postgresql(tmp_path: Path) -> None:
    with running_postgres() as address:
        first, second = (DatabaseLock(database_uri(address)) for _ in range(2))
        check_that_one_leads(first, second, tmp_path)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        with second.connect() as connection:
            assert connection.exec_driver_sql(ended).scalar()
        assert not first.held()
        assert second.acquire()
        assert not first.acquire()
        second.forget()


def test_processes_start_one_at_a_time(tmp_path: Path) -> None:
    other = FileLock(tmp_path / "start.lock")
    with FolderLock(tmp_path).starting():
        assert not other.acquire()
    assert other.acquire()
    other.release()


def test_a_process_alone_leads_without_any_lock() -> None:
    assert Cluster().leads
    assert not Cluster().on


def test_another_process_becomes_the_leader(tmp_path: Path) -> None:
    lock, app, calls = FakeLock(), Flask("test"), list[int]()
    lock.free = False
    waiting = process(tmp_path, lock)
    waiting.check(app, lambda: calls.append(1))
    assert not calls
    assert not waiting.cluster.leads
    lock.free = True
    waiting.check(app, lambda: calls.append(1))
    waiting.check(app, lambda: calls.append(1))
    assert calls == [1]
    assert waiting.cluster.leads


def test_a_lock_that_comes_back_changes_nothing(tmp_path: Path, signals: list[int]) -> None:
    lock = FakeLock()
    leading = process(tmp_path, lock)
    assert leading.acquire()
    lock.mine = lock.free = False  # the database is restarted
    leading.check(Flask("test"), pytest.fail)
    assert not leading.cluster.leads  # nothing is started meanwhile
    leading.check(Flask("test"), pytest.fail)
    lock.free = True
    leading.check(Flask("test"), pytest.fail)
    assert leading.cluster.leads
    assert not signals


def test_a_process_begins_anew_where_another_has_led_meanwhile(tmp_path: Path, signals: list[int]) -> None:
    lock = FakeLock()
    leading = process(tmp_path, lock)
    assert leading.acquire()
    lock.mine = False
    leading.check(Flask("test"), pytest.fail)
    assert process(tmp_path, FakeLock()).acquire()
    leading.check(Flask("test"), pytest.fail)
    assert signals == [signal.SIGTERM]
    assert not leading.cluster.leads


@pytest.mark.parametrize("text", [b"", b'{"id"', b"[1]", b"{}", b"\xff\x00"])
def test_a_damaged_record_of_who_leads_is_nobodys(tmp_path: Path, signals: list[int], text: bytes) -> None:
    lock = FakeLock()
    first = process(tmp_path, lock)
    assert first.acquire()
    (tmp_path / "leader.json").write_bytes(text)
    first.check(Flask("test"), lambda: None)
    assert (first.cluster.leads, signals) == (True, []), "the lock decides"
    lock.mine = False
    second = process(tmp_path, FakeLock())
    assert second.acquire()
    assert second.leader() == second.cluster.id, "it is written anew"


def test_a_failed_takeover_ends_the_process(tmp_path: Path, signals: list[int]) -> None:
    def fail() -> None:
        raise RuntimeError("disk full")

    waiting = process(tmp_path, FakeLock())
    waiting.check(Flask("test"), fail)
    assert signals == [signal.SIGTERM]
    assert not waiting.cluster.leads
