"""Copies tables from one database to another, SQLite or PostgreSQL: in one transaction, counted and compared."""

from app.services.transfer.errors import TransferError
from app.services.transfer.migrate import Migration
from app.services.transfer.tables import compare, copy_tables, count_rows

__all__ = ["Migration", "TransferError", "compare", "copy_tables", "count_rows"]
