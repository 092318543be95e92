"""Stores each distinct image once: files named by their SHA-256, to which all others are hard links. No torch."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.files import file_hash, sync_file

# Another file system, one without hard links, or the maximum number of links.
NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES, errno.ENOSYS}


def link(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy if that is not possible.

    Raises:
        FileExistsError: `target` exists.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file atomically, synced."""
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    draft = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        shutil.copyfile(source, draft)
        sync_file(draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


class Objects:
    """The store.

    Args:
        folder: `data/objects`, created if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folders: set[str] = set()

    def path(self, sha256: str) -> Path:
        """The path for the file with this hash."""
        return self.folder / sha256[:2] / sha256

    def add_file(self, path: Path, sha256: str) -> Path:
        """Store a synced file; returns the object. `path` becomes a link to it.

        If the object has the maximum number of links, `path` is unchanged and returned instead.
        """
        stored = self._create_parent(sha256)
        while True:
            try:
                os.link(path, stored)
            except FileExistsError:
                if self._merge(path, stored):
                    return stored if same(path, stored) else path
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
                return path
            else:
                return stored

    def _merge(self, path: Path, stored: Path) -> bool:
        """Replace `path` by a link to the object; False if the object was deleted or damaged: try again."""
        try:
            object_stat, file_stat = stored.stat(), path.stat()
            if (object_stat.st_ino, object_stat.st_dev) == (file_stat.st_ino, file_stat.st_dev):
                return True
            if (
                object_stat.st_size != file_stat.st_size or file_hash(stored) != stored.name
            ):  # damaged: the present file was verified
                stored.unlink()
                return False
            draft = path.with_name(f".{uuid.uuid4().hex}.tmp")
            os.link(stored, draft)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            return True
        os.replace(draft, path)
        return True

    def add(self, write: Callable[[Path], Any], sha256: str | None = None) -> tuple[Path, str]:
        """Store what `write(draft)` writes; the synced object and its hash."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{uuid.uuid4().hex}.tmp"
        try:
            write(draft)
            sync_file(draft)
            sha256 = sha256 or file_hash(draft)
            stored = self._create_parent(sha256)
            os.replace(draft, stored)
        finally:
            draft.unlink(missing_ok=True)
        return stored, sha256

    def with_tail(self, path: Path, tail: bytes, sha256: str) -> Path:
        """Store a file's contents followed by `tail`, with a known hash; the file itself is unchanged."""
        stored = self.path(sha256)
        if stored.exists() and file_hash(stored) == sha256:
            return stored

        def write(draft: Path) -> None:
            shutil.copyfile(path, draft)
            with open(draft, "ab") as file:
                file.write(tail)

        return self.add(write, sha256)[0]

    def _create_parent(self, sha256: str) -> Path:
        """The path of an object, whose parent folder is created."""
        if sha256[:2] not in self._folders:
            (self.folder / sha256[:2]).mkdir(parents=True, exist_ok=True)
            self._folders.add(sha256[:2])
        return self.path(sha256)


def same(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except FileNotFoundError:
        return False
