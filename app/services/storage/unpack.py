"""Copies and removes files in small steps between which other clients are served."""

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
    """Called between small steps of a long job; lets others run every few milliseconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + STEP_S

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            socketio.sleep(0)
            self._next = time.monotonic() + STEP_S


def sync_folder(folder: Path) -> None:
    """Put a folder's own entries on the disk: what was renamed into it stays there."""
    if run_quietly(["sync", str(folder)]) != 0:
        sync_file(folder)


def run_quietly(command: list[str]) -> int:
    """Run a command and let others be served until it ends; its exit status, or 127 where there is none such."""
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
    """Give an upload's nameless file back to the disk in steps: closing 200 MB at once stopped the loop for 120 ms. One
    that has got a name is somebody's: a dataset's `original.zip`."""
    if not file.writable() or has_name(file):
        return
    for size in range(file.seek(0, 2), 0, -RELEASE):
        file.truncate(max(0, size - RELEASE))
        socketio.sleep(0)


def has_name(file: IO[bytes]) -> bool:
    try:
        return os.fstat(file.fileno()).st_nlink > 0
    except (OSError, AttributeError):  # in memory
        return False


def remove_tree(folder: Path) -> None:
    """Delete a folder and everything in it, letting others be served."""
    pacer = Pacer()
    for parent, _folders, names in os.walk(folder, topdown=False):
        for name in names:
            remove_file(os.path.join(parent, name))
            pacer()
    shutil.rmtree(folder, ignore_errors=True)


def remove_file(path: str) -> None:
    """Delete a file; a large one that has no other name in steps, see `release`. One that is gone is nobody's fault: a
    server that starts removes what the one before it was removing."""
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size > RELEASE:
            with open(path, "rb+") as file:
                release(file)
        os.unlink(path)
