"""Folders of dataset versions, and the links to the current one at the specification's paths."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.files import sync_file
from app.core.suffixes import IMAGES
from app.services.storage.names import write_yaml
from app.services.storage.unpack import Pacer, remove_tree

if TYPE_CHECKING:
    from app.services.storage import StorageService

LINKED = ("dataset.yaml", "images", "labels")  # symbolic links to those of the current version
BEFORE = ("images", "labels", "set_aside")  # folders of a dataset from before versions existed


class RevisionFiles:
    """Operations on the files of versions.

    Args:
        storage: of the folders.
    """

    def __init__(self, storage: "StorageService") -> None:
        self.storage = storage

    def show_revision(self, dataset_id: int, number: int) -> list[Path]:
        """Link the specification's paths to this version; each link is replaced by a rename.

        Returns: folders from before versions existed that were moved out of the way, to be removed.
        """
        folder = self.storage.dataset_dir(dataset_id)
        before = [folder / name for name in BEFORE if (folder / name).is_dir() and not (folder / name).is_symlink()]
        moved = [(path, self.storage.tmp / f"{dataset_id}-{path.name}-{os.urandom(6).hex()}") for path in before]
        for path, aside in moved:
            os.replace(path, aside)
        self.swap_links(folder, number)
        return [aside for _path, aside in moved]

    def swap_links(self, folder: Path, number: int) -> None:
        for name in LINKED:
            target, link = Path("revisions", str(number), name), folder / name
            if not (folder / target).exists():
                if link.is_symlink():
                    link.unlink()
                continue
            if link.is_symlink() and os.readlink(link) == str(target):
                continue
            draft = folder / f".{name}.link"
            draft.unlink(missing_ok=True)
            os.symlink(target, draft)
            os.replace(draft, link)

    def stored_revisions(self, dataset_id: int) -> Iterator[int]:
        """The numbers of versions with a folder."""
        folder = self.storage.dataset_dir(dataset_id) / "revisions"
        names = os.listdir(folder) if folder.is_dir() else []
        return (int(name) for name in names if name.isdecimal())

    def remove_unfinished(self, dataset_id: int) -> None:
        """Remove the leftovers of a killed build."""
        for path in (self.storage.dataset_dir(dataset_id) / "revisions").glob(".*-*"):
            shutil.rmtree(path, ignore_errors=True)

    def remove_revision(self, dataset_id: int, number: int) -> None:
        """Delete a version's files: renamed at once, then deleted."""
        target = self.storage.tmp / f"{dataset_id}-{number}-{os.urandom(6).hex()}"
        try:
            os.replace(self.storage.revision_dir(dataset_id, number), target)
        except FileNotFoundError:
            return
        remove_tree(target)

    def correct_path(self, dataset_id: int, number: int | None) -> None:
        """Update the path in a dataset.yaml, since data/ may have been moved. Nothing else is changed."""
        path = self.storage.dataset_yaml(dataset_id, number)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return
        begin = write_yaml({"path": str(path.parent)})
        if text.startswith("path:") and not text.startswith(begin):
            draft = self.storage.tmp / f"yaml-{os.urandom(8).hex()}"
            draft.write_text(begin + rest_of(text), encoding="utf-8")
            sync_file(draft)
            os.replace(draft, path)

    def install_export(self, draft: Path, target: Path) -> None:
        """Sync a ZIP, then rename it to its path."""
        target.parent.mkdir(exist_ok=True)
        sync_file(draft)
        os.replace(draft, target)

    def images_in(self, folder: int, pacer: Pacer) -> int:
        """The number of images directly in a folder, by its descriptor; 0 if it cannot be read."""
        count = 0
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    count += os.path.splitext(entry.name)[1].lower() in IMAGES
                    pacer()
        except OSError:
            pass
        return count

    def unused_objects(self) -> Iterator[Path]:
        """Objects without another link, and leftover drafts."""
        if not self.storage.objects.is_dir():
            return
        for folder in os.scandir(self.storage.objects):
            if not folder.is_dir(follow_symlinks=False):
                yield Path(folder.path)
                continue
            for entry in os.scandir(folder.path):
                if entry.stat(follow_symlinks=False).st_nlink == 1:
                    yield Path(entry.path)


def rest_of(text: str) -> str:
    """A dataset.yaml without its first key, whose long value may continue on indented lines."""
    lines = text.splitlines(keepends=True)
    count = next((at for at, line in enumerate(lines[1:], 1) if not line.startswith((" ", "\t"))), len(lines))
    return "".join(lines[count:])
