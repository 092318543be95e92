"""Hashes files without blocking requests."""

from datetime import datetime
from pathlib import Path

from app.core.files import cached_hash
from app.threads import run_blocking


def hash_file(path: Path) -> str:
    """SHA-256 of a file; yields to other requests.

    Raises:
        OSError: the file is missing or unreadable.
    """
    return run_blocking(cached_hash, path)


def is_replaced(path: Path, sha256: str | None, since: datetime) -> bool:
    """Whether a file that had this SHA-256 at a time has another one now.

    Args:
        sha256: None: unknown. since: that time; a file without a later change need not be read.
    """
    try:
        if sha256 is None or path.stat().st_mtime <= since.timestamp():
            return False
        return hash_file(path) != sha256
    except OSError:  # deleted
        return False
