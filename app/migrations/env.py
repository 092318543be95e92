"""Alembic's environment: the application's engine and metadata."""

from alembic import context
from flask import current_app

from app.extensions import db


def run_migrations_online() -> None:
    """Run inside one write transaction on the application's engine: all of it happens, or nothing."""
    options = current_app.extensions["migrate"].configure_args
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # A batch change drops and makes the table anew: with foreign keys on, its children would be deleted.
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        connection = connection.execution_options(write=True)
        context.configure(connection=connection, target_metadata=db.metadata, transactional_ddl=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        connection.invalidate()  # the pool must not hand out a connection without foreign keys


run_migrations_online()
