"""Folders opened part by part from handles, following no link: what is put in the way after a check leads nowhere."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Of a folder that is only passed through, which may be entered and not listed: /home often is one.
PASSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def descend(handle: int, parts: Sequence[str]) -> int:
    """The folder at these parts below a handle, which is closed.

    Raises:
        OSError: one of the parts is a link, no folder, or not there.
    """
    for number, part in enumerate(parts, 1):
        try:
            inner = os.open(part, FOLDER if number == len(parts) else PASSED, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def open_folder(path: Path) -> int:
    """A handle of a folder; `path`: absolute and without links, such as a resolved one.

    Raises:
        OSError: as `descend`.
    """
    return descend(os.open(path.anchor, FOLDER), path.parts[1:])


@contextmanager
def opened(handle: int) -> Iterator[int]:
    """A handle that is closed behind the block."""
    try:
        yield handle
    finally:
        os.close(handle)
