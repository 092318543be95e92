"""Copies and removes files in small steps that yield to other requests."""

import os
import shutil
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from app.core.files import sync_file
from app.extensions import socketio
from app.jobs.environment import PASSED_ON

CHUNK = 256 * 1024
STEP_S = 0.005
POLL_S = 0.01
RELEASE = 8 * 1024**2


class Pacer:
    """Called between small steps of long work; yields every few milliseconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + STEP_S

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            socketio.sleep(0)
            self._next = time.monotonic() + STEP_S


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to the disk, so that renames into it are durable."""
    if run_quietly(["sync", str(folder)]) != 0:
        sync_file(folder)


def run_quietly(command: list[str]) -> int:
    """Run a command, yielding until it ends; its exit status, or 127 if it is not installed."""
    try:
        process = subprocess.Popen(
            command,
            env=PASSED_ON.select(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return 127
    while (status := process.poll()) is None:
        socketio.sleep(POLL_S)
    return status


def release(file: IO[bytes]) -> None:
    """Truncate an upload's unnamed file in steps: closing 200 MB at once blocked the loop for 120 ms. A file with a
    name is in use: a dataset's `original.zip`."""
    if file.writable() and not has_name(file):
        empty(file)


def empty(file: IO[bytes]) -> None:
    """Truncate a file in steps; yields to other requests."""
    for size in range(file.seek(0, 2), 0, -RELEASE):
        file.truncate(max(0, size - RELEASE))
        socketio.sleep(0)


def has_name(file: IO[bytes]) -> bool:
    try:
        return os.fstat(file.fileno()).st_nlink > 0
    except (OSError, AttributeError):  # in memory
        return False


def remove_tree(folder: Path) -> None:
    """Delete a folder with its contents; yields to other requests."""
    pacer = Pacer()
    for parent, _folders, names in os.walk(folder, topdown=False):
        for name in names:
            remove_file(os.path.join(parent, name))
            pacer()
    shutil.rmtree(folder, ignore_errors=True)


def remove_file(path: str) -> None:
    """Delete a file; a large one without other links in steps. A missing one is no error: two servers
    may remove the same leftovers."""
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size > RELEASE:
            with open(path, "rb+") as file:
                empty(file)
        os.unlink(path)
