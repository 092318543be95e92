"""`make migrate-to-postgres TO=postgresql://user:password@host/name`: the rows of this installation's SQLite database
are copied into PostgreSQL, counted and compared. Files stay where they are."""

import argparse
import sys
from typing import Any

from sqlalchemy.exc import OperationalError

from app import create_app
from app.config import database_uri
from app.database import upgrade_if_old
from app.extensions import db
from app.services.transfer import Migration, TransferError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", metavar="TO", help="postgresql://user:password@host/name, an empty database")
    target = parser.parse_args().target
    try:
        report(migrate(target))
    except (TransferError, OperationalError) as error:
        sys.exit(str(getattr(error, "orig", error)).strip())


def migrate(url: str) -> dict[str, int]:
    """Migrate; returns the number of rows by table.

    Raises:
        TransferError: with the reason why nothing was copied.
        OperationalError: a database cannot be reached.
    """
    if not database_uri(url).startswith("postgresql"):
        raise TransferError(
            "Name the PostgreSQL database: make migrate-to-postgres TO=postgresql://user:password@host/name"
        )
    source = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"})
    file = source.extensions["database_file"]
    if file is None:
        raise TransferError("DATABASE_URL is not an SQLite file: there is nothing to migrate.")
    if not file.path.is_file():
        raise TransferError(f"There is no database {file}: check DATABASE_URL.")
    if file.in_use():
        raise TransferError(f"A server or a command is using {file}. Stop it, and run this again.")
    upgrade_if_old(source)
    target = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading", "DATABASE_URL": url})
    upgrade_if_old(target)
    return Migration(engine_of(source), engine_of(target)).run()


def engine_of(app: Any) -> Any:
    with app.app_context():
        return db.engine


def report(counts: dict[str, int]) -> None:
    for name, count in counts.items():
        print(f"{name:<20} {count:>10} rows, compared")
    print("Everything was copied. Set DATABASE_URL to the new database in .env, then start the server.")
    print("The SQLite file was not changed. Keep it as a backup, and start no server on it: the two would drift apart.")


if __name__ == "__main__":
    main()
