"""How the database is opened and written: SQLite in WAL mode, write transactions that start as writes."""

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

logger = logging.getLogger("yolo.database")

BUSY_TIMEOUT_S = 10
SYNCED, UNSYNCED = "FULL", "NORMAL"  # SQLite's own words, for WAL: whether a commit waits for the disk
# A write waits for its turn here and not in SQLite, which would hold up every client of an eventlet server meanwhile.
BLOCKED_MS = 20
STEP_S = 0.03
RETRY_S = 1.0
DEADLOCK = "40P01"  # PostgreSQL's code

DATABASE_UNAVAILABLE: tuple[type[Exception], ...] = (OperationalError, PoolTimeout)  # locked, restarted, or read-only
NOT_WRITABLE: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, OSError)

T = TypeVar("T")


class ServerClosed(Exception):
    """The server ends while one of its background tasks waits."""


# Of libpq: a PostgreSQL whose host has vanished ends a query after a minute, and not after the hours that TCP waits.
SILENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 60_000,  # ms
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def engine_options(uri: str) -> dict[str, object]:
    """A pool of connections that wait for a lock instead of failing at once."""
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
    app.teardown_appcontext(close_session)  # called before Flask-SQLAlchemy's own, which finds nothing to do then
    with app.app_context():
        prepare(db.engine, file)


def use_cooperative_waits() -> None:
    """psycopg waits for PostgreSQL in C, unless gevent has replaced `select`; it does not look for eventlet, and each
    query would hold up every client. Before psycopg is imported."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("select"):
        os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_select")


def close_session(_error: BaseException | None = None) -> None:
    """Return the connection. One that ended with its server can't be rolled back; the answer is made by then, and
    must not become a 500."""
    try:
        db.session.remove()
    except OperationalError as error:
        logger.warning("a connection has ended with the database: %s", getattr(error, "orig", error))
        with suppress(OperationalError):
            db.session().invalidate()
        db.session.registry.clear()


def prepare(engine: Engine, file: DatabaseFile | None = None) -> None:
    """WAL, foreign keys, and BEGIN sent by us: with deferred BEGIN more than half of concurrent writes failed."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def check_file(*_: Any) -> None:
        if file is not None and (problem := file.problem()):
            raise sqlite3.OperationalError(f"unable to open the database file: it is {problem}")

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not send BEGIN of its own
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

    Nothing inside may emit, sleep or wait: under eventlet another greenlet's write would then freeze the process.

    Args:
        wait: seconds for which another process may hold the database; others are served meanwhile.
        synced: whether the commit waits for the disk. Without, a power cut may take it back, never in part and never
            what was committed before it; the next synced commit takes it along. A killed process loses nothing.

    Raises:
        OperationalError: it was held for longer, or cannot be written.
        WritesRefused: it may not be written now.
    """
    refuse_writes()
    session = db.session
    session.rollback()  # what was read before may be old: read again inside the write transaction
    begin_write(session, time.monotonic() + wait, synced)
    session.info["writing"] = True  # access/private.py lets it see everything
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("writing", None)


def begin_write(session: scoped_session[Any], limit: float, synced: bool = True) -> None:
    """Open the write transaction as soon as nobody else writes; `limit` by time.monotonic()."""
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
    """What `write` returns, done again where it lost a deadlock: PostgreSQL ends one of two transactions that wait for
    each other, and rolls it back whole."""
    try:
        return write()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != DEADLOCK:
            raise
        db.session.rollback()
        return write()


def retry_until_writable(write: Callable[[], T], delays: tuple[type[Exception], ...] = NOT_WRITABLE) -> T:
    """For background tasks: what `write` returns, once the database and the disk take it. A lock, a restart or a full
    disk only delays it. `write` is called again as a whole.

    Args:
        delays: what is waited for.

    Raises:
        ServerClosed: the server ended meanwhile.
    """
    while True:
        try:
            return write()
        except delays as error:
            db.session.rollback()
            stop_if_closed()
            logger.warning("a write has to wait: %s", getattr(error, "orig", error))
        socketio.sleep(RETRY_S)


def stop_if_closed() -> None:
    """For background tasks that wait for the database: whether anybody is left to wait for it.

    Raises:
        ServerClosed: the server ends; the next one finds in the files what is not written yet.
    """
    closed = current_app.extensions.get("closed")
    if closed is not None and closed():
        raise ServerClosed


def write_now_or_later(write: Callable[[], object]) -> None:
    """For requests whose answer does not depend on it: `write` now, or behind the request, once the database and the
    disk take it. It is called again as a whole."""
    try:
        write()
    except NOT_WRITABLE as error:
        db.session.rollback()
        logger.warning("a write follows later: %s", getattr(error, "orig", error))
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        socketio.start_background_task(write_later, app, write)


def write_later(app: Flask, write: Callable[[], object]) -> None:
    with app.app_context(), suppress(ServerClosed):
        retry_until_writable(write)


def set_up_migrations(app: Flask) -> None:
    """Bind Flask-Migrate, for an upgrade and for `flask db`."""
    from flask_migrate import Migrate

    from app.config import ROOT

    Migrate(app, db, directory=str(ROOT / "app" / "migrations"), render_as_batch=True)


def revisions(app: Flask) -> tuple[str | None, str]:
    """Of the database's tables, None where there are none yet; and of those of this version."""
    from app.config import ROOT

    files = (ROOT / "app" / "migrations" / "versions").glob("*.py")
    newest = max(path.stem.split("_")[0] for path in files)  # they are numbered: 0001, 0002 ...
    try:
        with app.app_context(), db.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar(), newest
    except (OperationalError, ProgrammingError):
        return None, newest


def upgrade_if_old(app: Flask) -> None:
    """Migrate the database when its revision is not ours. Alembic is imported only then: it costs start-up time."""
    current, newest = revisions(app)
    if current == newest:
        return
    with app.app_context():
        from flask_migrate import upgrade

        set_up_migrations(app)
        logger.info("migrating the database from %s to %s", current, newest)
        upgrade()
