"""Checks free disk space before writing."""

import shutil
from pathlib import Path

from app.worker.failures import InvalidInput


def check_space(folder: Path, needed: int, min_free: int) -> None:
    """Check that the disk has space for a write.

    Args:
        needed: bytes to be written below the folder.
        min_free: bytes that must stay free.

    Raises:
        InvalidInput: there is not enough space.
    """
    free = shutil.disk_usage(folder).free
    if free - needed < min_free:
        raise InvalidInput("no_space", free=free, needed=needed, kept=min_free)
