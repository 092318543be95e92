"""A backup of the whole installation, made while it works: `make backup TO=/mnt/backups`,
`make verify-backup FROM=/mnt/backups/yolo-…`, `make restore FROM=/mnt/backups/yolo-…`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from app import __version__, create_app
from app.config import settings
from app.database import revisions, upgrade_if_old
from app.extensions import db
from app.services.snapshots import Manifest, Restorer, SnapshotError, SnapshotMaker, verify
from app.services.transfer import TransferError

KEY = "secret_key"

Command = Callable[[Path], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("folder", nargs="?", help="where backups are kept; or one backup")
    arguments = parser.parse_args()
    if not arguments.folder:
        sys.exit(USAGE[arguments.command])
    try:
        COMMANDS[arguments.command](Path(arguments.folder).absolute())
    except OperationalError as error:
        sys.exit(f"The database cannot be used: {str(error.orig).strip()}")
    except (SnapshotError, TransferError, OSError) as error:
        sys.exit(str(error))


def create_backup(parent: Path) -> None:
    app = installation()
    with app.app_context():
        services, config = app.extensions["services"], settings(app)
        key = None if config.SECRET_KEY else config.INSTANCE_PATH / KEY
        maker = SnapshotMaker(db.engine, services.jobs.kinds, config.DATA_ROOT, key, __version__)
        folder = maker.create(parent, print)
    show(Manifest.read(folder))
    print(f"The backup is whole: {folder}")
    for name in ("WEIGHTS_DIR", "BACKUP_DIR"):
        if not getattr(config, name).is_relative_to(config.DATA_ROOT):
            print(f"Not included, because it is outside the data folder: {name} ({getattr(config, name)})")
    print("Not included: .env. Keep a copy of it, too.")


def check(folder: Path) -> None:
    damaged = list(verify(folder))
    for name in damaged:
        print(f"damaged: {name}")
    if damaged:
        sys.exit(f"The backup {folder} is damaged.")
    show(Manifest.read(folder))
    print(f"The backup is whole: {folder}")


def restore(folder: Path) -> None:
    app = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"})
    file, config = app.extensions["database_file"], settings(app)
    if file is not None and file.in_use():
        raise SnapshotError(f"A server or a command is using {file}. Stop it, and run this again.")
    upgrade_if_old(app)
    with app.app_context():
        restorer = Restorer(db.engine, config.DATA_ROOT, config.INSTANCE_PATH / KEY, upgrade)
        show(restorer.restore(folder, print))
    print("Everything was restored. Start the server: make run")


def installation() -> Any:
    """The application, if the installation's tables are those of this version.

    Raises:
        SnapshotError: its tables are those of another version. Nothing is migrated here, since a server may be using
            them, and a backup before an upgrade must have the database unchanged.
    """
    app = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"})
    current, newest = revisions(app)
    if current is not None and current != newest:
        raise SnapshotError(
            f"The database belongs to another version of the platform (tables {current}, here {newest}). Make the "
            "backup with that version, or start this one first: it upgrades the database."
        )
    upgrade_if_old(app)
    return app


def upgrade(file: Path) -> None:
    """Migrate a saved database to this version's tables."""
    app = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading", "DATABASE_URL": f"sqlite:///{file}"})
    upgrade_if_old(app)
    with app.app_context():
        db.engine.dispose()


def show(manifest: Manifest) -> None:
    size = sum({item.group or item.path: item.bytes for item in manifest.files}.values())
    rows = sum(manifest.tables.values())
    print(f"Backup of {manifest.created}: {rows} rows, {len(manifest.files)} files, {size / 1e9:.2f} GB")


COMMANDS: dict[str, Command] = {"make": create_backup, "verify": check, "restore": restore}
USAGE = {
    "make": "Say where backups are kept, best on another disk: make backup TO=/mnt/backups",
    "verify": "Say which backup: make verify-backup FROM=/mnt/backups/yolo-2026-01-31T120000Z",
    "restore": "Say which backup: make restore FROM=/mnt/backups/yolo-2026-01-31T120000Z",
}

if __name__ == "__main__":
    main()
