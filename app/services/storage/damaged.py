"""Sets unreadable files of the data folder aside under another name, so that they are preserved and nothing reads them.

Whatever the platform writes can come back cut, empty or as garbage: after a crash, from a disk, by hand. The page of
what the file belongs to lists what was set aside there.
"""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger("yolo.storage")

SUFFIX = ".damaged"


def set_file_aside(path: Path, reason: object = "") -> None:
    """Rename a damaged file, once; where the disk refuses, it stays."""
    target = path.with_name(f"{path.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}{SUFFIX}")
    try:
        os.replace(path, target)
    except OSError as error:
        logger.error("%s is damaged%s, and cannot be set aside: %s", path, because(reason), error)
        return
    logger.error("%s is damaged%s: set aside as %s", path, because(reason), target.name)


def remove_copies(path: Path) -> None:
    """Remove the damaged copies of a file that was rebuilt."""
    for name in names_in(path.parent):
        if name.removesuffix(SUFFIX).rsplit("-", 3)[0] == path.name:
            (path.parent / name).unlink(missing_ok=True)


def because(reason: object) -> str:
    return f" ({reason})" if str(reason) else ""


def damaged_in(folders: Iterable[Path]) -> list[str]:
    """The names that damaged files had, each with its folder's where that is not the first."""
    names: dict[str, None] = {}
    root: Path | None = None
    for folder in folders:
        root = root or folder
        for name in names_in(folder):
            original = name.removesuffix(SUFFIX).rsplit("-", 3)[0]
            names[original if folder == root else f"{folder.name}/{original}"] = None
    return sorted(names)


def names_in(folder: Path) -> list[str]:
    """Files of a folder that were set aside as damaged."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(SUFFIX)]
    except OSError:
        return []
