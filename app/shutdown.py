"""Ends gunicorn's master: requests jobs to pause (ON_SHUTDOWN=stop), and closes the database.

The master never imports the application, not even now: Flask and SQLAlchemy take a second of CPU time, which may last
twenty on a loaded machine.
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
    """Finish a server whose workers have ended; returns how many jobs had to be killed.

    Trainings resume at the next start, and jobs start again. A killed training resumes from its newest checkpoint.

    Args:
        seconds: left for jobs to pause.
    """
    # with several processes, another one continues with them
    stops = settings.ON_SHUTDOWN == "stop" and not settings.REDIS_URL
    processes = ask_to_pause(settings.DATA_ROOT) if stops else []
    close_database(database_uri(settings.DATABASE_URL))
    remaining = wait_for_end(processes, seconds)
    for process in remaining:
        kill(process)
    return len(remaining)


def ask_to_pause(data: Path) -> list[psutil.Process]:
    """Request a pause of every training and job below the data folder; returns their processes."""
    running = list(children(data))
    for _, directory in running:
        draft = directory / ".stop.tmp"
        try:
            draft.write_text("pause", encoding="ascii")
            os.replace(draft, directory / "stop")
        except OSError as error:  # for example a full disk: it is killed when the time is over
            logger.warning("the pause of %s could not be requested: %s", directory, error)
    return [process for process, _ in running]


def wait_for_end(processes: Iterable[psutil.Process], seconds: Callable[[], float]) -> list[psutil.Process]:
    """The processes that still run when the time is over."""
    remaining = [process for process in processes if alive(process)]
    while remaining and seconds() > 0:
        time.sleep(0.1)
        remaining = [process for process in remaining if alive(process)]
    return remaining


def kill(process: psutil.Process) -> None:
    """Kill a process and its descendants; it leads its own process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL) if os.getpgid(process.pid) == process.pid else process.kill()
    except (ProcessLookupError, psutil.Error):
        pass


def close_database(address: str) -> None:
    """Copy SQLite's log into its file, so that copying or moving the file includes all data."""
    path = sqlite_file(address)
    if path is None:
        return
    try:
        DatabaseFile(path).close()
    except sqlite3.Error as error:  # another process has it open; the log keeps its data
        logger.warning("%s: its log could not be checkpointed: %s", path, error)


def children(data: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """The processes of trainings and jobs below this folder, with their folders."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if MAINS.intersection(command) and Path(command[-1]).is_relative_to(data):
            yield process, Path(command[-1])


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
