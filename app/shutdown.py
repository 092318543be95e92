"""Ends gunicorn's master: jobs are asked to pause (ON_SHUTDOWN=stop), the database is closed.

The master never imports the application, and must not begin at its end: Flask and SQLAlchemy take a second of processor
time, which a loaded machine gives in twenty.
"""

import logging
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from app.config import Settings, database_uri
from app.core.children import MAINS
from app.core.setting_values import sqlite_file
from app.database_file import DatabaseFile

logger = logging.getLogger("yolo.database")


def finish(settings: Settings, seconds: Callable[[], float]) -> int:
    """Finish a server whose workers have ended; how many jobs had to be killed.

    Trainings go on at the next start, and jobs begin again: nobody else asked them to stop. One that was killed goes on
    from its newest checkpoint.

    Args:
        seconds: that are left for jobs to pause.
    """
    stops = settings.ON_SHUTDOWN == "stop" and not settings.REDIS_URL  # another process goes on with them
    processes = ask_to_pause(settings.DATA_ROOT) if stops else []
    close_database(database_uri(settings.DATABASE_URL))
    remaining = wait_for_end(processes, seconds)
    for process in remaining:
        kill(process)
    return len(remaining)


def ask_to_pause(data: Path) -> list[psutil.Process]:
    """Ask every training and job below the data folder; their processes."""
    running = list(children(data))
    for _, directory in running:
        draft = directory / ".stop.tmp"
        try:
            draft.write_text("pause", encoding="ascii")
            os.replace(draft, directory / "stop")
        except OSError as error:  # a full disk, say: it is killed when the time is over
            logger.warning("%s is not asked to pause: %s", directory, error)
    return [process for process, _ in running]


def wait_for_end(processes: Iterable[psutil.Process], seconds: Callable[[], float]) -> list[psutil.Process]:
    """The processes that still run when no seconds remain."""
    remaining = [process for process in processes if alive(process)]
    while remaining and seconds() > 0:
        time.sleep(0.1)
        remaining = [process for process in remaining if alive(process)]
    return remaining


def kill(process: psutil.Process) -> None:
    """End a process and those that it started; it leads a group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL) if os.getpgid(process.pid) == process.pid else process.kill()
    except (ProcessLookupError, psutil.Error):
        pass


def close_database(address: str) -> None:
    """Bring SQLite's log into its file, so that whoever copies or moves the file has all of it."""
    path = sqlite_file(address)
    if path is None:
        return
    try:
        DatabaseFile(path).close()
    except sqlite3.Error as error:  # another process has it open; the log keeps what it holds
        logger.warning("%s: its log stays: %s", path, error)


def children(data: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """The processes of trainings and jobs below this folder, with their own folders."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if MAINS.intersection(command) and Path(command[-1]).is_relative_to(data):
            yield process, Path(command[-1])


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
