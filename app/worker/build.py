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
    """A revision that is being built beside its place; a context manager that leaves nothing behind on a failure.

    Args:
        folder: where the revision will be, `data/datasets/{id}/revisions/{n}`.
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
        """Link the images, and link or write their labels. Unsafe images stay out.

        Args:
            on_progress: told how many entries are done.
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
        """Link the label as it came, or write the rows; where there is neither, there is no file."""
        if entry.text is not None:
            target = self._create_parent(entry.label_file)
            target.write_text(entry.text, encoding="utf-8")
            self.size += len(entry.text)
        elif entry.label is not None:
            target = self._create_parent(entry.label_file)
            if not target.exists():  # images that share a label
                link(entry.label, target)
                self.size += target.stat().st_size

    def _create_parent(self, name: str) -> Path:
        """A path below the revision, in a folder that exists."""
        path = self.folder / name
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        return path

    def describe(self, names: list[str], keypoints: Keypoints | None) -> None:
        """Our own dataset.yaml: nothing of an uploaded one but its names and keypoints reaches it."""
        document: dict[str, object] = {"path": str(self.target)}
        document |= {name: f"images/{name}" for name in SPLITS if (self.folder / "images" / name).is_dir()}
        document |= {"nc": len(names), "names": dict(enumerate(names))} | dict(keypoints or {})
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        (self.folder / "dataset.yaml").write_text(text, encoding="utf-8")

    def finish(self) -> str:
        """Hash it, put it on the disk and into its place; the hash."""
        digest = revision.dataset_revision(self.folder / "dataset.yaml", self.digests)
        sync_tree(self.folder)
        shutil.rmtree(self.target, ignore_errors=True)  # of a run that ended before anybody knew of it
        os.replace(self.folder, self.target)
        sync_file(self.target.parent)
        return digest

    def install_index(self, target: Path, expected: str) -> str:
        """Put its index alone into the revision that is there, where that holds the same.

        Raises:
            InvalidInput: what was built is another one.
        """
        digest = revision.dataset_revision(self.folder / "dataset.yaml", self.digests)
        if digest != expected:
            raise InvalidInput("index_differs")
        sync_file(self.folder / INDEX)
        os.replace(self.folder / INDEX, target / INDEX)
        sync_file(target)
        return digest


def sync_tree(folder: Path) -> None:
    """Everything below a folder on the disk: one call for its file system where there is one."""
    if os.system(f"sync -f '{folder}' 2>/dev/null") == 0:  # noqa: S605 (our own path: numbers and hexadecimals)
        return
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                sync_file(path)
        except FileNotFoundError:  # a draft that has its name by now
            continue
