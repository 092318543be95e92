"""StorageService: the only code of the web process that touches data/."""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.core.imports import ARCHIVE, ArchiveLimits, Unpacked
from app.extensions import socketio
from app.services.storage.original import save_original
from app.services.storage.revisions import RevisionFiles
from app.services.storage.space import no_space
from app.services.storage.unpack import Pacer, release, remove_tree, sync_folder

logger = logging.getLogger("yolo.storage")


class StorageService:
    """Paths, safe extraction and atomic moves below one folder.

    Args:
        data_root: the folder, created if missing.
    """

    def __init__(self, data_root: str | Path = "data") -> None:
        self.data_root = Path(data_root).absolute()
        self.tmp = self.data_root / "tmp"
        self.datasets = self.data_root / "datasets"
        self.models = self.data_root / "models"
        self.tests = self.data_root / "tests"
        self.predictions = self.data_root / "predictions"  # of videos and images
        self.orphans = self.data_root / "orphans"
        self.ingests = self.data_root / "ingests"  # of versions that ran imports without app/jobs
        for folder in (self.tmp, self.datasets, self.models, self.tests):
            folder.mkdir(parents=True, exist_ok=True)
        self.revisions = RevisionFiles(self)
        self.delivery: Callable[[], object] = lambda: None

    def deliver(self) -> None:
        """Called before a row refers to files that a job has moved into place: a worker without a shared volume uploads
        them.
        """
        self.delivery()

    def dataset_dir(self, dataset_id: int) -> Path:
        return self.datasets / str(int(dataset_id))

    @property
    def objects(self) -> Path:
        """The folder of distinct images, by SHA-256."""
        return self.data_root / "objects"

    def revision_dir(self, dataset_id: int, number: int) -> Path:
        return self.dataset_dir(dataset_id) / "revisions" / str(int(number))

    def index(self, dataset_id: int, number: int) -> Path:
        """The index of a version: images, objects, findings, statistics."""
        return self.revision_dir(dataset_id, number) / "index.sqlite"

    def original(self, dataset_id: int) -> Path:
        """The unchanged upload."""
        return self.dataset_dir(dataset_id) / "original.zip"

    def dataset_yaml(self, dataset_id: int, revision: int | None = None) -> Path:
        """The dataset.yaml for a training; None: of a dataset from before versions existed."""
        folder = self.dataset_dir(dataset_id) if revision is None else self.revision_dir(dataset_id, revision)
        return folder / "dataset.yaml"

    def get_training_dir(self, training_id: int) -> Path:
        """A training's folder; its run is in `run/`."""
        return self.models / str(int(training_id))

    training_dir = get_training_dir

    def test_dir(self, test_id: int) -> Path:
        return self.tests / str(int(test_id))

    def prediction_dir(self, prediction_id: int) -> Path:
        return self.predictions / str(int(prediction_id))

    def new_tmp(self) -> Path:
        """A path for staging; leftovers are removed at the next start."""
        return self.tmp / uuid.uuid4().hex

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A path for the duration of a block; removed at its end."""
        folder = self.new_tmp()
        try:
            yield folder
        finally:
            self.remove(folder)

    def check_space(self, needed: int, min_free: int) -> None:
        """Refuse what would leave less than `min_free` bytes.

        Raises:
            NoSpace: it would; the message says how much is missing.
        """
        free = shutil.disk_usage(self.data_root).free
        if free - needed < min_free:
            raise no_space(free, needed, min_free)

    def stage_original(self, file: IO[bytes], folder: Path) -> bool:
        """Link or copy an upload into a staging folder, for the child that extracts it; returns whether it
        was linked.
        """
        folder.mkdir(parents=True)
        return save_original(file, folder / ARCHIVE, Pacer())

    def save_dataset(self, file: IO[bytes], dataset_id: int, limits: ArchiveLimits | None = None) -> Unpacked:
        """Validate a ZIP and extract it unchanged to `source/` of the dataset's folder. For callers without a job;
        imports of the product are jobs.

        Raises:
            AppError: it was refused; its files were removed.
        """
        from app.services.storage.unpacked import unpack_dataset  # not at import: most processes do not need it

        folder, work = self.new_tmp(), self.new_tmp()
        try:
            self.stage_original(file, folder)
            archive = unpack_dataset(folder, work, limits or ArchiveLimits())
            self.install_dataset(folder, dataset_id)
        except BaseException:
            self.remove(folder)
            raise
        finally:
            self.remove(work)
        self.sync_datasets()
        return archive

    def install_dataset(self, folder: Path, dataset_id: int) -> None:
        """Move a staged dataset to its folder by a rename; then call `sync_datasets`."""
        target = self.dataset_dir(dataset_id)
        if target.exists():  # the new id has no row, so the folder belongs to none
            self.set_aside(target)
        os.replace(folder, target)

    def sync_datasets(self) -> None:
        """Sync the renames of `install_dataset` to the disk."""
        sync_folder(self.datasets)

    def release(self, file: IO[bytes]) -> None:
        """Free the disk space of an upload that is not needed any more."""
        release(file)

    def validate_dataset_structure(self, dataset_path: str | Path) -> list[str]:
        """What a stored dataset lacks, as paths below its folder; empty if its structure is complete."""
        folder = Path(dataset_path)
        needed = ("images/train", "images/val", "labels/train")
        return [name for name in needed if not (folder / name).is_dir()]

    def evaluation_dir(self, training_id: int, token: str) -> Path:
        """The folder of an evaluation's files; see app/core/outcome_files.py."""
        return self.get_training_dir(training_id) / "evaluations" / token

    def install_evaluation(self, source: Path, training_id: int, token: str) -> None:
        """Move the synced files of an evaluation to their folder by a rename; existing ones stay."""
        target = self.evaluation_dir(training_id, token)
        if source.is_dir() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
            sync_folder(target.parent)
        self.deliver()

    def move_dataset_to_tmp(self, dataset_id: int) -> Path | None:
        """Move a dataset's folder to `tmp/`; None if there is none."""
        return self.move_to_tmp(self.dataset_dir(dataset_id))

    def move_to_tmp(self, folder: Path) -> Path | None:
        """Move a folder to `tmp/` by a rename; its new path, None if there was none."""
        target = self.new_tmp()
        try:
            os.replace(folder, target)
        except FileNotFoundError:
            return None
        return target

    @contextmanager
    def removal(self, folder: Path) -> Iterator[Callable[[], None]]:
        """Remove a folder together with the rows of a transaction: both, or neither.

        Wraps `writing()`; the yielded function is called in the transaction, as its last step.
        """
        moved: Path | None = None

        def move_files() -> None:
            nonlocal moved
            moved = self.move_to_tmp(folder)

        try:
            yield move_files
        except BaseException:
            if moved is not None:
                moved.rename(folder)
            raise
        if moved is not None:
            self.remove(moved)

    def cleanup_dataset(self, dataset_id: int) -> None:
        """Remove a dataset's files: renamed at once, then deleted."""
        folder = self.move_dataset_to_tmp(dataset_id)
        if folder is not None:
            self.remove(folder)

    def remove(self, folder: Path) -> None:
        """Delete a folder of `tmp/`; yields to other requests."""
        remove_tree(folder)

    def remove_all(self, folders: list[Path]) -> None:
        """Delete several folders of `tmp/`."""
        for folder in folders:
            self.remove(folder)

    def set_aside(self, folder: Path) -> None:
        """Move a folder without a row to `orphans/`, since the database may be at fault."""
        name = "-".join(folder.relative_to(self.data_root).parts)
        target = self.orphans / f"{name}-{uuid.uuid4().hex[:8]}"
        self.orphans.mkdir(exist_ok=True)
        os.replace(folder, target)
        logger.warning("%s belongs to no row of the database; it was moved to %s", folder, target)

    def set_revision_aside(self, dataset_id: int, number: int) -> None:
        """Move a version without a row to `orphans/`, without the ZIPs exported from it."""
        self.set_aside(self.revision_dir(dataset_id, number))
        for path in (self.dataset_dir(dataset_id) / "exports").glob(f"{number}-*.zip"):
            path.unlink(missing_ok=True)

    def has_images(self, dataset_id: int, number: int | None) -> bool:
        """Whether the files that a training of this version reads exist; None: from before versions existed."""
        folder = self.dataset_dir(dataset_id) if number is None else self.revision_dir(dataset_id, number)
        return (folder / "images").is_dir()

    def stored_datasets(self) -> Iterator[int]:
        """The ids of datasets with a folder."""
        return (int(path.name) for path in self.datasets.iterdir() if path.name.isdecimal() and path.is_dir())

    def clean_leftovers(self) -> None:
        """Remove a crash's leftovers in `tmp/`, in the background."""
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
