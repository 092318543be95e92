"""Keeps a copy of a data folder up to date while other processes write to it."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.services.installation.mark import NAMES
from app.services.snapshots.manifest import PIECE, File

WORKED_ON = {"tmp"}  # the server empties it at its start
LAST = "events.jsonl"  # what a child reports: everything else in the copy is then older than its reports, or as old
TRIES = 3  # attempts to copy a file that changes meanwhile

State = tuple[int, int, int, int]  # device, inode, size, modification time


@dataclass
class Mirror:
    """A copy of the data folder. Each `update` copies what has changed since.

    Args:
        source: the data folder. target: the copy, a folder of its own.
        excluded: whether a path below the data folder is never copied.
    """

    source: Path
    target: Path
    excluded: Callable[[str], bool] = lambda _path: False
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    _states: dict[str, State] = field(default_factory=dict)
    _named: dict[State, str] = field(default_factory=dict)  # hard-linked files, by one of their names

    def update(self, included: Callable[[str], bool]) -> None:
        """Copy new and changed files, and remove deleted and excluded ones.

        Files of events are copied after all others: an epoch whose checkpoint is in the copy, but not its event, would
        never have a row. The other way round, the epoch is repeated.

        Args:
            included: whether a path below the data folder is copied.

        Raises:
            OSError: a file cannot be written or read.
        """
        copied: set[str] = set()
        events: list[str] = []
        self.links, self.folders = {}, []
        for path, status in walk(self.source, lambda path: included(path) and not self.excluded(path)):
            if stat.S_ISLNK(status.st_mode):
                self.link(path)
            elif stat.S_ISDIR(status.st_mode):
                self.folders.append(path)
            elif path.rpartition("/")[2] == LAST:
                events.append(path)
            elif self.copy_if_changed(path, status):
                copied.add(path)
        copied.update(path for path in events if self.copy_present(path))
        for path in self.files.keys() - copied:
            self.forget(path)

    def link(self, path: str) -> None:
        try:
            self.links[path] = os.readlink(self.source / path)
        except OSError:  # deleted or replaced at this moment: the next update sees it
            pass

    def copy_present(self, path: str) -> bool:
        """`copy_if_changed`, as the file is now; False: it was deleted."""
        try:
            status = (self.source / path).lstat()
        except FileNotFoundError:
            return False
        return self.copy_if_changed(path, status)

    def copy_if_changed(self, path: str, status: os.stat_result) -> bool:
        """Update a file of the copy; False: it was deleted."""
        state = state_of(status)
        if self._states.get(path) == state:
            return True
        first = self._named.get(state) if status.st_nlink > 1 else None
        if first is not None and self._states.get(first) == state and self.same(first, path):
            self.files[path] = File(**vars(self.files[first]) | {"path": path})
        elif not self.copy(path, status):
            return False
        self._states[path] = state
        if status.st_nlink > 1:
            self._named[state] = path
        return True

    def same(self, first: str, path: str) -> bool:
        """Add a hard link in the copy; returns whether the file system supports it."""
        target = self.target / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(self.target / first, target)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            return False
        return True

    def copy(self, path: str, status: os.stat_result) -> bool:
        group = f"{status.st_dev}:{status.st_ino}" if status.st_nlink > 1 else None
        target = self.target / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # unlinked first, since it may be a hard link
        try:
            sha256, size, time_ns = copy_file(self.source / path, target)
        except FileNotFoundError:
            return False
        self.files[path] = File(path, sha256, size, time_ns, group)
        return True

    def forget(self, path: str) -> None:
        (self.target / path).unlink(missing_ok=True)
        del self.files[path]
        self._states.pop(path, None)


def state_of(status: os.stat_result) -> State:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def walk(root: Path, included: Callable[[str], bool], below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """(path, state) of files, symbolic links and empty folders."""
    count = 0
    for entry in entries(root / below):
        path = f"{below}/{entry.name}" if below else entry.name
        count += 1
        if (not below and entry.name in {*WORKED_ON, *NAMES}) or not included(path):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from walk(root, included, path)
        elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            yield path, status
    if not count and below:
        yield from empty_folder(root / below, below)


def empty_folder(folder: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    """A folder as an entry without contents, if it is empty."""
    try:
        yield below, folder.lstat()
    except FileNotFoundError:
        pass


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder; none if it was deleted."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):  # deleted meanwhile
        return []


def copy_file(source: Path, target: Path) -> tuple[str, int, int]:
    """Copy a file's present contents; (SHA-256, bytes, mtime in ns). A prefix of an append-only file is consistent; a
    file that is rewritten during the copy is copied again.
    """
    for _ in range(TRIES):
        copied, changed = copy_once(source, target)
        if not changed:
            break
    os.utime(target, ns=(copied[2], copied[2]))
    return copied


def copy_once(source: Path, target: Path) -> tuple[tuple[str, int, int], bool]:
    """Copy a file; its hash, size and mtime, and whether it changed during the copy."""
    digest = hashlib.sha256()
    with open(source, "rb") as file, open(target, "wb") as copied:
        before = os.fstat(file.fileno())
        remaining = before.st_size
        while remaining and (piece := file.read(min(PIECE, remaining))):
            digest.update(piece)
            copied.write(piece)
            remaining -= len(piece)
        after = os.fstat(file.fileno())
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    return (digest.hexdigest(), before.st_size - remaining, before.st_mtime_ns), changed
