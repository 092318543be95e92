"""Opens and writes the database: SQLite in WAL mode, write transactions that lock from the start."""

import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import scoped_session

from app.database_file import DatabaseFile
from app.extensions import db, socketio
from app.threads import run_in_background

logger = logging.getLogger("yolo.database")

BUSY_TIMEOUT_S = 10
SYNCED, UNSYNCED = "FULL", "NORMAL"  # SQLite's values for WAL: whether a commit waits for the disk
# Writers wait here rather than in SQLite, which would block every client of an eventlet server.
BLOCKED_MS = 20
STEP_S = 0.03
RETRY_S = 1.0
DEADLOCK = "40P01"  # PostgreSQL's code

DATABASE_UNAVAILABLE: tuple[type[Exception], ...] = (OperationalError, PoolTimeout)  # locked, restarted, or read-only
NOT_WRITABLE: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, OSError)

T = TypeVar("T")


class ServerClosed(Exception):
    """The server closed while one of its background tasks was waiting."""


# Options of libpq: if PostgreSQL's host disappears, a query fails after a minute, not after TCP's hours.
SILENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 60_000,  # ms
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def engine_options(uri: str) -> dict[str, object]:
    """Options for a connection pool; its connections wait for a lock instead of failing at once."""
    if uri.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_TIMEOUT_S}, "pool_size": 10, "max_overflow": 20}
    return {"connect_args": SILENCE, "pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}


def init_app(app: Flask) -> None:
    """Bind the database to the application and prepare each SQLite connection."""
    address = app.config["SQLALCHEMY_DATABASE_URI"]
    use_cooperative_waits()
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", engine_options(address))
    url = make_url(address)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    file = app.extensions["database_file"] = DatabaseFile(Path(str(url.database))) if is_file else None
    if file is not None:
        file.sort_logs()
    db.init_app(app)
    app.teardown_appcontext(close_session)  # registered before Flask-SQLAlchemy's own, which then has nothing to do
    with app.app_context():
        prepare(db.engine, file)


def use_cooperative_waits() -> None:
    """Make psycopg cooperative. It waits for PostgreSQL in C unless gevent has patched `select`, and does not detect
    eventlet, so each query would block every client. Call before psycopg is imported.
    """
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("select"):
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_select")


def close_session(_error: BaseException | None = None) -> None:
    """Return the connection to the pool. If its server has ended, it can't be rolled back; by then the response exists,
    and must not become a 500.
    """
    try:
        db.session.remove()
    except OperationalError as error:
        logger.warning("a connection was closed by the database: %s", getattr(error, "orig", error))
        with suppress(OperationalError):
            db.session().invalidate()
        db.session.registry.clear()


def prepare(engine: Engine, file: DatabaseFile | None = None) -> None:
    """Set WAL and foreign keys, and send BEGIN ourselves: with deferred BEGIN, more than half of concurrent writes
    failed.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def check_file(*_: Any) -> None:
        if file is not None and (problem := file.problem()):
            raise sqlite3.OperationalError(f"unable to open the database file: it is {problem}")

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # keeps the driver from sending BEGIN
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={SYNCED}")  # an acknowledged row survives a power cut
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("write"):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA synchronous={SYNCED if options.get('synced', True) else UNSYNCED}")
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BLOCKED_MS}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")


def refuse_writes() -> None:
    """Check that this database may be written.

    Raises:
        WritesRefused: the database is not the one of the data folder; see services/installation.
    """
    guard = current_app.extensions.get("write_guard")
    if guard is not None:
        guard()


@contextmanager
def writing(wait: float = BUSY_TIMEOUT_S, synced: bool = True) -> Iterator[scoped_session[Any]]:
    """One write transaction: committed at the end, rolled back on an exception.

    Within it, nothing may emit, sleep or wait: under eventlet, another greenlet's write would then block the process.

    Args:
        wait: seconds to wait while another process writes; others are served meanwhile.
        synced: whether the commit waits for the disk. If not, a power loss may revert it, but never partially, nor
            earlier commits; the next synced commit includes it. A killed process loses nothing.

    Raises:
        OperationalError: the database was locked for longer, or cannot be written.
        WritesRefused: writes are not allowed now.
    """
    refuse_writes()
    session = db.session
    session.rollback()  # earlier reads may be stale: read again inside the write transaction
    begin_write(session, time.monotonic() + wait, synced)
    session.info["writing"] = True  # see access/private.py: write transactions see everything
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("writing", None)


def begin_write(session: scoped_session[Any], limit: float, synced: bool = True) -> None:
    """Open the write transaction once no other writer is active; `limit` by time.monotonic()."""
    while True:
        try:
            connection = session.connection(execution_options={"write": True, "synced": synced})
            if not synced and connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            return
        except OperationalError as error:
            session.rollback()
            if "locked" not in str(error.orig).lower() or time.monotonic() >= limit:
                raise
        socketio.sleep(STEP_S)


def once_more(write: Callable[[], T]) -> T:
    """The result of `write`, repeated once after a deadlock, in which PostgreSQL rolls one of the two transactions
    back.
    """
    try:
        return write()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != DEADLOCK:
            raise
        db.session.rollback()
        return write()


def retry_until_writable(write: Callable[[], T], delays: tuple[type[Exception], ...] = NOT_WRITABLE) -> T:
    """For background tasks: the result of `write`, retried until the database and the disk accept it. A lock, a restart
    or a full disk only delays it. Each retry calls `write` from its start.

    Args:
        delays: exceptions that are retried.

    Raises:
        ServerClosed: the server closed meanwhile.
    """
    while True:
        try:
            return write()
        except delays as error:
            db.session.rollback()
            stop_if_closed()
            logger.warning("a write is retried: %s", getattr(error, "orig", error))
        socketio.sleep(RETRY_S)


def stop_if_closed() -> None:
    """For background tasks that wait for the database: stop if the server is closing.

    Raises:
        ServerClosed: it is; the next server reads from the files what was not written.
    """
    closed = current_app.extensions.get("closed")
    if closed is not None and closed():
        raise ServerClosed


def write_now_or_later(write: Callable[[], object]) -> None:
    """For requests whose response does not depend on it: call `write` now, or in the background once the database and
    the disk accept it. Each retry calls it from its start.
    """
    try:
        write()
    except NOT_WRITABLE as error:
        db.session.rollback()
        logger.warning("a write is deferred: %s", getattr(error, "orig", error))
        run_in_background(write_later, write)


def write_later(write: Callable[[], object]) -> None:
    with suppress(ServerClosed):
        retry_until_writable(write)


def set_up_migrations(app: Flask) -> None:
    """Bind Flask-Migrate, for an upgrade and for `flask db`."""
    from flask_migrate import Migrate

    from app.config import ROOT

    Migrate(app, db, directory=str(ROOT / "app" / "migrations"), render_as_batch=True)


def revisions(app: Flask) -> tuple[str | None, str]:
    """The revision of the database's tables (None without tables), and that of this version."""
    from app.config import ROOT

    files = (ROOT / "app" / "migrations" / "versions").glob("*.py")
    newest = max(path.stem.split("_")[0] for path in files)  # file names are numbered: 0001, 0002 ...
    try:
        with app.app_context(), db.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar(), newest
    except (OperationalError, ProgrammingError):
        return None, newest


def upgrade_if_old(app: Flask) -> None:
    """Migrate the database if its revision is not the newest. Alembic is imported only then, since it delays
    the start.
    """
    current, newest = revisions(app)
    if current == newest:
        return
    with app.app_context():
        from flask_migrate import upgrade

        set_up_migrations(app)
        logger.info("migrating the database from %s to %s", current, newest)
        upgrade()
