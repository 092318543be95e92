"""Adopts the folders of a data folder into a database that has no rows for them."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.database import writing
from app.extensions import db
from app.schemas.installation import Decided
from app.services import about
from app.services.datasets.dataset_about import describe
from app.services.installation.adopt_datasets import dataset_rows
from app.services.installation.adopt_trainings import test_rows, training_rows
from app.services.installation.belonging import foreign_folders
from app.services.installation.contents import FOLDERS, MODELS, Contents, Ids
from app.services.installation.mark import KINDS
from app.services.installation.orphans import refuse_running, set_folder_aside
from app.services.storage import StorageService

logger = logging.getLogger("yolo.installation")


@dataclass
class Numbers:
    """The ids of adopted folders: their own, or the next free one if another row of this database has that id.

    Args:
        foreign: rows of this database are about other folders, even with the same id.
        chosen: the folders that get ids; the others keep theirs.
    """

    contents: Contents
    foreign: bool = False
    chosen: Ids = field(default_factory=dict)
    assigned: dict[str, dict[int, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def new(self, kind: str, old: int) -> int:
        used = self.contents.recorded[kind] | self.contents.stored[kind] | set(self.assigned[kind].values())
        number = old if old not in self.contents.recorded[kind] else max(used) + 1
        self.assigned[kind][old] = number
        return number

    def of(self, kind: str, old: int) -> int | None:
        """The present id for a former one; None: it was not adopted."""
        stays = old in self.contents.stored[kind] and old not in self.chosen.get(kind, set())
        same = old in self.contents.recorded[kind] and (stays or not self.foreign)
        return self.assigned[kind].get(old, old if same else None)


RowFactory = Callable[[Any, Path, int, Numbers], None]
MAKERS: dict[str, RowFactory] = {"dataset": dataset_rows, "training": training_rows, "test": test_rows}


def adopt_folders(storage: StorageService, contents: Contents, foreign: bool) -> Decided:
    """Adopt each folder in its own transaction: a damaged one is set aside and does not stop the others.

    Args:
        foreign: the database has its own rows with the same ids: those of the folder get new ones.

    Returns: how many of each kind were `adopted`, and how many had to be `set_aside`.

    Raises:
        Conflict: folders must be renamed, and a training process works in one of them.
    """
    chosen = foreign_folders(db.session, storage, contents) if foreign else contents.unknown
    db.session.rollback()
    if foreign:
        refuse_running(storage)
    numbers = Numbers(contents, foreign, chosen)
    adopted, aside = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        for old in sorted(chosen[kind]):
            if adopt_one(storage, kind, old, numbers):
                adopted[kind] += 1
            else:
                numbers.assigned[kind].pop(old, None)
                aside[kind] += set_folder_aside(storage, kind, old)
    return {"adopted": adopted, "set_aside": aside}


def adopt_one(storage: StorageService, kind: str, old: int, numbers: Numbers) -> bool:
    """Add the rows and, if the id changes, rename the folder; both or neither."""
    root = storage.data_root / FOLDERS[kind]
    new, moved = numbers.new(kind, old), False
    try:
        with writing() as session:
            MAKERS[kind](session, root / str(old), new, numbers)
            session.flush()
            if new != old:
                os.rename(root / str(old), root / str(new))
                moved = True
    except Exception as error:
        if moved:
            os.rename(root / str(new), root / str(old))
        logger.warning("%s %d could not be adopted: %s: %s", kind, old, type(error).__name__, error)
        return False
    rewrite_description(storage, kind, new)
    logger.info("%s %d adopted%s", kind, old, f" as {new}" if new != old else "")
    return True


def rewrite_description(storage: StorageService, kind: str, number: int) -> None:
    """Rewrite about.json, so that an interrupted decision adopts nothing twice."""
    if kind == "dataset":
        describe(storage, number)
        return
    row = db.session.get(MODELS[kind], number)
    if row is not None:
        about.write(storage.data_root / FOLDERS[kind] / str(number), kind, row)
    db.session.rollback()
