"""Builds a version's tree: hard links to the images, its labels, its dataset.yaml; complete or absent."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from app.core.files import sync_file
from app.core.report import Keypoints
from app.core.splits import SPLITS
from app.worker import revision
from app.worker.failures import InvalidInput
from app.worker.objects import link
from app.worker.quality import Entry

INDEX = "index.sqlite"


class Building:
    """Builds a version in a draft folder; a context manager that removes the draft on a failure.

    Args:
        folder: the final folder, `data/datasets/{id}/revisions/{n}`.
    """

    def __init__(self, folder: Path) -> None:
        self.target = folder
        self.folder = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
        self.digests: dict[str, str] = {}  # SHA-256 by path below the folder
        self.size = 0
        self._folders: set[Path] = set()

    def __enter__(self) -> "Building":
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in self.target.parent.glob(f".{self.target.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self.folder.mkdir()
        return self

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, entries: Iterable[Entry], classify: bool, on_progress: Callable[[int], None]) -> None:
        """Link the images, and link or write their labels. Unsafe images are excluded.

        Args:
            on_progress: called with the number of processed entries.
        """
        for count, entry in enumerate(entries, 1):
            if not entry.picture.unsafe:
                self.add_image(entry)
                if not classify:
                    self.add_label(entry)
            on_progress(count)

    def add_image(self, entry: Entry) -> None:
        target = self._create_parent(entry.file)
        link(entry.image, target)
        self.digests[entry.file] = entry.picture.sha256
        self.size += entry.picture.bytes

    def add_label(self, entry: Entry) -> None:
        """Link an unchanged label file, or write the rows; without either, no file is created."""
        if entry.text is not None:
            target = self._create_parent(entry.label_file)
            target.write_text(entry.text, encoding="utf-8")
            self.size += len(entry.text)
        elif entry.label is not None:
            target = self._create_parent(entry.label_file)
            if not target.exists():  # the label file may be shared by several images
                link(entry.label, target)
                self.size += target.stat().st_size

    def _create_parent(self, name: str) -> Path:
        """A path below the version, whose parent folder is created."""
        path = self.folder / name
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        return path

    def describe(self, names: list[str], keypoints: Keypoints | None) -> None:
        """Write our own dataset.yaml, with only names and keypoints of the uploaded one."""
        document: dict[str, object] = {"path": str(self.target)}
        document |= {name: f"images/{name}" for name in SPLITS if (self.folder / "images" / name).is_dir()}
        document |= {"nc": len(names), "names": dict(enumerate(names))} | dict(keypoints or {})
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        (self.folder / "dataset.yaml").write_text(text, encoding="utf-8")

    def finish(self) -> str:
        """Hash the version, sync it and move it to its folder; the hash."""
        digest = revision.dataset_revision(self.folder / "dataset.yaml", self.digests)
        sync_tree(self.folder)
        shutil.rmtree(self.target, ignore_errors=True)  # left by an attempt whose end was not recorded
        os.replace(self.folder, self.target)
        sync_file(self.target.parent)
        return digest

    def install_index(self, target: Path, expected: str) -> str:
        """Replace only the index of an existing version, if its contents are the same.

        Raises:
            InvalidInput: the contents differ.
        """
        digest = revision.dataset_revision(self.folder / "dataset.yaml", self.digests)
        if digest != expected:
            raise InvalidInput("index_differs")
        sync_file(self.folder / INDEX)
        os.replace(self.folder / INDEX, target / INDEX)
        sync_file(target)
        return digest


def sync_tree(folder: Path) -> None:
    """Sync everything below a folder: by a single call if `sync -f` is available."""
    if os.system(f"sync -f '{folder}' 2>/dev/null") == 0:  # noqa: S605 (our own path: numbers and hexadecimals)
        return
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                sync_file(path)
        except FileNotFoundError:  # a draft that was just renamed
            continue
