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
OURS = ("app.log", "inference.log", "audit")  # and what they are rotated to


def restrict() -> None:
    """Whatever this process and its children make from now on is private."""
    os.umask(UMASK)


def init_app(app: Flask) -> None:
    """Close what earlier versions left open. What lies deeper in the data folder is out of reach then: `close_tree`."""
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
    """The folder only where it is ours alone: it may be /var/log."""
    logs = list(entries(folder))
    mine = [path for path in logs if path.name.startswith(OURS)]
    for path in mine if len(mine) < len(logs) else [folder, *mine]:
        close(path)


def close_tree(folder: Path, pacer: Callable[[], None]) -> int:
    """Close everything below a folder of an earlier version, in small steps; how much was open.

    From the leaves up: a folder that is closed has nothing open in it, so that a later start need not look again.
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
    """What is in a folder; nothing where there is none."""
    try:
        yield from folder.iterdir()
    except (FileNotFoundError, NotADirectoryError):
        return


def is_open(path: Path) -> bool:
    status = os.lstat(path)
    return not stat.S_ISLNK(status.st_mode) and bool(status.st_mode & OPEN)


def close(path: Path) -> bool:
    """Whether it was open to others; what is not ours stays as it is."""
    try:
        if not is_open(path):
            return False
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~OPEN)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        logger.warning("%s stays readable by others: %s", path, error)
        return False
