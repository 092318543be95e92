"""Restores a backup into an empty installation: files first, the database in one transaction, then the mark that pairs
them.

Until the end, a server started there would find folders without rows, and be read-only. An interrupted restore
continues when it is run again with the same backup.
"""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from app.core.files import atomic_write_text
from app.services.installation import mark
from app.services.snapshots.database import connect_file, is_database
from app.services.snapshots.errors import SnapshotError
from app.services.snapshots.manifest import DATA, DATABASE, SECRET_KEY, File, Manifest, sha256_of, verify
from app.services.snapshots.mirror import copy_file, walk
from app.services.transfer import compare, copy_tables, count_rows
from app.services.transfer.tables import set_sequences

UNDER_WAY = ".restoring.json"  # in the data folder
UPGRADED = "database.sqlite3"


class Restorer:
    """Restores into one installation.

    Args:
        engine: of its database, whose tables exist and are empty.
        data: its data folder. secret_key: the path for its key.
        upgrade: migrates the SQLite file at a path to the tables of this version.
    """

    def __init__(self, engine: Engine, data: Path, secret_key: Path, upgrade: Callable[[Path], None]) -> None:
        self.engine, self.data, self.secret_key, self.upgrade = engine, data, secret_key, upgrade

    def restore(self, folder: Path, report: Callable[[str], Any] = lambda _text: None) -> Manifest:
        """Restore a backup into this empty installation.

        Raises:
            SnapshotError: the backup is damaged, or the installation is not empty. Nothing was changed.
            OSError: a file cannot be written: fix that, and run it again.
        """
        manifest = Manifest.read(folder)
        self.expect_supported(manifest)
        self.expect_empty(manifest)
        report("Reading the backup…")
        if damaged := list(verify(folder)):
            raise SnapshotError(
                f"The backup {folder} is damaged; nothing was restored. Files that are missing or differ: "
                + ", ".join(damaged[:20])
                + (f" and {len(damaged) - 20} more." if len(damaged) > 20 else ".")
            )
        atomic_write_text(self.data / UNDER_WAY, json.dumps({"id": manifest.id}))
        report(f"Copying {len(manifest.files)} files…")
        self.restore_files(folder, manifest)
        report("Copying the database…")
        self.restore_rows(folder, manifest)
        self.finish(folder, manifest)
        return manifest

    # Checking.

    def expect_supported(self, manifest: Manifest) -> None:
        """Check that this version supports the backup's tables.

        Raises:
            SnapshotError: the backup is from a newer version.
        """
        with self.engine.connect() as rows:
            ours = rows.scalar(text("SELECT version_num FROM alembic_version"))
        if manifest.revision > str(ours):  # revisions are numbered: 0001, 0002 ...
            raise SnapshotError(
                f"The backup was made by a newer version of the platform (tables {manifest.revision}, here {ours}). "
                "Update this installation first."
            )

    def expect_empty(self, manifest: Manifest) -> None:
        """Check that database and data folder are empty.

        Raises:
            SnapshotError: there is data that would be mixed with the backup.
        """
        if self.under_way() == manifest.id:
            return
        with self.engine.connect() as rows:
            filled = [f"{name} ({count})" for name, count in count_rows(rows).items() if count]
        if filled:
            raise SnapshotError(f"The database is not empty: {', '.join(filled)}. Restore into a new installation.")
        ours = is_database(self.engine, self.data)
        there = walk(self.data, lambda path: path != UNDER_WAY and not ours(path))
        files = (path for path, status in there if not stat.S_ISDIR(status.st_mode))
        if (first := next(files, None)) is not None or any((self.data / name).exists() for name in mark.NAMES):
            raise SnapshotError(
                f"The data folder {self.data} is not empty (it has {first or mark.NAMES[0]}). "
                "Restore into a new installation, or move these files away."
            )

    def under_way(self) -> str | None:
        """The id of the backup whose restore was started here."""
        try:
            return str(json.loads((self.data / UNDER_WAY).read_bytes())["id"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    # Files.

    def restore_files(self, folder: Path, manifest: Manifest) -> None:
        named: dict[str, Path] = {}
        for item in manifest.files:
            target = self.data / item.path
            first = named.get(item.group) if item.group else None
            if first is None or not link(first, target):
                restore_file(folder / DATA / item.path, target, item)
            if item.group:
                named.setdefault(item.group, target)
        for path in manifest.folders:
            (self.data / path).mkdir(parents=True, exist_ok=True)
        for path, leads_to in manifest.links.items():
            restore_link(self.data / path, leads_to)
        os.sync()

    # Rows.

    def restore_rows(self, folder: Path, manifest: Manifest) -> None:
        """Restore the rows in one transaction; existing ones are only compared."""
        work = self.data / "tmp" / f"restore-{manifest.id}"
        work.mkdir(parents=True, exist_ok=True)
        file = work / UPGRADED
        try:
            shutil.copyfile(folder / DATABASE, file)
            self.upgrade(file)
            with connect_file(file) as source:
                source.execute(
                    text("UPDATE job SET runner = :gone WHERE runner IS NOT NULL"), {"gone": json.dumps(ENDED_RUNNER)}
                )
                source.commit()
                self.load(source)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def load(self, source: Any) -> None:
        with self.engine.connect() as connection, connection.execution_options(write=True).begin():
            if not any(count_rows(connection).values()):
                copy_tables(source, connection)
                set_sequences(connection)
            compare(source, connection)

    def finish(self, folder: Path, manifest: Manifest) -> None:
        if SECRET_KEY in manifest.own:
            self.secret_key.parent.mkdir(parents=True, exist_ok=True)
            draft = self.secret_key.with_name(f".{self.secret_key.name}.restore")
            shutil.copyfile(folder / SECRET_KEY, draft)
            os.replace(draft, self.secret_key)
        if manifest.mark is not None:
            mark.write(self.data, mark.parse(manifest.mark))
        (self.data / UNDER_WAY).unlink()
        os.sync()


# A process of the backed-up installation is not a process of this machine, even with the same pid.
ENDED_RUNNER = {"host": "", "pid": 0, "started": 0.0}


def link(first: Path, target: Path) -> bool:
    """Add a hard link to a restored file; returns whether the file system supports it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(first, target)
    except OSError:
        return False
    return True


def restore_file(source: Path, target: Path, item: File) -> None:
    """Copy a file of the backup to its path, and verify its hash.

    Raises:
        SnapshotError: the backup has changed since it was verified.
        OSError: it cannot be written.
    """
    if target.exists() and sha256_of(target) == item.sha256:  # restored by an interrupted run
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(".restore.tmp")
    try:
        sha256, _size, _time = copy_file(source, draft)
        if sha256 != item.sha256:
            raise SnapshotError(f"The backup is damaged: {item.path}.")
        os.utime(draft, ns=(item.mtime_ns, item.mtime_ns))
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def restore_link(target: Path, leads_to: str) -> None:
    """Create a symbolic link, replacing an existing file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.symlink(leads_to, target)
