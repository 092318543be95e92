"""The ready page, and writing while another process locks the database."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy.exc import InterfaceError, OperationalError

from app.database import retry_until_writable, writing
from app.extensions import db
from app.models import Dataset
from app.problems import from_any


@contextmanager
def locked_database(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(folder / "instance" / "test.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection
    finally:
        connection.close()


def test_ready(idle_app: APIFlask) -> None:
    answer = idle_app.test_client().get("/ready")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "reasons": []})


def test_not_ready(idle_app: APIFlask, tmp_path: Path) -> None:
    """The folder is missing, and another process is writing."""
    (tmp_path / "data" / "tmp").rename(tmp_path / "elsewhere")
    with locked_database(tmp_path):
        answer = idle_app.test_client().get("/ready")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert [reason["part"] for reason in answer.json["reasons"]] == ["data", "database"]
    assert not list((tmp_path / "instance").glob(".probe-*"))


def test_a_write_waits_for_its_turn(idle_app: APIFlask, tmp_path: Path) -> None:
    with idle_app.app_context():
        with locked_database(tmp_path) as connection:
            with pytest.raises(OperationalError), writing(wait=0.2):
                pytest.fail("it is held")
            threading.Timer(0.5, connection.rollback).start()
            with writing() as session:
                session.add(Dataset(name="late"))
        assert db.session.query(Dataset).count() == 1


def test_a_background_task_tries_until_it_works(idle_app: APIFlask, tmp_path: Path) -> None:
    tried: list[float] = []

    def write() -> str:
        tried.append(time.monotonic())
        if len(tried) == 1:
            raise OSError(28, "No space left on device")
        return "done"

    with idle_app.app_context():
        assert retry_until_writable(write) == "done"
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("database is locked", 503),
        ("attempt to write a readonly database", 503),
        ("unable to open database file", 503),
        ("FATAL: the database system is shutting down", 503),
        ("terminating connection due to administrator command", 503),
        ("database or disk is full", 507),
        ("no such table: training", 500),
    ],
)
def test_database_errors_map_to_statuses(idle_app: APIFlask, message: str, status: int) -> None:
    with idle_app.test_request_context("/api/trainings", method="POST"):
        answer = from_any(OperationalError("INSERT", {}, sqlite3.OperationalError(message)))
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_connection_that_was_cut(idle_app: APIFlask) -> None:
    with idle_app.test_request_context("/api/trainings"):
        cut = InterfaceError("SELECT", {}, Exception("gone"), connection_invalidated=True)
        assert from_any(cut).status_code == 503


def test_strangers_share_one_check_a_second(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check writes to the disk. Requests from the machine itself get a fresh one."""
    calls: list[int] = []
    readiness = idle_app.extensions["services"].readiness
    monkeypatch.setattr(readiness, "obstacles", lambda: calls.append(1) or [])
    client = idle_app.test_client()
    answers = [client.get("/ready", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code for _ in range(20)]
    assert answers == [200] * 20
    assert 1 <= len(calls) <= 3  # on a slow machine
    calls.clear()
    assert [client.get("/ready").status_code for _ in range(3)] == [200] * 3
    assert len(calls) == 3
