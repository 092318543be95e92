"""Lists a data folder by kind and id, beside the database's rows."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.models import Dataset, Test, Training
from app.services.installation.mark import KINDS
from app.services.storage import StorageService

MODELS: dict[str, type[Dataset | Training | Test]] = {"dataset": Dataset, "training": Training, "test": Test}
FOLDERS = {"dataset": "datasets", "training": "models", "test": "tests"}
NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)
ASIDE = re.compile(r"(datasets|models|tests)-([1-9]\d{0,8})-[0-9a-f]{8}", re.ASCII)
BACKUP = re.compile(r"([1-9]\d{0,8})-.*", re.ASCII)

Ids = dict[str, set[int]]


@dataclass(frozen=True)
class Contents:
    """Ids by kind: `stored` have a folder, `recorded` have a row."""

    stored: Ids
    recorded: Ids

    @property
    def unknown(self) -> Ids:
        return {kind: self.stored[kind] - self.recorded[kind] for kind in KINDS}

    @property
    def has_rows(self) -> bool:
        return any(self.recorded.values())

    @property
    def has_folders(self) -> bool:
        return any(self.stored.values())


def list_contents(session: Any, storage: StorageService) -> Contents:
    """The present contents of both sides; only ids are read."""
    stored = {kind: set(stored_ids(storage.data_root / FOLDERS[kind])) for kind in KINDS}
    recorded = {kind: set(session.scalars(select(MODELS[kind].__table__.c.id))) for kind in KINDS}
    return Contents(stored, recorded)


def stored_ids(folder: Path) -> Iterator[int]:
    """The ids with a subfolder."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if NUMBER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield int(entry.name)
    except FileNotFoundError:
        return


def set_aside(storage: StorageService) -> Iterator[tuple[str, int, Path]]:
    """(kind, id, folder) of everything that was set aside without a row."""
    kinds = {folder: kind for kind, folder in FOLDERS.items()}
    for path in storage.orphans.iterdir() if storage.orphans.is_dir() else ():
        if match := ASIDE.fullmatch(path.name):
            yield kinds[match[1]], int(match[2]), path


def highest_ids(storage: StorageService, contents: Contents, backups: Path) -> dict[str, int]:
    """The highest id of each kind in the folder, the database or the backups."""
    highest = {kind: max(contents.stored[kind] | contents.recorded[kind], default=0) for kind in KINDS}
    for kind, number, _path in set_aside(storage):
        highest[kind] = max(highest[kind], number)
    for path in backups.iterdir() if backups.is_dir() else ():
        if match := BACKUP.fullmatch(path.name):
            highest["training"] = max(highest["training"], int(match[1]))
    return highest
