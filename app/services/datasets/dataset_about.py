"""Stores a dataset's row in its folder (about.json), from which it can be restored without the database."""

from sqlalchemy import select

from app.core.files import atomic_write_text
from app.core.json_object import JsonObject
from app.core.splits import SPLITS
from app.extensions import db
from app.models import Dataset, DatasetRevision, RevisionStatus
from app.services import about
from app.services.storage import StorageService
from app.services.storage.damaged import set_file_aside
from app.services.storage.names import read_yaml, write_yaml


def describe(storage: StorageService, dataset_id: int) -> None:
    """Write the dataset's row to its folder; see services/about.py."""
    dataset = db.session.get(Dataset, dataset_id)
    if dataset is not None:
        ready = [row for row in dataset.revisions if row.status == RevisionStatus.READY]
        about.write(storage.dataset_dir(dataset_id), "dataset", dataset, {"revisions": ready})
    db.session.rollback()


def repair_description(storage: StorageService, dataset_id: int, number: int | None) -> bool:
    """Rewrite a damaged or missing dataset.yaml if the images exist; returns whether it was rewritten."""
    path = storage.dataset_yaml(dataset_id, number)
    row = db.session.get(Dataset, dataset_id) if number is None else find_row(dataset_id, number)
    if row is None or not row.classes or not storage.has_images(dataset_id, number):
        return False
    names, keypoints = dict(enumerate(row.classes)), {**(row.report.get("keypoints") or {})}
    db.session.rollback()
    if lists_classes(read_yaml(path), names):
        return False
    if path.is_file():
        set_file_aside(path, "no description of the dataset")
    splits = [split for split in SPLITS if (path.parent / "images" / split).is_dir()]
    document = {"path": str(path.parent)} | {split: f"images/{split}" for split in splits}
    atomic_write_text(path, write_yaml(document | {"nc": len(names), "names": names} | keypoints))
    return True


def lists_classes(document: JsonObject | None, names: dict[int, str]) -> bool:
    """Whether a dataset.yaml has these classes and a path; a truncated one may lack some."""
    if not document or not isinstance(document.get("path"), str) or not isinstance(document.get("train"), str):
        return False
    written = document.get("names")
    return written == names or written == list(names.values())


def find_row(dataset_id: int, number: int) -> DatasetRevision | None:
    mine = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.number == number)
    return db.session.scalar(select(DatasetRevision).where(mine))
