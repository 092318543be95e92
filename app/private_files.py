"""Restricts files to the server's own user: database, data, logs, instance folder."""

import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask

from app.config import settings

logger = logging.getLogger("yolo.storage")

UMASK = 0o077
OPEN = stat.S_IRWXG | stat.S_IRWXO
OURS = ("app.log", "inference.log", "audit")  # including rotated ones


def restrict() -> None:
    """Make all new files of this process and its children private."""
    os.umask(UMASK)


def init_app(app: Flask) -> None:
    """Restrict what earlier versions left accessible. Deeper files in the data folder are unreachable from then on, and
    follow in `close_tree`.
    """
    config = settings(app)
    for folder in (config.INSTANCE_PATH, config.DATA_ROOT):
        close(folder)
    instance, logs = config.INSTANCE_PATH, config.LOG_DIR
    for path in entries(instance):
        close(path)
    close_logs(logs)
    if (file := app.extensions.get("database_file")) is not None:
        for path in file.path.parent.glob(f"{file.path.name}*"):
            close(path)


def close_logs(folder: Path) -> None:
    """Restrict the log files, and the folder only if it is ours alone: it may be /var/log."""
    logs = list(entries(folder))
    mine = [path for path in logs if path.name.startswith(OURS)]
    for path in mine if len(mine) < len(logs) else [folder, *mine]:
        close(path)


def close_tree(folder: Path, pacer: Callable[[], None]) -> int:
    """Restrict everything below a folder of an earlier version, in small steps; returns how many were open.

    Bottom-up: a restricted folder has no open contents, so that a later start can skip it.
    """
    if not any(is_open(path) for path in entries(folder)):
        return 0
    count = 0
    for parent, _folders, names in os.walk(folder, topdown=False):
        for path in (*(Path(parent, name) for name in names), Path(parent)):
            count += close(path)
            pacer()
    return count


def entries(folder: Path) -> Iterator[Path]:
    """The entries of a folder; none if it does not exist."""
    try:
        yield from folder.iterdir()
    except (FileNotFoundError, NotADirectoryError):
        return


def is_open(path: Path) -> bool:
    status = os.lstat(path)
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & OPEN)


def close(path: Path) -> bool:
    """Restrict one file; returns whether it was open to others. Files of other users are unchanged."""
    try:
        if not is_open(path):
            return False
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~OPEN)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        logger.warning("%s could not be made private: %s", path, error)
        return False
