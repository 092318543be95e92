"""What trainings and other jobs do when the server is stopped (ON_SHUTDOWN).

No database: gunicorn's master calls this at its end.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from sqlalchemy import make_url

from app.database_file import DatabaseFile

logger = logging.getLogger("yolo.database")

PROGRAMS = {"app.worker.train", "app.worker.run"}
ASK_S = 15.0  # with gunicorn's own 5 s of grace this stays below the 25 s after which a supervisor would kill us


def stop_children(data: Path, wait: Callable[[float], None] = time.sleep) -> int:
    """Ask every training and job below the data folder to pause, and wait until checkpoints are safe; how many did not
    end.

    Trainings go on at the next start, jobs begin again: nobody else asked them to stop.
    """
    found = list(children(data))
    for _, directory in found:
        draft = directory / ".stop.tmp"
        draft.write_text("pause", encoding="ascii")
        os.replace(draft, directory / "stop")
    until = time.monotonic() + ASK_S
    left = [process for process, _ in found]
    while left and time.monotonic() < until:
        wait(0.1)
        left = [process for process in left if alive(process)]
    return len(left)


def close_database(address: str) -> None:
    """Bring SQLite's log into its file, so that whoever copies or moves the file has all of it."""
    url = make_url(address)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    try:
        DatabaseFile(Path(url.database)).close()
    except sqlite3.Error as error:  # another process has it open; the log keeps what it holds
        logger.warning("%s keeps its log: %s", url.database, error)


def children(data: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """The processes of trainings and jobs below this folder, with their own folders."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if PROGRAMS.intersection(command) and Path(command[-1]).is_relative_to(data):
            yield process, Path(command[-1])


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
