"""Moves an installation's rows from SQLite to PostgreSQL: all of them, or none."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from app.services.transfer.errors import TransferError
from app.services.transfer.tables import compare, copy_tables, count_rows, raw_tables, set_sequences


class Migration:
    """One migration. The source is not changed.

    Args:
        source: the present database, which no process may be using.
        target: a database whose tables exist and are empty.
    """

    def __init__(self, source: Engine, target: Engine) -> None:
        self.source, self.target = source, target

    def run(self) -> dict[str, int]:
        """Copy, compare and commit; rows by table.

        Raises:
            TransferError: the target is not empty, refuses a row, or differs afterwards; it was rolled back.
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
        """A consistent state of the source, locked against writers."""
        with self.source.connect() as connection, connection.execution_options(write=True).begin():
            yield connection


def lock(target: Connection) -> None:
    """Lock the target: a second run waits, and then finds that the tables are not empty."""
    if target.dialect.name == "postgresql":
        names = ", ".join(table.name for table in raw_tables())
        target.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def expect_empty(target: Connection) -> None:
    """Check that the target database has no rows.

    Raises:
        TransferError: a table has rows.
    """
    if filled := [f"{name} ({count})" for name, count in count_rows(target).items() if count]:
        raise TransferError(
            f"The target database is not empty: {', '.join(filled)}. Nothing was changed. Name an empty database."
        )
