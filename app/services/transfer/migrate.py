"""Moves an installation's rows from SQLite into PostgreSQL: all of them, or none."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from app.services.transfer.errors import TransferError
from app.services.transfer.tables import compare, copy_tables, count_rows, raw_tables, set_sequences


class Migration:
    """One migration. The source is not changed.

    Args:
        source: the database that is used now; nothing may be connected to it.
        target: a database whose tables are there and empty.
    """

    def __init__(self, source: Engine, target: Engine) -> None:
        self.source, self.target = source, target

    def run(self) -> dict[str, int]:
        """Copy, compare and commit; rows by table.

        Raises:
            TransferError: the target is not empty, does not take a row, or differs afterwards. It is as before then.
        """
        with self.reading() as source, self.target.begin() as target:
            lock(target)
            expect_empty(target)
            copy_tables(source, target)
            counts = compare(source, target)
            set_sequences(target)
        return counts

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One state of the source, locked against writers."""
        with self.source.connect() as connection, connection.execution_options(write=True).begin():
            yield connection


def lock(target: Connection) -> None:
    """A second run waits, and then sees that the tables are not empty."""
    if target.dialect.name == "postgresql":
        names = ", ".join(table.name for table in raw_tables())
        target.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def expect_empty(target: Connection) -> None:
    """Check that the target database has no rows.

    Raises:
        TransferError: some table has rows.
    """
    if filled := [f"{name} ({count})" for name, count in count_rows(target).items() if count]:
        raise TransferError(
            f"The target database is not empty: {', '.join(filled)}. Nothing was changed. Name an empty database."
        )
