"""The leader's lock, which ends with its process: an advisory lock of PostgreSQL, or a file lock beside SQLite."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import NullPool, create_engine

from app.core.file_lock import FileLock

logger = logging.getLogger("yolo.cluster")

LEADS, STARTS, CLAIMS = 0x594F4C4F01, 0x594F4C4F02, 0x594F4C4F03  # keys of PostgreSQL's advisory locks
# The lock of a host that disappears is released after some 20 s.
KEEPALIVE = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 3", "tcp_keepalives_count = 3")
CONNECT_S, SILENT_MS = 5, 8000


class Lock(Protocol):
    """A lock that at most one process holds."""

    def acquire(self) -> bool:
        """Acquire it if it is free; returns whether it was. May raise if that is unknown."""

    def held(self) -> bool:
        """Whether this process still holds it, as far as can be checked now."""

    def starting(self) -> Any:
        """A context manager that waits until no other process is starting."""


class FolderLock:
    """For processes on one machine.

    Args:
        folder: of its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.leader = FileLock(folder / "leader.lock")

    def acquire(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.leader.acquire()

    def held(self) -> bool:
        return self.leader.held

    @contextmanager
    def starting(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "start.lock")
        lock.acquire(wait=True)
        try:
            yield
        finally:
            lock.release()


class DatabaseLock:
    """For processes on any machine, in its own connection to PostgreSQL.

    Args:
        uri: of the database, for SQLAlchemy.
    """

    def __init__(self, uri: str) -> None:
        options = {"connect_timeout": CONNECT_S, "tcp_user_timeout": SILENT_MS, "application_name": "yolo-leader"}
        self.engine = create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._connection: Any = None

    def connect(self) -> Any:
        connection = self.engine.connect()
        for setting in KEEPALIVE:
            connection.exec_driver_sql(f"SET {setting}")
        return connection

    def acquire(self) -> bool:
        connection = self.connect()
        if connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LEADS})").scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def held(self) -> bool:
        """The lock lives as long as its connection."""
        if self._connection is None:
            return False
        try:
            self._connection.exec_driver_sql("SELECT 1")
        except Exception as error:
            logger.warning("the leader's lock: %s", getattr(error, "orig", error))
            self.forget()
            return False
        return True

    def forget(self) -> None:
        connection, self._connection = self._connection, None
        try:
            connection.invalidate()
            connection.close()
        except Exception as error:
            logger.debug("closing a lost connection: %s", error)

    @contextmanager
    def starting(self) -> Iterator[None]:
        connection = self.connect()
        try:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({STARTS})")
            yield
        finally:
            connection.close()


def create_lock(uri: str, folder: Path) -> Lock:
    """The lock for this database; `folder`: of the files of a FolderLock."""
    return DatabaseLock(uri) if uri.startswith("postgresql") else FolderLock(folder)
