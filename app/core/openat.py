"""Opens folders part by part from descriptors, following no link: a path that is replaced after a check leads
nowhere.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A folder on the way may be traversable but not readable: /home often is.
PASSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def descend(handle: int, parts: Sequence[str]) -> int:
    """The descriptor of the folder at these parts below a descriptor, which is closed.

    Raises:
        OSError: a part is a link, not a folder, or missing.
    """
    for number, part in enumerate(parts, 1):
        try:
            inner = os.open(part, FOLDER if number == len(parts) else PASSED, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def open_folder(path: Path) -> int:
    """The descriptor of a folder; `path`: absolute and without links, such as a resolved one.

    Raises:
        OSError: as `descend`.
    """
    return descend(os.open(path.anchor, FOLDER), path.parts[1:])


@contextmanager
def opened(handle: int) -> Iterator[int]:
    """A descriptor that is closed after the block."""
    try:
        yield handle
    finally:
        os.close(handle)
