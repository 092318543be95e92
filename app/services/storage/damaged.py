"""Sets unreadable files of the data folder aside under another name, so that they are preserved but not read.

Any file of the platform may become truncated, empty or damaged: by a crash, a disk or a user. The page of the object
that a file belongs to lists its damaged files.
"""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger("yolo.storage")

SUFFIX = ".damaged"


def set_file_aside(path: Path, reason: object = "") -> None:
    """Rename a damaged file, once; if that fails, it stays."""
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
    """The original names of damaged files, with their folder's name except for the first folder."""
    names: dict[str, None] = {}
    root: Path | None = None
    for folder in folders:
        root = root or folder
        for name in names_in(folder):
            original = name.removesuffix(SUFFIX).rsplit("-", 3)[0]
            names[original if folder == root else f"{folder.name}/{original}"] = None
    return sorted(names)


def names_in(folder: Path) -> list[str]:
    """Files in a folder that were set aside as damaged."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(SUFFIX)]
    except OSError:
        return []
