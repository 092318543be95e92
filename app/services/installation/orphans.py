"""Folders without a row are set aside, never overwritten or removed; when the row returns, its folder comes back."""

import json
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from app.errors import Conflict
from app.extensions import db
from app.models import Dataset, Test, Training
from app.services import about
from app.services.installation import texts
from app.services.installation.contents import FOLDERS, MODELS, Contents, set_aside
from app.services.installation.mark import KINDS
from app.services.shutdown import children
from app.services.storage import StorageService
from app.services.storage.names import read_yaml

logger = logging.getLogger("yolo.installation")


def reconcile(storage: StorageService, contents: Contents) -> None:
    """At the start of a server whose database is the right one."""
    take_back(storage, contents)
    for kind in KINDS:
        for number in sorted(contents.unknown[kind]):
            put_aside(storage, kind, number)


def put_aside(storage: StorageService, kind: str, number: int) -> bool:
    """Whether the folder could be moved; what stands in the way is logged."""
    try:
        storage.set_aside(storage.data_root / FOLDERS[kind] / str(number))
        return True
    except OSError as error:
        logger.error("the folder of %s %d has no row and cannot be set aside: %s", kind, number, error)
        return False


def set_all_aside(storage: StorageService, contents: Contents, foreign: bool) -> dict[str, Any]:
    """Start anew: every folder that this database has no row for; of a foreign folder all. How many of each kind.

    Raises:
        Conflict: a training process works in one of them.
    """
    refuse_running(storage)
    chosen = contents.stored if foreign else contents.unknown
    return {
        "set_aside": {kind: sum(put_aside(storage, kind, number) for number in sorted(chosen[kind])) for kind in KINDS}
    }


def refuse_running(storage: StorageService) -> None:
    if running := sum(1 for _ in children(storage.models)):
        raise Conflict(texts.still_running(running))


def take_back(storage: StorageService, contents: Contents) -> None:
    """Give rows whose folder is missing the one that was set aside, where it is theirs."""
    found: dict[tuple[str, int], list[Path]] = {}
    for kind, number, path in set_aside(storage):
        if number in contents.known[kind] and number not in contents.stored[kind]:
            found.setdefault((kind, number), []).append(path)
    for (kind, number), paths in found.items():
        row = db.session.get(MODELS[kind], number)
        mine = next((path for path in newest_first(paths) if row is not None and belongs(row, path)), None)
        if mine is not None:
            bring_back(storage, kind, number, mine)
    db.session.rollback()


def bring_back(storage: StorageService, kind: str, number: int, path: Path) -> None:
    try:
        os.rename(path, storage.data_root / FOLDERS[kind] / str(number))
        logger.info("%s %d has its folder back: %s", kind, number, path.name)
    except OSError as error:
        logger.error("%s cannot be brought back: %s", path, error)


def newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


def belongs(row: Any, path: Path) -> bool:
    """Whether a folder is of this row and not of another one that had the same number."""
    kind = {Dataset: "dataset", Training: "training", Test: "test"}[type(row)]
    known = about.read(path, kind)
    if known:
        return known["row"].get("id") == row.id and known["row"].get("created_at") == row.created_at.isoformat()
    looks: dict[str, Callable[[Any, Path], bool]] = {"dataset": is_dataset, "training": is_training, "test": is_test}
    return looks[kind](row, path)


def is_dataset(row: Dataset, path: Path) -> bool:
    """By its classes: a folder from before there was about.json."""
    place = path if row.revision is None else path / "revisions" / str(row.revision)
    names = (read_yaml(place / "dataset.yaml") or {}).get("names")
    return list(names.values() if isinstance(names, dict) else names or []) == list(row.classes)


def is_training(row: Training, path: Path) -> bool:
    """By what its newest child was told."""
    for attempt in sorted((path / "attempts").glob("*"), key=lambda item: item.stat().st_mtime, reverse=True):
        try:
            spec = json.loads((attempt / "spec.json").read_bytes())
            return (spec["training_id"], spec["img_size"], spec["model_version"], spec["task"]) == (
                row.id, row.img_size, row.model_version, row.task)  # fmt: skip
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return False


def is_test(row: Test, path: Path) -> bool:
    return bool(row.image_path) and (path / Path(row.image_path or "").name).is_file()
