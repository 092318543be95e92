"""Restores a dataset's rows from its folder: about.json, or else its versions and their indexes."""

import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _

from app.core.json_object import JsonObject
from app.core.splits import SPLITS
from app.models import Dataset, DatasetRevision, DatasetStatus, RevisionStatus
from app.services import about
from app.services.datasets.index import Index
from app.services.datasets.options import DEFAULTS
from app.services.datasets.outcome import set_current_revision
from app.services.storage.names import read_yaml

if TYPE_CHECKING:
    from app.services.installation.adopt import Numbers

SAMPLES = 6  # images for a preview


class NoDataset(Exception):
    """The folder has neither a version nor raw files."""


def dataset_rows(session: Any, folder: Path, number: int, _numbers: "Numbers") -> None:
    """Restore the rows of a dataset and its versions from its folder.

    Raises:
        NoDataset: nothing can be restored from this folder.
        ValueError: about.json is invalid.
        TypeError: the same.
    """
    description = about.read(folder, "dataset")
    values = about.columns(Dataset, description.get("row", {}), "id", "path")
    dataset = Dataset(**{"name": _("Dataset %(id)s", id=number), "created_at": created_at(folder), **values}, id=number)
    dataset.path = str(folder.with_name(str(number)))[-255:]
    session.add(dataset)
    session.flush()
    described = {item.get("number"): item for item in description.get("revisions", [])}
    revisions = {
        revision_number: revision_row(folder, number, revision_number, described.get(revision_number))
        for revision_number in stored(folder)
    }
    session.add_all(revisions.values())
    session.flush()
    if revisions:
        dataset.revision = current(folder, dataset.revision, revisions)
        dataset.status, dataset.error = DatasetStatus.VALIDATING, None
        set_current_revision(dataset, revisions[dataset.revision])
    else:
        without_revision(session, dataset, folder)


def stored(folder: Path) -> list[int]:
    """The numbers of complete versions: incomplete builds have other names."""
    names = os.listdir(folder / "revisions") if (folder / "revisions").is_dir() else []
    numbers = (int(name) for name in names if name.isdecimal())
    return sorted(number for number in numbers if (folder / "revisions" / str(number) / "dataset.yaml").is_file())


def current(folder: Path, preferred: int | None, revisions: dict[int, DatasetRevision]) -> int:
    """The number of the current version: by the symbolic links, by about.json, or the newest."""
    try:
        linked = Path(os.readlink(folder / "dataset.yaml")).parts
    except OSError:
        linked = ()
    choices = [int(part) for part in linked if part.isdecimal()] + [preferred or 0, max(revisions)]
    return next(number for number in choices if number in revisions)


def without_revision(session: Any, dataset: Dataset, folder: Path) -> None:
    """Without a version: raw files are imported as at an upload; images from before versions existed are used
    unchanged.
    """
    dataset.revision, dataset.error = None, None
    if (folder / "source").is_dir():
        dataset.status = DatasetStatus.VALIDATING
        session.add(
            DatasetRevision(
                dataset_id=dataset.id, number=1, options=dict(DEFAULTS), origin={"kind": "upload", "base": "source"}
            )
        )
    elif names := class_names(folder / "dataset.yaml"):
        dataset.classes, dataset.status = names, DatasetStatus.VALID
    else:
        raise NoDataset("neither a revision nor raw files")


def revision_row(folder: Path, dataset_id: int, number: int, described: JsonObject | None) -> DatasetRevision:
    """The row of a complete version, from about.json or counted from its index."""
    values = about.columns(DatasetRevision, described or {}, "id", "dataset_id", "number", "status")
    if not values.get("report"):
        values |= count_index(folder / "revisions" / str(number))
    values |= {"origin": values.get("origin") or {"kind": "upload", "base": "source"}}
    values |= {"options": values.get("options") or dict(DEFAULTS)}
    return DatasetRevision(**values, dataset_id=dataset_id, number=number, status=RevisionStatus.READY)


def count_index(index_file: Path) -> dict[str, object]:
    """The columns counted from a version's index; only the class names if it cannot be read."""
    names = class_names(index_file / "dataset.yaml")
    try:
        with Index(index_file / "index.sqlite") as index:
            statistics = index.statistics()
            samples = [
                row["id"]
                for row in index.rows("SELECT id FROM image WHERE usable AND thumbnail ORDER BY id LIMIT ?", [SAMPLES])
            ]
        splits = {split: statistics["splits"][split] for split in SPLITS}
        images = {split: int(splits[split]["images"]) for split in SPLITS}
        used = {split: int(splits[split]["used"]) for split in SPLITS}
        excluded = dict(statistics["summary"]["left_out"])
        task = str(statistics["task"])
    except (OSError, sqlite3.Error, ValueError, TypeError, KeyError):
        return {"classes": names, "report": {"decisions": []}}
    report = {
        "decisions": [],
        "images": images,
        "usable": used,
        "left_out": excluded,
        "samples": samples,
        "severities": statistics.get("severities", {}),
    }
    counts = {f"{split}_images": images[split] for split in SPLITS}
    return counts | {"classes": names, "task": task, "total_images": sum(images.values()), "report": report}


def class_names(path: Path) -> list[str]:
    names = (read_yaml(path) or {}).get("names")
    listed = names.values() if isinstance(names, dict) else names
    return [str(name) for name in listed] if isinstance(listed, Iterable) else []


def created_at(folder: Path) -> datetime:
    """The approximate creation time: the oldest one of its first files."""
    times = [path.stat().st_mtime for path in (folder, folder / "original.zip", folder / "source") if path.exists()]
    return datetime.fromtimestamp(min(times), UTC)
