"""Atomic and synced writes of files, and hashes of files."""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_hash(path: Path) -> str:
    """SHA-256 of a file, read again only when its modification time or size has changed.

    Raises:
        OSError: it cannot be read.
    """
    stat = path.stat()
    return _hash_at(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _hash_at(path: Path, _changed_ns: int, _size: int) -> str:
    return file_hash(path)


def sync_file(path: Path) -> None:
    """Flush a file, or a folder's own entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_and_replace(draft: Path, path: Path) -> None:
    """Sync a finished draft and move it to `path`; after a crash, there is the old file or the new one."""
    sync_file(draft)
    os.replace(draft, path)


def atomic_write(path: Path, write: Callable[[Path], Any]) -> None:
    """Have `write(draft)` write a draft, sync it, then rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    try:
        write(draft)
        sync_and_replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def atomic_write_text(path: Path, text: str) -> None:
    """Write a small file atomically to an existing folder; concurrent writers are allowed.

    Raises:
        OSError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        sync_and_replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
