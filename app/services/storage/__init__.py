"""StorageService: the only code of the web process that touches data/."""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _

from app.errors import NoSpace
from app.extensions import socketio
from app.services.storage.archive import Limits, Listing, check, read_directory
from app.services.storage.layout import Plan, plan
from app.services.storage.meaning import choose_names, kind_of_labels
from app.services.storage.names import write_yaml
from app.services.storage.unpack import Pacer, extract, release, remove_tree, sync_file, sync_folder, sync_tree

__all__ = ["Limits", "Staged", "StorageService"]

logger = logging.getLogger("yolo.storage")

SPLITS = ("train", "val", "test")


@dataclass
class Staged:
    """A dataset that was extracted and synced, and is not in its place yet."""

    folder: Path
    names: list[str]  # empty: nobody named the classes
    images: dict[str, int]  # by split
    size_bytes: int
    decisions: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, Any] = field(default_factory=dict)
    renamed: dict[str, Any] = field(default_factory=dict)
    task: str | None = None  # None: the labels will show it
    keypoints: dict[str, Any] | None = None  # kpt_shape, and flip_idx where it is given


class StorageService:
    """Paths, safe extraction and atomic moves below one folder.

    Args:
        data_root: the folder; made when it is missing.
    """

    def __init__(self, data_root: str | Path = "data") -> None:
        self.data_root = Path(data_root).absolute()
        self.tmp = self.data_root / "tmp"
        self.datasets = self.data_root / "datasets"
        self.models = self.data_root / "models"
        self.tests = self.data_root / "tests"
        self.orphans = self.data_root / "orphans"
        for folder in (self.tmp, self.datasets, self.models, self.tests):
            folder.mkdir(parents=True, exist_ok=True)

    def dataset_dir(self, dataset_id: int) -> Path:
        return self.datasets / str(int(dataset_id))

    def dataset_yaml(self, dataset_id: int) -> Path:
        """What a training is given."""
        return self.dataset_dir(dataset_id) / "dataset.yaml"

    def validation_dir(self, dataset_id: int) -> Path:
        """The folder of the child that validates a dataset."""
        return self.dataset_dir(dataset_id) / "validation"

    def get_training_dir(self, training_id: int) -> Path:
        """A training's folder; its run is in `run/`."""
        return self.models / str(int(training_id))

    training_dir = get_training_dir

    def test_dir(self, test_id: int) -> Path:
        return self.tests / str(int(test_id))

    def new_tmp(self) -> Path:
        """A path for staging; removed at the next start if it is left behind."""
        return self.tmp / uuid.uuid4().hex

    def check_space(self, needed: int, min_free: int) -> None:
        """Refuse what would not leave `min_free` bytes.

        Raises:
            NoSpace: the message says how much is missing.
        """
        free = shutil.disk_usage(self.data_root).free
        if free - needed < min_free:
            raise NoSpace(_("The disk has %(free)s MB free; this needs %(needed)s MB, and %(kept)s MB must stay free "
                            "(MIN_FREE_DISK). Delete something and try again.", free=free >> 20, needed=needed >> 20,
                            kept=min_free >> 20))  # fmt: skip

    def save_dataset(self, file: IO[bytes], dataset_id: int, classes: str = "", limits: Limits | None = None) -> Staged:
        """Check a ZIP, extract it and put it in its place.

        Raises:
            AppError: it was refused, and nothing is left of it; see `stage_dataset`.
        """
        staged = self.stage_dataset(file, classes, limits or Limits())
        try:
            self.place_dataset(staged, dataset_id)
        except BaseException:
            remove_tree(staged.folder)
            raise
        self.sync_datasets()
        return staged

    def stage_dataset(self, file: IO[bytes], classes: str, limits: Limits, task: str = "auto") -> Staged:
        """Check a ZIP and extract it to `tmp/`, on the disk when this returns. Lets other clients be served.

        Args:
            classes: names from the form, comma separated; those of data.yaml come first.
            task: what the labels are for; auto: as data.yaml and the labels show it.

        Raises:
            BadUpload: no ZIP, or cut short.
            Unprocessable: unsafe, damaged, or no dataset.
            NoSpace: it would fill the disk.
        """
        pacer = Pacer()
        listing = check(read_directory(file, limits, pacer), limits, pacer)
        layout = plan(listing, pacer, task)
        size = sum(place.member.entry.size for place in layout.places)
        self.check_space(size, limits.min_free)
        names, keypoints = choose_names(file, layout, classes, limits, pacer)
        found = kind_of_labels(task, layout, keypoints)
        folder = self.new_tmp()
        try:
            unpack(file, layout, folder, pacer)
            sync_tree(folder)
        except BaseException:
            remove_tree(folder)
            raise
        return Staged(
            folder, names, layout.images, size, layout.decisions, **left_out(listing), task=found, keypoints=keypoints
        )

    def place_dataset(self, staged: Staged, dataset_id: int) -> None:
        """Move a staged dataset to its folder: one rename, to be followed by `sync_folder`."""
        target = self.dataset_dir(dataset_id)
        if target.exists():  # no row had this id, so nobody knows this folder
            self.set_aside(target)
        os.replace(staged.folder, target)

    def sync_datasets(self) -> None:
        """Put the renames of `place_dataset` on the disk."""
        sync_folder(self.datasets)

    def release(self, file: IO[bytes]) -> None:
        """Give back the disk space of an upload that is not needed any more."""
        release(file)

    def discard(self, staged: Staged) -> None:
        """Delete a staged dataset that did not reach its place."""
        remove_tree(staged.folder)

    def write_dataset_yaml(self, dataset_id: int, names: list[str], keypoints: dict[str, Any] | None = None) -> None:
        """Our own dataset.yaml, atomically; nothing of an uploaded one but its names and keypoints reaches it."""
        folder = self.dataset_dir(dataset_id)
        document: dict[str, Any] = {"path": str(folder)}
        document |= {split: f"images/{split}" for split in SPLITS if (folder / "images" / split).is_dir()}
        document |= {"nc": len(names), "names": dict(enumerate(names))} | (keypoints or {})
        draft = self.new_tmp()
        draft.write_text(write_yaml(document), encoding="utf-8")
        sync_file(draft)
        os.replace(draft, self.dataset_yaml(dataset_id))

    def yaml_is_current(self, dataset_id: int) -> bool:
        """Whether dataset.yaml names the folder that it lies in: data/ may have been moved."""
        try:
            text = self.dataset_yaml(dataset_id).read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        return text.startswith(write_yaml({"path": str(self.dataset_dir(dataset_id))}))

    def validate_dataset_structure(self, dataset_path: str | Path) -> list[str]:
        """What a stored dataset lacks, as paths below its folder; empty when its structure is whole."""
        folder = Path(dataset_path)
        needed = ("images/train", "images/val", "labels/train")
        return [name for name in needed if not (folder / name).is_dir()]

    def take_away(self, dataset_id: int) -> Path | None:
        """Move a dataset's folder to `tmp/`, to be removed from there; None where there is none."""
        return self.move_to_tmp(self.dataset_dir(dataset_id))

    def move_to_tmp(self, folder: Path) -> Path | None:
        """Take a folder out of its place by one rename; where it is now, None where there was none."""
        target = self.new_tmp()
        try:
            os.replace(folder, target)
        except FileNotFoundError:
            return None
        return target

    def cleanup_dataset(self, dataset_id: int) -> None:
        """Remove a dataset's files: out of sight at once, then deleted."""
        folder = self.take_away(dataset_id)
        if folder is not None:
            self.remove(folder)

    def remove(self, folder: Path) -> None:
        """Delete a folder of `tmp/`, letting other clients be served."""
        remove_tree(folder)

    def remove_all(self, folders: list[Path]) -> None:
        """`remove` for several."""
        for folder in folders:
            self.remove(folder)

    def set_aside(self, folder: Path) -> None:
        """Keep a folder that no row knows, where it harms nobody: the database may be the one that is wrong."""
        target = self.orphans / f"{folder.parent.name}-{folder.name}-{uuid.uuid4().hex[:8]}"
        self.orphans.mkdir(exist_ok=True)
        os.replace(folder, target)
        logger.warning("%s belongs to no row of the database; it was moved to %s", folder, target)

    def stored_datasets(self) -> Iterator[int]:
        """The ids that have a folder."""
        return (int(path.name) for path in self.datasets.iterdir() if path.name.isdecimal() and path.is_dir())

    def clean_leftovers(self) -> None:
        """Remove what a crash left in `tmp/`, beside the first requests."""
        leftovers = list(self.tmp.iterdir())
        if leftovers:
            logger.info("removing %d leftovers of an earlier run", len(leftovers))
            socketio.start_background_task(remove_all, leftovers)


def remove_all(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)


def unpack(file: IO[bytes], layout: Plan, folder: Path, pacer: Pacer) -> None:
    """Extract every member to its place below `folder`."""
    made: set[Path] = set()
    for kind in ("images", "labels"):
        for split in SPLITS:
            if layout.images[split]:
                (folder / kind / split).mkdir(parents=True)
    for place in layout.places:
        target = folder / place.target
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        extract(file, place.member.entry, target, pacer)
        pacer()


def left_out(listing: Listing) -> dict[str, dict[str, Any]]:
    """What the report says about files that were skipped or renamed."""
    return {
        "skipped": {
            "count": listing.skipped.total(),
            "kinds": dict(listing.skipped),
            "names": listing.skipped_names,
        },
        "renamed": {
            "count": listing.renamed_count,
            "names": [{"from": before, "to": after} for before, after in listing.renamed],
        },
    }
