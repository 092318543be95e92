"""How the database is opened and written: SQLite in WAL mode, write transactions that start as writes."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import scoped_session

from app.database_file import DatabaseFile
from app.extensions import db, socketio

logger = logging.getLogger("yolo.database")

BUSY_TIMEOUT_S = 10
# A write waits for its turn here and not in SQLite, which would hold up every client of an eventlet server meanwhile.
BLOCKED_MS = 20
STEP_S = 0.03
RETRY_S = 1.0

T = TypeVar("T")


def engine_options(uri: str) -> dict[str, Any]:
    """A pool of connections that wait for a lock instead of failing at once."""
    if uri.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_TIMEOUT_S}, "pool_size": 10, "max_overflow": 20}
    return {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}


def init_app(app: Flask) -> None:
    """Bind the database to the application and prepare each SQLite connection."""
    address = app.config["SQLALCHEMY_DATABASE_URI"]
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", engine_options(address))
    url = make_url(address)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    file = app.extensions["database_file"] = DatabaseFile(Path(str(url.database))) if is_file else None
    if file is not None:
        file.sort_logs()
    db.init_app(app)
    with app.app_context():
        prepare(db.engine, file)


def prepare(engine: Engine, file: DatabaseFile | None = None) -> None:
    """WAL, foreign keys, and BEGIN sent by us: with deferred BEGIN more than half of concurrent writes failed."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def look(*_: Any) -> None:
        if file is not None and (problem := file.problem()):
            raise sqlite3.OperationalError(f"unable to open the database file: it is {problem}")

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not send BEGIN of its own
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # an acknowledged row survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BLOCKED_MS}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")


def refuse_writes() -> None:
    """
    Raises:
        WritesRefused: the database is not the one of the data folder; see services/installation.
    """
    guard = current_app.extensions.get("write_guard")
    if guard is not None:
        guard()


@contextmanager
def writing(wait: float = BUSY_TIMEOUT_S) -> Iterator[scoped_session[Any]]:
    """One write transaction: committed at the end, rolled back on an exception.

    Nothing inside may emit, sleep or wait: under eventlet another greenlet's write would then freeze the process.

    Args:
        wait: seconds for which another process may hold the database; others are served meanwhile.

    Raises:
        OperationalError: it was held for longer, or cannot be written.
        WritesRefused: it may not be written now.
    """
    refuse_writes()
    session = db.session
    session.rollback()  # what was read before may be old: read again inside the write transaction
    begin_write(session, time.monotonic() + wait)
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def begin_write(session: scoped_session[Any], limit: float) -> None:
    """Open the write transaction as soon as nobody else writes; `limit` by time.monotonic()."""
    while True:
        try:
            session.connection(execution_options={"write": True})
            return
        except OperationalError as error:
            session.rollback()
            if "locked" not in str(error.orig).lower() or time.monotonic() >= limit:
                raise
        socketio.sleep(STEP_S)


def patiently(write: Callable[[], T]) -> T:
    """For background tasks: what `write` returns, once the database and the disk take it. A lock, a restart or a full
    disk only delays it. `write` is called again as a whole."""
    while True:
        try:
            return write()
        except (OperationalError, PoolTimeout, OSError) as error:
            db.session.rollback()
            logger.warning("a write has to wait: %s", getattr(error, "orig", error))
        socketio.sleep(RETRY_S)


def set_up_migrations(app: Flask) -> None:
    """Bind Flask-Migrate, for an upgrade and for `flask db`."""
    from flask_migrate import Migrate

    from app.config import ROOT

    Migrate(app, db, directory=str(ROOT / "app" / "migrations"), render_as_batch=True)


def upgrade_if_old(app: Flask) -> None:
    """Migrate the database when its revision is not ours. Alembic is imported only then: it costs start-up time."""
    from app.config import ROOT

    files = (ROOT / "app" / "migrations" / "versions").glob("*.py")
    newest = max(path.stem.split("_")[0] for path in files)  # revisions are numbered: 0001, 0002 ...
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                current = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        except (OperationalError, ProgrammingError):
            current = None
        if current == newest:
            return
        from flask_migrate import upgrade

        set_up_migrations(app)
        logger.info("migrating the database from %s to %s", current, newest)
        upgrade()
