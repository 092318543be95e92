"""Creates a backup of a running installation."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from app.core.files import sync_file
from app.jobs.kinds import Kinds
from app.services.installation import mark
from app.services.snapshots.database import connect_file, is_database, revision_of, save
from app.services.snapshots.errors import SnapshotError
from app.services.snapshots.manifest import DATA, DATABASE, SECRET_KEY, Manifest, sha256_of, verify
from app.services.snapshots.mirror import Mirror, walk
from app.services.snapshots.moment import Moment
from app.services.transfer import count_rows

ROUNDS = 20
PARTIAL = ".partial"


class SnapshotMaker:
    """Creates backups of an installation.

    Args:
        engine: of its database. kinds: of its jobs. data: its data folder. secret_key: its file; None if it is a
            setting.
        version: of the platform.
    """

    def __init__(self, engine: Engine, kinds: Kinds, data: Path, secret_key: Path | None, version: str) -> None:
        self.engine, self.kinds, self.data, self.secret_key, self.version = engine, kinds, data, secret_key, version

    def create(self, parent: Path, report: Callable[[str], Any] = lambda _text: None) -> Path:
        """Create and verify a backup in a new folder of `parent`; returns the folder.

        Raises:
            SnapshotError: the backup failed; the message says why.
            OSError: it cannot be written; the draft was removed.
        """
        if parent.resolve().is_relative_to(self.data.resolve()):
            raise SnapshotError(
                f"{parent} is inside the data folder. Choose a folder outside of it, best on another disk."
            )
        parent.mkdir(parents=True, exist_ok=True)
        with alone(parent):
            self.expect_space(parent)
            draft = parent / f".{uuid4().hex}{PARTIAL}"
            try:
                self.fill(draft, report)
                report("Reading the backup again…")
                if damaged := list(verify(draft)):
                    raise SnapshotError(
                        f"The backup was not written as it should be: {', '.join(damaged[:5])}. Check the disk."
                    )
                folder = parent / f"yolo-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
                os.rename(draft, folder)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            sync_file(parent)
        return folder

    def expect_space(self, parent: Path) -> None:
        """Check that the target's disk has space for the data folder.

        Raises:
            SnapshotError: the data folder is larger than the free space.
        """
        statuses = (status for _path, status in walk(self.data, lambda _path: True))
        sizes = {(status.st_dev, status.st_ino): status.st_size for status in statuses}
        needed, free = sum(sizes.values()), shutil.disk_usage(parent).free
        if needed > free:
            raise SnapshotError(
                f"The backup needs about {needed / 1e9:.1f} GB, and {parent} has {free / 1e9:.1f} GB free. "
                "Free some space or choose another disk."
            )

    def fill(self, draft: Path, report: Callable[[str], Any]) -> None:
        """Copy everything, synced. The first round copies all files; each later one only changes, until one is short
        enough that nothing is deleted and no job begins or ends during it.
        """
        (draft / DATA).mkdir(parents=True)
        copy = Mirror(self.data, draft / DATA, is_database(self.engine, self.data))
        for number in range(1, ROUNDS + 1):
            report(f"Copying the database and the files, round {number}…")
            source_mark, moment = mark.read(self.data), self.save_rows(draft / DATABASE)
            copy.update(moment.includes)
            if not moment.has_passed(self.present()):
                break
        else:
            raise SnapshotError("Jobs began or ended in every round. Try again when fewer jobs are running.")
        self.describe(draft, copy, source_mark).write(draft)
        os.sync()

    def save_rows(self, file: Path) -> Moment:
        save(self.engine, file)
        with connect_file(file) as rows:
            return Moment.of(rows, self.kinds)

    def present(self) -> Moment:
        with self.engine.connect() as rows:
            return Moment.of(rows, self.kinds)

    def describe(self, draft: Path, copy: Mirror, source_mark: mark.Mark | None) -> Manifest:
        if self.secret_key is not None and self.secret_key.is_file():
            shutil.copyfile(self.secret_key, draft / SECRET_KEY)
        hashes = {name: str(sha256_of(draft / name)) for name in (DATABASE, SECRET_KEY) if (draft / name).is_file()}
        with connect_file(draft / DATABASE) as rows:
            tables = count_rows(rows)
        return Manifest(
            id=uuid4().hex,
            created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            version=self.version,
            revision=revision_of(draft / DATABASE),
            mark=asdict(source_mark) if source_mark else None,
            tables=tables,
            own=hashes,
            files=sorted(copy.files.values(), key=lambda item: item.path),
            links=copy.links,
            folders=copy.folders,
        )


@contextmanager
def alone(parent: Path) -> Iterator[None]:
    """Lock a folder for one backup at a time, and remove the leftovers of a killed one.

    Raises:
        SnapshotError: another backup is being created.
    """
    with open(parent / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SnapshotError(f"Another backup is being written to {parent}. Wait until it has ended.") from error
        for leftover in parent.glob(f".*{PARTIAL}"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
