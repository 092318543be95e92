"""Sets folders without a row aside, and restores them when the row is back; none is overwritten or removed."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from app.errors import Conflict
from app.extensions import db
from app.schemas.installation import Decided
from app.services.installation import texts
from app.services.installation.belonging import belongs, foreign_folders
from app.services.installation.contents import FOLDERS, MODELS, Contents, set_aside
from app.services.installation.mark import KINDS
from app.services.storage import StorageService
from app.shutdown import children

logger = logging.getLogger("yolo.installation")


def reconcile(storage: StorageService, contents: Contents) -> None:
    """At the start of a server with the right database."""
    restore_folders(storage, contents)
    for kind in KINDS:
        for number in sorted(contents.unknown[kind]):
            set_folder_aside(storage, kind, number)


def set_folder_aside(storage: StorageService, kind: str, number: int) -> bool:
    """Set a folder aside; returns whether that succeeded. A failure is logged."""
    try:
        storage.set_aside(storage.data_root / FOLDERS[kind] / str(number))
        return True
    except OSError as error:
        logger.error("the folder of %s %d has no row and cannot be set aside: %s", kind, number, error)
        return False


def set_all_aside(storage: StorageService, contents: Contents, foreign: bool) -> Decided:
    """Set aside every folder without a row in this database; how many of each kind.

    Raises:
        Conflict: a training process works in one of them.
    """
    refuse_running(storage)
    chosen = foreign_folders(db.session, storage, contents) if foreign else contents.unknown
    db.session.rollback()
    return {
        "set_aside": {
            kind: sum(set_folder_aside(storage, kind, number) for number in sorted(chosen[kind])) for kind in KINDS
        }
    }


def refuse_running(storage: StorageService) -> None:
    if running := sum(1 for _ in children(storage.models)):
        raise Conflict(texts.still_running(running))


def restore_folders(storage: StorageService, contents: Contents) -> None:
    """Restore folders that were set aside, if their rows have none."""
    folders_by_row: dict[tuple[str, int], list[Path]] = {}
    for kind, number, path in set_aside(storage):
        if number in contents.recorded[kind] and number not in contents.stored[kind]:
            folders_by_row.setdefault((kind, number), []).append(path)
    for (kind, number), paths in folders_by_row.items():
        row = db.session.get(MODELS[kind], number)
        mine = next((path for path in newest_first(paths) if row is not None and belongs(row, path)), None)
        if mine is not None:
            bring_back(storage, kind, number, mine)
    db.session.rollback()


def bring_back(storage: StorageService, kind: str, number: int, path: Path) -> None:
    """Rename a folder back that was set aside; a failure is logged."""
    try:
        os.rename(path, storage.data_root / FOLDERS[kind] / str(number))
        logger.info("restored the folder of %s %d: %s", kind, number, path.name)
    except OSError as error:
        logger.error("%s cannot be restored: %s", path, error)


def newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
