"""The manifest of a backup, and its verification."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from app.core.json_object import JsonObject
from app.services.snapshots.errors import SnapshotError

FORMAT = 1
NAME, SEAL = "manifest.json", "manifest.sha256"
DATABASE, DATA, SECRET_KEY = "database.sqlite3", "data", "secret_key"
PIECE = 1024**2


@dataclass(frozen=True)
class File:
    """One file of the data folder.

    Args:
        path: below the data folder.
        bytes: its size.
        mtime_ns: modification time in ns since the epoch, which a restored file gets too.
        group: files of the same group are hard links to one file.
    """

    path: str
    sha256: str
    bytes: int
    mtime_ns: int
    group: str | None = None


@dataclass
class Manifest:
    """One backup.

    Args:
        id: of this backup.
        revision: of the database's tables.
        mark: installation.json of the data folder; None without one.
        tables: number of rows by table.
        own: SHA-256 of the files beside the data folder: the database and the secret key.
        links: symbolic links, by path.
        folders: empty ones.
    """

    id: str
    created: str
    version: str
    revision: str
    mark: JsonObject | None
    tables: dict[str, int]
    own: dict[str, str] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write the manifest into a complete backup."""
        text = json.dumps(asdict(self) | {"format": FORMAT}, ensure_ascii=True, indent=0).encode()
        (folder / NAME).write_bytes(text)
        (folder / SEAL).write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup and check its seal.

        Raises:
            SnapshotError: the folder is not a backup, or its manifest is damaged.
        """
        try:
            text = (folder / NAME).read_bytes()
            seal = (folder / SEAL).read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise SnapshotError(f"{folder} is not a whole backup: {error.strerror}: {error.filename}.") from error
        if hashlib.sha256(text).hexdigest() != seal:
            raise SnapshotError(f"The backup {folder} is damaged: {NAME} is not what {SEAL} says.")
        values = json.loads(text)
        if values.pop("format") != FORMAT:
            raise SnapshotError(f"{folder} was made by a newer version of the platform. Update this one first.")
        return cls(**values | {"files": [File(**item) for item in values["files"]]}).checked(folder)

    def checked(self, folder: Path) -> "Manifest":
        """Check that every path stays within the data folder.

        Raises:
            SnapshotError: a path would escape the data folder.
        """
        paths = [*(item.path for item in self.files), *self.links, *self.folders]
        if bad := [path for path in paths if not is_inside(path)]:
            raise SnapshotError(f"The backup {folder} is not used: {bad[0]!r} leads out of the data folder.")
        return self


def is_inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and path != ""


def verify(folder: Path) -> Iterator[str]:
    """Read every file; the names of those that are missing or differ from the manifest.

    Raises:
        SnapshotError: the manifest is invalid.
    """
    manifest = Manifest.read(folder)
    for name, sha256 in manifest.own.items():
        if sha256_of(folder / name) != sha256:
            yield name
    for item in manifest.files:
        if sha256_of(folder / DATA / item.path) != item.sha256:
            yield f"{DATA}/{item.path}"


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a file as the disk has it; None: it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that synced data is read from the disk
            while piece := file.read(PIECE):
                digest.update(piece)
    except OSError:
        return None
    return digest.hexdigest()
