"""Caches the SHA-256 of files by their modification time and size."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from app.services.backup.files import hash_of
from app.threads import run_blocking


def hashed(path: Path) -> str | None:
    """Others are served meanwhile.

    Raises:
        OSError: there is no such file.
    """
    stat = path.stat()
    return run_blocking(hash_at, path, stat.st_mtime_ns, stat.st_size)


def is_replaced(path: Path, sha256: str | None, since: datetime) -> bool:
    """Whether a file that had this SHA-256 then has another one now.

    Args:
        sha256: None: nobody knows what it was. since: what has not changed later need not be read.
    """
    try:
        if sha256 is None or path.stat().st_mtime <= since.timestamp():
            return False
        return hashed(path) not in {sha256, None}
    except OSError:  # gone
        return False


@lru_cache(maxsize=512)
def hash_at(path: Path, _changed_ns: int, _size: int) -> str | None:
    return hash_of(path)
