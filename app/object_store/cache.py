"""Versions of datasets on this host: fetched once, shared by all workers with the same folder, limited in size.

Each version has a lock. A reader and its children hold it shared, until the last of them ends; fetching and removing
need it exclusively. The modification time of the lock file is that of the last use.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.file_lock import FileLock
from app.core.files import atomic_write_text, file_hash
from app.object_store.bucket import Bucket
from app.object_store.errors import Corrupted
from app.object_store.packs import Version, fetch

logger = logging.getLogger("yolo.storage")

POLL_S = 0.2  # between two checks while another worker fetches the version
DESCRIPTION = "dataset.yaml"


class DiskTooFull(Exception):
    """The disk has not enough space for a version."""


@dataclass(frozen=True)
class Entry:
    """A version on this disk.

    Args:
        name: `{dataset}-{number}`. folder: its location. list_sha256: of its file list. size: bytes.
        boot: of the system boot in which its hashes were verified: files may not have been synced, so after a power
            loss they are verified again.
    """

    name: str
    folder: Path
    list_sha256: str
    size: int
    boot: str


class HostCache:
    """
    Args:
        root: of the lists and locks. data: the folder that contains the versions.
        limit: total bytes of versions; those that running jobs read may exceed it. 0: unlimited.
        reserve: bytes of the disk that stay free.
        installed: called with dataset and number of a version that was moved to its folder, which its dataset.yaml
            names.
    """

    def __init__(
        self,
        root: Path,
        data: Path,
        limit: int,
        reserve: int,
        installed: Callable[[int, int], object] = lambda _dataset_id, _number: None,
    ) -> None:
        self.installed = installed
        self.root, self.data, self.limit, self.reserve = root, data, limit, reserve

    def hold(
        self, bucket: Bucket, name: str, folder: Path, content: bytes, list_sha256: str, check: Callable[[], object]
    ) -> FileLock:
        """Provide a version in its folder, and prevent its removal while the returned lock is held by any process.

        Args:
            content: its sealed file list. check: called repeatedly; an exception ends the work.

        Raises:
            DiskTooFull: the disk has not enough space.
            Corrupted: the fetched bytes are not what was stored.
            NotStored: an object is missing.
            StoreAway: the store does not answer.
            OSError: a file cannot be written.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.lock_path(name))
        while True:
            if lock.acquire(shared=True):
                if self.is_here(name, list_sha256):
                    os.utime(lock.path)
                    return lock
                lock.release()
            if lock.acquire():
                try:
                    self.fill(bucket, name, folder, content, list_sha256, check)
                finally:
                    # acquired again as shared in the next pass; if the version is removed in between, it is fetched
                    # again
                    lock.release()
            else:
                check()
                time.sleep(POLL_S)

    def fill(
        self, bucket: Bucket, name: str, folder: Path, content: bytes, list_sha256: str, check: Callable[[], object]
    ) -> None:
        """Fetch a version to a draft folder, then rename that."""
        if self.is_here(name, list_sha256):
            return
        version = Version.of(content)
        entry = self.entry(name)
        if entry is not None and entry.list_sha256 == list_sha256 and is_unchanged(version, entry.folder, check):
            self.note(name, folder, list_sha256, version.size)
            return
        self.forget(name)
        draft = self.root / f"{name}-{list_sha256[:16]}.part"
        self.free_space(version.size, name)
        dataset = name.partition("-")[0]
        try:
            with self.related(dataset, name) as here:
                fetch(bucket, version, draft, here, check)
        except Corrupted:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            self.remove_folder(folder)
        os.replace(draft, folder)
        self.installed(*map(int, name.split("-")))
        for leftover in self.root.glob(f"{name}-*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        (self.list_path(name)).write_bytes(content)
        self.note(name, folder, list_sha256, version.size)
        logger.info("dataset version %s: %d files, %d bytes fetched", name, len(version.parts), version.size)

    def lock_path(self, name: str) -> Path:
        return self.root / f"version-{name}.lock"

    def about_path(self, name: str) -> Path:
        return self.root / f"version-{name}.json"

    def list_path(self, name: str) -> Path:
        return self.root / f"version-{name}.files"

    def is_here(self, name: str, list_sha256: str) -> bool:
        """Whether the hashes of a version were verified since the system was booted."""
        entry = self.entry(name)
        if entry is None or (entry.list_sha256, entry.boot) != (list_sha256, boot_id()):
            return False
        return (entry.folder / "images").is_dir()

    def note(self, name: str, folder: Path, list_sha256: str, size: int) -> None:
        """Record that a version is complete."""
        relative = folder.relative_to(self.data).as_posix()
        about = {"folder": relative, "list_sha256": list_sha256, "size": size, "boot": boot_id()}
        atomic_write_text(self.about_path(name), json.dumps(about))

    def related(self, dataset: str, name: str) -> "Related":
        return Related(self, [entry for entry in self.entries() if entry.name.startswith(f"{dataset}-")], name)

    def entry(self, name: str) -> Entry | None:
        """The record of a version; None: missing or unreadable."""
        try:
            about = json.loads((self.about_path(name)).read_bytes())
            folder, size = self.data / about["folder"], int(about["size"])
            return Entry(name, folder, about["list_sha256"], size, about["boot"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self.root.glob("version-*.json")):
            if (entry := self.entry(path.stem.removeprefix("version-"))) is not None:
                yield entry

    def free_space(self, needed: int, name: str) -> None:
        """Remove unused versions, the least recently used first.

        Raises:
            DiskTooFull: the disk is too full.
        """
        entries = [entry for entry in self.entries() if entry.name != name]
        total = sum(entry.size for entry in entries)
        for entry in sorted(entries, key=self.last_used_at):
            enough = shutil.disk_usage(self.root).free - needed >= self.reserve
            if enough and (not self.limit or total + needed <= self.limit):
                return
            lock = FileLock(self.lock_path(entry.name))
            if lock.acquire():
                try:
                    self.forget(entry.name)
                    total -= entry.size
                finally:
                    lock.release()
        free = shutil.disk_usage(self.root).free
        if free - needed < self.reserve:
            raise DiskTooFull(f"the dataset has {needed} bytes, and {free} are free")

    def last_used_at(self, entry: Entry) -> float:
        try:
            return (self.lock_path(entry.name)).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def forget(self, name: str) -> None:
        """Remove a version; the caller must hold its lock exclusively."""
        entry = self.entry(name)
        (self.about_path(name)).unlink(missing_ok=True)
        (self.list_path(name)).unlink(missing_ok=True)
        if entry is not None:
            self.remove_folder(entry.folder)
            logger.info("dataset version %s: removed from this host, %d bytes", name, entry.size)

    def remove_folder(self, folder: Path) -> None:
        """Rename a folder away at once, then delete it."""
        aside = self.root / f"removed-{os.urandom(6).hex()}"
        try:
            os.replace(folder, aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)


class Related:
    """Files of other versions of a dataset on this disk, by their SHA-256; a context in which they are not removed."""

    def __init__(self, cache: HostCache, entries: list[Entry], name: str) -> None:
        self.cache, self.entries = cache, [entry for entry in entries if entry.name != name]
        self._locks: list[FileLock] = []

    def __enter__(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for entry in self.entries:
            lock = FileLock(self.cache.lock_path(entry.name))
            if not lock.acquire(shared=True):
                continue
            self._locks.append(lock)
            try:
                version = Version.of((self.cache.list_path(entry.name)).read_bytes())
            except (OSError, Corrupted):
                continue
            # Files that a job may write to are not shared.
            paths |= {
                part.sha256: entry.folder / part.path for part in version.parts if part.path.startswith("images/")
            }
        return paths

    def __exit__(self, *_error: object) -> None:
        for lock in self._locks:
            lock.release()


def is_unchanged(version: Version, folder: Path, check: Callable[[], object]) -> bool:
    """Whether the files in a folder are those of a version, except for dataset.yaml, which names the folder."""
    try:
        for part in version.parts:
            check()
            if part.path != DESCRIPTION and file_hash(folder / part.path) != part.sha256:
                return False
    except FileNotFoundError:
        return False
    return True


def boot_id() -> str:
    """An id that is new at each boot of the system."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
