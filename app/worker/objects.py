"""Each distinct image once: files named by their SHA-256, everything else is a hard link to them. No torch."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.files import file_hash, sync_file

# Another file system, one without hard links, or a file that has as many links as it can have.
NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES, errno.ENOSYS}


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy of it where that cannot be.

    Raises:
        FileExistsError: there is a `target`.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file atomically, on the disk."""
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
        folder: `data/objects`; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folders: set[str] = set()

    def path(self, sha256: str) -> Path:
        """Where the file with this hash is, if it is there."""
        return self.folder / sha256[:2] / sha256

    def add_file(self, path: Path, sha256: str) -> Path:
        """Store a file that is on the disk; the object. `path` becomes a link to it, its content stays as it is.

        Where the object has as many links as a file can have, `path` is left, and serves in its place.
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
        """Replace `path` by a link to the object; False when the object has gone or was damaged: try again."""
        try:
            object_stat, file_stat = stored.stat(), path.stat()
            if (object_stat.st_ino, object_stat.st_dev) == (file_stat.st_ino, file_stat.st_dev):
                return True
            if (
                object_stat.st_size != file_stat.st_size or file_hash(stored) != stored.name
            ):  # damaged: what we have is checked
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
        """Store what `write(draft)` writes; the object and its hash, on the disk."""
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
        """Store a file's content followed by `tail`, whose hash is known; the file itself stays as it is."""
        stored = self.path(sha256)
        if stored.exists() and file_hash(stored) == sha256:
            return stored

        def write(draft: Path) -> None:
            shutil.copyfile(path, draft)
            with open(draft, "ab") as file:
                file.write(tail)

        return self.add(write, sha256)[0]

    def _create_parent(self, sha256: str) -> Path:
        """The path of an object, in a folder that exists."""
        if sha256[:2] not in self._folders:
            (self.folder / sha256[:2]).mkdir(parents=True, exist_ok=True)
            self._folders.add(sha256[:2])
        return self.path(sha256)


def same(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except FileNotFoundError:
        return False
