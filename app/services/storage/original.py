"""Stores an upload unchanged."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from app.services.storage.unpack import CHUNK


def save_original(file: IO[bytes], target: Path, pause: Callable[[], None]) -> bool:
    """Link an upload's file to a name, without copying; copy it if it is on another file system.

    Returns: whether `file` and `target` are now the same file.
    """
    file.seek(0)  # flush buffered bytes to the file
    try:
        here = os.open("/", os.O_RDONLY)
        try:  # with a directory descriptor this is linkat, which follows /proc's link to an unnamed file
            os.link(f"/proc/self/fd/{file.fileno()}", target, src_dir_fd=here, follow_symlinks=True)
        finally:
            os.close(here)
        return True
    except (OSError, AttributeError):  # another file system, no /proc, or a file in memory (io.UnsupportedOperation)
        pass
    with open(target, "xb") as output:
        while chunk := file.read(CHUNK):
            output.write(chunk)
            pause()
    return False
