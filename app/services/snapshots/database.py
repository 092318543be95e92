"""The database of a backup: one SQLite file, whatever database the installation uses."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine

from app.extensions import Base
from app.services.snapshots.errors import SnapshotError
from app.services.transfer import compare, copy_tables


def save(source: Engine, file: Path) -> None:
    """Write all rows of one moment to a new file, without blocking writers.

    Raises:
        SnapshotError: the copy is not intact.
    """
    file.unlink(missing_ok=True)
    try:
        save_sqlite(source, file) if source.dialect.name == "sqlite" else save_tables(source, file)
        with closing(sqlite3.connect(file)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file, without a log
            answer = copy.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise SnapshotError(f"The database cannot be copied to {file.parent}: {error}.") from error
    if answer != "ok":
        raise SnapshotError(f"The copy of the database is damaged, and so may be the database: {answer}.")


def save_sqlite(source: Engine, file: Path) -> None:
    """By SQLite's backup API, in one step: a consistent state, while other processes continue to write."""
    connection = source.raw_connection()
    try:
        with closing(sqlite3.connect(file)) as copy:
            original: Any = connection.driver_connection
            original.backup(copy)
    finally:
        connection.close()


def save_tables(source: Engine, file: Path) -> None:
    """By copying PostgreSQL's tables in one transaction with a consistent snapshot."""
    with source.connect().execution_options(isolation_level="REPEATABLE READ") as rows, connect_file(file) as copy:
        Base.metadata.create_all(copy)
        revision = rows.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        copy.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        copy.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (revision,))
        copy_tables(rows, copy)
        compare(rows, copy)
        copy.commit()


@contextmanager
def connect_file(file: Path) -> Iterator[Connection]:
    """A connection to a file without other users."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def revision_of(file: Path) -> str:
    """The revision of the tables in a saved database."""
    with closing(sqlite3.connect(file)) as saved:
        return str(saved.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def is_database(engine: Engine, data: Path) -> Callable[[str], bool]:
    """Whether a path below the data folder is the database itself, or one of its side files."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return lambda _path: False
    file, folder = Path(engine.url.database).resolve(), data.resolve()
    if not file.is_relative_to(folder):
        return lambda _path: False
    name = file.relative_to(folder).as_posix()
    names = {name, *(f"{name}-{end}" for end in ("wal", "shm", "journal", "owner", "wal-aside"))}
    return lambda path: path in names
