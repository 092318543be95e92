"""StorageService: the only code of the web process that touches data/."""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from flask_babel import gettext as _

from app.errors import NoSpace
from app.extensions import socketio
from app.services.storage.archive import Limits, Listing
from app.services.storage.beneath import Beneath
from app.services.storage.reading import read_archive
from app.services.storage.revisions import RevisionFiles
from app.services.storage.staging import (
    Staged,
    Watcher,
    copy_in,
    keep_names,
    keep_original,
    left_out,
    list_folder,
    nobody,
    unpack,
)
from app.services.storage.unpack import Pacer, release, remove_tree, sync_folder, sync_tree
from app.texts import size

__all__ = ["Limits", "Staged", "StorageService"]

logger = logging.getLogger("yolo.storage")


class StorageService(RevisionFiles):
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
        self.ingests = self.data_root / "ingests"
        for folder in (self.tmp, self.datasets, self.models, self.tests):
            folder.mkdir(parents=True, exist_ok=True)

    def ingest_dir(self) -> Path:
        """A folder for a child that makes a revision; those of an earlier run are all below `ingests`."""
        return self.ingests / uuid.uuid4().hex

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
            raise NoSpace(_("The disk has %(free_size)s free; this operation needs %(needed_size)s, and "
                            "%(kept_size)s must stay free (MIN_FREE_DISK). Free some space and try again.",
                            free_size=size(free), needed_size=size(needed), kept_size=size(min_free)))  # fmt: skip

    def save_dataset(self, file: IO[bytes], dataset_id: int, limits: Limits | None = None) -> Staged:
        """Check a ZIP, extract it as it is and put it in its place.

        Raises:
            AppError: it was refused, and nothing is left of it; see `stage_dataset`.
        """
        staged = self.stage_dataset(file, limits or Limits())
        try:
            sync_tree(staged.folder)
            keep_original(file, staged.folder / "original.zip", Pacer())
            self.place_dataset(staged, dataset_id)
        except BaseException:
            remove_tree(staged.folder)
            raise
        self.sync_datasets()
        return staged

    def stage_dataset(self, file: IO[bytes], limits: Limits, watcher: Watcher | None = None) -> Staged:
        """Check a ZIP and extract it to `tmp/`, to be followed by `sync`. Lets other clients be served.

        Args:
            watcher: told of what is extracted, once the ZIP's own list of it is found sound.

        Raises:
            BadUpload: no ZIP, or cut short.
            Unprocessable: unsafe or damaged.
            NoSpace: it would fill the disk.
        """
        pacer = Pacer()
        listing = read_archive(file, limits, self.tmp, pacer, self.check_space)
        return self.stage(listing, limits, watcher, lambda folder, told: unpack(file, listing, folder, pacer, told))

    def stage_folder(self, root: Path, below: str, limits: Limits, watcher: Watcher | None = None) -> Staged:
        """Copy a folder of the server to `tmp/`, as `stage_dataset` does it with a ZIP; the folder stays as it is.

        Args:
            root: IMPORT_ROOT, resolved. below: the folder's path from there, without links.

        Raises:
            Unprocessable: a link that leads out of it, or a name or size that no dataset has.
            NoSpace: it would fill the disk.
        """
        pacer = Pacer()
        with Beneath(root, below.split("/") if below else []) as folder:
            listing = list_folder(folder, limits, pacer)
            return self.stage(
                listing, limits, watcher, lambda target, told: copy_in(folder, listing, target, pacer, told)
            )

    def stage(
        self,
        listing: Listing,
        limits: Limits,
        watcher: Watcher | None,
        fill: Callable[[Path, Callable[[str], None]], None],
    ) -> Staged:
        """Have `fill(source, told)` write the files of a checked listing."""
        size = sum(member.entry.size for member in listing.members)
        self.check_space(size, limits.min_free)
        staged = Staged(self.new_tmp(), size, **left_out(listing))
        try:
            staged.source.mkdir(parents=True)
            keep_names(staged, listing)
            if watcher is not None:
                watcher.expect(staged.folder)
            fill(staged.source, watcher.arrived if watcher else nobody)
        except BaseException:
            if watcher is not None:
                watcher.end()
            remove_tree(staged.folder)
            raise
        return staged

    def sync(self, folder: Path) -> None:
        """Put a folder on the disk, letting other clients be served."""
        sync_tree(folder)

    def keep_original(self, file: IO[bytes], staged: Staged) -> bool:
        """Keep the upload itself beside what was extracted; whether it is the same file now."""
        return keep_original(file, staged.folder / "original.zip", Pacer())

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
        place = "-".join(folder.relative_to(self.data_root).parts)
        target = self.orphans / f"{place}-{uuid.uuid4().hex[:8]}"
        self.orphans.mkdir(exist_ok=True)
        os.replace(folder, target)
        logger.warning("%s belongs to no row of the database; it was moved to %s", folder, target)

    def set_revision_aside(self, dataset_id: int, number: int) -> None:
        """Keep a revision that no row knows, without the ZIPs that were made of it."""
        self.set_aside(self.revision_dir(dataset_id, number))
        for path in (self.dataset_dir(dataset_id) / "exports").glob(f"{number}-*.zip"):
            path.unlink(missing_ok=True)

    def has_images(self, dataset_id: int, number: int | None) -> bool:
        """Whether the files are there that a training of this revision reads; None: from before revisions."""
        folder = self.dataset_dir(dataset_id) if number is None else self.revision_dir(dataset_id, number)
        return (folder / "images").is_dir()

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
