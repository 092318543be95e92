"""Every table of the product: read, written and compared as in the database, without the models' conversions."""

from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Row, String, Table, collate, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from app.extensions import db
from app.services.transfer.errors import TransferError

BATCH = 1000  # rows


def raw_tables() -> list[Table]:
    """Each table after those that it refers to, with column types that do not convert values (JSON is text)."""
    metadata = MetaData()
    return [raw_table(table, metadata) for table in db.metadata.sorted_tables]


def raw_table(table: Table, metadata: MetaData) -> Table:
    columns = [Column(item.name, raw_type(item.type), primary_key=item.primary_key) for item in table.columns]
    return Table(table.name, metadata, *columns)


def raw_type(kind: Any) -> Any:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def count_rows(connection: Connection) -> dict[str, int]:
    """Number of rows by table."""
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in raw_tables()}


def copy_tables(source: Connection, target: Connection) -> dict[str, int]:
    """Copy every row into empty tables; number of rows by table. The caller commits.

    Raises:
        TransferError: the target refuses a row, which the message names.
    """
    return {table.name: copy_table(table, source, target) for table in raw_tables()}


def copy_table(table: Table, source: Connection, target: Connection) -> int:
    count, rows = 0, read(table, source)
    while batch := [dict(row._mapping) for row in islice(rows, BATCH)]:
        insert_batch(table, target, batch)
        count += len(batch)
    return count


def read(table: Table, connection: Connection) -> Iterator[Row[Any]]:
    """All rows in the order of their keys, which is the same in every database.

    Raises:
        TransferError: a value does not have its column's type.
    """
    query = select(table).order_by(*(binary_order(column, connection) for column in table.primary_key))
    try:
        yield from connection.execute(query.execution_options(yield_per=BATCH))
    except (ValueError, TypeError) as error:
        raise TransferError(f"Table {table.name} has a value that cannot be read: {error}.") from error


def binary_order(column: Any, connection: Connection) -> Any:
    """The column with binary collation: SQLite sorts text by bytes, PostgreSQL by locale."""
    is_text = isinstance(column.type, String) and connection.dialect.name == "postgresql"
    return collate(column, "C") if is_text else column


def insert_batch(table: Table, target: Connection, batch: list[dict[str, object]]) -> None:
    try:
        with target.begin_nested():
            target.execute(insert(table), batch)
    except DBAPIError as error:
        raise refused_row(table, target, batch) or error from error


def refused_row(table: Table, target: Connection, batch: list[dict[str, object]]) -> TransferError | None:
    """The row of a batch that was refused, and why."""
    for row in batch:
        try:
            with target.begin_nested():
                target.execute(insert(table), row)
        except DBAPIError as error:
            reason = str(error.orig).splitlines()[0]
            return TransferError(f"Table {table.name}: the row {key_of(table, row)} is not accepted: {reason}.")
    return None


def key_of(table: Table, row: Any) -> str:
    return ", ".join(f"{column.name}={row[column.name]!r}" for column in table.primary_key)


def compare(source: Connection, target: Connection) -> dict[str, int]:
    """Count and compare every row of every table; number of rows by table.

    Raises:
        TransferError: a row is missing, surplus or different; the message names it.
    """
    return {table.name: compare_table(table, source, target) for table in raw_tables()}


def compare_table(table: Table, source: Connection, target: Connection) -> int:
    count = 0
    for expected, actual in zip_longest(read(table, source), read(table, target)):
        if expected is None or actual is None or tuple(expected) != tuple(actual):
            row = actual if expected is None else expected
            raise TransferError(f"Table {table.name}: the row {key_of(table, row._mapping)} differs in the copy.")
        count += 1
    return count


def set_sequences(target: Connection) -> None:
    """Set PostgreSQL's sequences to the highest id of each table. (SQLite reads the table itself.)"""
    if target.dialect.name != "postgresql":
        return
    for table in raw_tables():
        keys = list(table.primary_key)
        if len(keys) == 1 and isinstance(keys[0].type, Integer):
            highest = target.scalar(select(func.max(keys[0])))
            values = {"table": table.name, "column": keys[0].name, "value": highest or 1, "used": highest is not None}
            target.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :value, :used)"),
                values,
            )
