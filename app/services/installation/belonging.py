"""Decides whether a folder belongs to a row, or to another installation's row with the same id."""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.models import Dataset, Test, Training
from app.services import about
from app.services.about import AboutDocument
from app.services.installation.contents import FOLDERS, MODELS, Contents, Ids
from app.services.installation.mark import KINDS, read
from app.services.storage import StorageService
from app.services.storage.names import read_yaml

logger = logging.getLogger("yolo.installation")


def foreign_folders(session: Any, storage: StorageService, contents: Contents) -> Ids:
    """The folders that belong to no row of this database.

    If the data folder was paired with another database, only about.json proves that a folder belongs to a row, since
    classes and sizes may be equal by chance. Without a pairing, they suffice.
    """
    foreign = {kind: set(numbers) for kind, numbers in contents.unknown.items()}
    if read(storage.data_root) is not None:
        return {kind: numbers | not_described(session, storage, contents, kind) for kind, numbers in foreign.items()}
    for kind in KINDS:
        for number in contents.stored[kind] & contents.recorded[kind]:
            row, path = session.get(MODELS[kind], number), storage.data_root / FOLDERS[kind] / str(number)
            if row is None or not belongs(row, path):
                foreign[kind].add(number)
    return foreign


def not_described(session: Any, storage: StorageService, contents: Contents, kind: str) -> set[int]:
    """The folders whose about.json matches no row. Called every two seconds while read-only: one query, and only
    changed files are read.
    """
    table, root = MODELS[kind].__table__.c, storage.data_root / FOLDERS[kind]
    rows = {row.id: row.created_at.isoformat() for row in session.execute(select(table.id, table.created_at))}
    both = contents.stored[kind] & contents.recorded[kind]
    return {number for number in both if identity(root / str(number), kind) != (number, rows.get(number))}


def identity(path: Path, kind: str) -> tuple[Any, Any]:
    """The id and the creation time in a folder's about.json; (None, None) without one."""
    try:
        stat = (path / about.NAME).stat()
    except OSError:
        return None, None
    return read_identity(path, kind, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=100_000)
def read_identity(path: Path, kind: str, _changed_ns: int, _size: int) -> tuple[Any, Any]:
    row = about.read(path, kind).get("row", {})
    return row.get("id"), row.get("created_at")


def same(description: AboutDocument, number: int, created_at: datetime) -> bool:
    """Whether about.json describes this row."""
    row = description.get("row", {})
    return row.get("id") == number and row.get("created_at") == created_at.isoformat()


def belongs(row: Any, path: Path) -> bool:
    """Whether a folder belongs to this row and not to another one with the same id; False if it cannot be read."""
    try:
        return matches_folder(row, path)
    except Exception as error:  # no content of a file may stop the start
        logger.warning("%s cannot be identified: %s: %s", path, type(error).__name__, error)
        return False


def matches_folder(row: Any, path: Path) -> bool:
    """Whether a folder belongs to a row: by its about.json, else by its files."""
    kind = {Dataset: "dataset", Training: "training", Test: "test"}[type(row)]
    description = about.read(path, kind)
    if description:
        return same(description, row.id, row.created_at)
    checks: dict[str, Callable[[Any, Path], bool]] = {"dataset": is_dataset, "training": is_training, "test": is_test}
    return checks[kind](row, path)


def is_dataset(row: Dataset, path: Path) -> bool:
    """By its classes: a folder from before about.json existed."""
    version = path if row.revision is None else path / "revisions" / str(row.revision)
    names = (read_yaml(version / "dataset.yaml") or {}).get("names")
    listed = names.values() if isinstance(names, dict) else names or []
    return isinstance(listed, Iterable) and list(listed) == list(row.classes)


def is_training(row: Training, path: Path) -> bool:
    """By its newest child's spec."""
    for attempt in sorted((path / "attempts").glob("*"), key=lambda item: item.stat().st_mtime, reverse=True):
        try:
            spec = json.loads((attempt / "spec.json").read_bytes())
            return (spec["training_id"], spec["img_size"], spec["model_version"], spec["task"]) == (
                row.id,
                row.img_size,
                row.model_version,
                row.task,
            )
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return False


def is_test(row: Test, path: Path) -> bool:
    return bool(row.image_path) and (path / Path(row.image_path or "").name).is_file()
