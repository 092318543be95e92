"""Checks that the SQLite file of a server is still the one that was opened, and that its log stays with it.

If the file is renamed, SQLite continues to write to it, creates an empty one in its place for the next connection, and
applies the log (`-wal`) beside a path to whatever file is there.
"""

import fcntl
import json
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

logger = logging.getLogger("yolo.database")

FileId = tuple[int, int]  # device and inode
OWNER, ASIDE = "-owner", "-wal-aside"


class DatabaseFile:
    """One SQLite file.

    Args:
        path: its location.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}-wal")
        self.opened: FileId | None = None
        self._log: FileId | None = None
        self._checkpointed: tuple[int, int] | None = None  # size and modification time of the log

    def __str__(self) -> str:
        return str(self.path)

    # While it is open.

    def remember(self) -> None:
        """Record the present file as the right one, and the log beside it as its own."""
        self.opened, self._log = file_id(self.path), file_id(self.log)
        owner = self.path.with_name(self.path.name + OWNER)
        try:
            owner.write_text(json.dumps({"file": self.opened, "log": self._log}), encoding="ascii")
        except OSError as error:
            logger.warning("%s could not be written: %s", owner, error)

    def problem(self) -> str | None:
        """`missing`, `replaced`, or None: it is still the opened file. Takes microseconds."""
        if self.opened is None:
            return None
        here = file_id(self.path)
        return "missing" if here is None else None if here == self.opened else "replaced"

    def checkpoint(self) -> None:
        """Copy committed pages from the log into the file, so that moving the file moves all data. Safe in any thread.

        Raises:
            sqlite3.Error: another process blocks it, or the disk is full; the data stays in the log.
        """
        try:
            status = os.stat(self.log)
        except OSError:
            return
        if (status.st_dev, status.st_ino) != self._log and not self.problem():
            self.remember()  # SQLite created a new log
        now = status.st_size, status.st_mtime_ns
        if not status.st_size or now == self._checkpointed or self.problem():
            return
        with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=1)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._checkpointed = now

    def close(self) -> None:
        """After the last process has closed it: copy the log into the file."""
        if not self.path.is_file() or not self.owns_log():
            return
        with closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=5)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # Before it is opened.

    def sort_logs(self, ours: bool = True) -> None:
        """Set a log aside whose file was removed, before SQLite deletes it or applies it to another file; restore it
        when its file is back.

        Args:
            ours: count a connection of this process as using the log, unless it is to a removed file.
        """
        if self.log.exists() and not self.owns_log() and not (ours and self.is_open_here()) and not self.in_use():
            aside = self.path.with_name(f"{self.path.name}{ASIDE}-{file_of(self.owner())}")
            os.replace(self.log, aside)
            self.path.with_name(f"{self.path.name}-shm").unlink(missing_ok=True)
            logger.error(
                "%s belongs to a database file that is not here any more: it was set aside as %s", self.log, aside
            )
        mine = self.path.with_name(f"{self.path.name}{ASIDE}-{file_of({'file': file_id(self.path)})}")
        if mine.exists() and not self.log.exists():
            os.replace(mine, self.log)
            logger.info("%s is back, its log was restored", self.path)

    def is_open_here(self) -> bool:
        """Whether this process has the log open. Its own locks would not block it, and opening and closing the `-shm`
        file would drop them: SQLite in another process would then reset that file under our connections.
        """
        files = {file_id(self.log), file_id(self.path.with_name(f"{self.path.name}-shm"))} - {None}
        try:
            return any(file_id(Path("/proc/self/fd", number)) in files for number in os.listdir("/proc/self/fd"))
        except OSError:  # no /proc
            return False

    def in_use(self) -> bool:
        """Whether another process has the log open, by SQLite's lock on byte 128 of the `-shm` file."""
        try:
            with open(self.path.with_name(f"{self.path.name}-shm"), "rb+") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def owner(self) -> dict[str, object]:
        """The recorded file and log of when the server opened them; empty if unknown."""
        try:
            owner = json.loads(self.path.with_name(self.path.name + OWNER).read_bytes())
            return owner if isinstance(owner, dict) else {}
        except (OSError, ValueError):
            return {}

    def owns_log(self) -> bool:
        """Whether the log belongs to the present file, and not to a removed one. Both may have been copied."""
        owner = self.owner()
        log, file = file_id_from(owner.get("log")), file_id_from(owner.get("file"))
        return log is None or log != file_id(self.log) or file == file_id(self.path)


def file_id(path: Path) -> FileId | None:
    """Device and inode of a file; None: it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def file_id_from(value: object) -> FileId | None:
    """The same from JSON; None: invalid."""
    match value:
        case [int(device), int(number)]:
            return device, number
    return None


def file_of(owner: dict[str, object]) -> str:
    file = file_id_from(owner.get("file"))
    return f"{file[0]}-{file[1]}" if file else "unknown"
