"""Where a dataset's revisions are, and which one is shown at the specification's places."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.services.storage.archive import IMAGES
from app.services.storage.names import write_yaml
from app.services.storage.unpack import Pacer, remove_tree, sync_file

SHOWN = ("dataset.yaml", "images", "labels")  # symbolic links to the current revision's
BEFORE = ("images", "labels", "set_aside")  # folders of a dataset from before revisions


class RevisionFiles:
    """Paths of revisions below `datasets`."""

    datasets: Path
    data_root: Path
    tmp: Path

    def dataset_dir(self, dataset_id: int) -> Path:
        return self.datasets / str(int(dataset_id))

    @property
    def objects(self) -> Path:
        """Each distinct image once, by SHA-256."""
        return self.data_root / "objects"

    def revision_dir(self, dataset_id: int, number: int) -> Path:
        return self.dataset_dir(dataset_id) / "revisions" / str(int(number))

    def index(self, dataset_id: int, number: int) -> Path:
        """What is in a revision, for readers: images, objects, findings, statistics."""
        return self.revision_dir(dataset_id, number) / "index.sqlite"

    def original(self, dataset_id: int) -> Path:
        """The upload as it came."""
        return self.dataset_dir(dataset_id) / "original.zip"

    def dataset_yaml(self, dataset_id: int, revision: int | None = None) -> Path:
        """What a training is given; None: of a dataset from before revisions."""
        folder = self.dataset_dir(dataset_id) if revision is None else self.revision_dir(dataset_id, revision)
        return folder / "dataset.yaml"

    def show_revision(self, dataset_id: int, number: int) -> list[Path]:
        """Have the specification's places lead to this revision; each link is swapped by a rename.

        Returns: folders out of the way of these links, from before revisions: to be removed.
        """
        folder = self.dataset_dir(dataset_id)
        before = [folder / name for name in BEFORE if (folder / name).is_dir() and not (folder / name).is_symlink()]
        moved = [(path, self.tmp / f"{dataset_id}-{path.name}-{os.urandom(6).hex()}") for path in before]
        for path, aside in moved:
            os.replace(path, aside)
        self.swap_links(folder, number)
        return [aside for _path, aside in moved]

    def swap_links(self, folder: Path, number: int) -> None:
        for name in SHOWN:
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
        """The numbers that have a folder."""
        folder = self.dataset_dir(dataset_id) / "revisions"
        names = os.listdir(folder) if folder.is_dir() else []
        return (int(name) for name in names if name.isdecimal())

    def remove_unfinished(self, dataset_id: int) -> None:
        """What a build left that was killed."""
        for path in (self.dataset_dir(dataset_id) / "revisions").glob(".*-*"):
            shutil.rmtree(path, ignore_errors=True)

    def remove_revision(self, dataset_id: int, number: int) -> None:
        """Delete a revision's files: out of sight at once, then deleted."""
        target = self.tmp / f"{dataset_id}-{number}-{os.urandom(6).hex()}"
        try:
            os.replace(self.revision_dir(dataset_id, number), target)
        except FileNotFoundError:
            return
        remove_tree(target)

    def correct_path(self, dataset_id: int, number: int | None) -> None:
        """Have a dataset.yaml name the folder that it lies in: data/ may have been moved. Nothing else is changed."""
        path = self.dataset_yaml(dataset_id, number)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return
        begin = write_yaml({"path": str(path.parent)})
        if text.startswith("path:") and not text.startswith(begin):
            draft = self.tmp / f"yaml-{os.urandom(8).hex()}"
            draft.write_text(begin + rest_of(text), encoding="utf-8")
            sync_file(draft)
            os.replace(draft, path)

    def put_export(self, made: Path, target: Path) -> None:
        """Keep a ZIP that was made, on the disk before it has its name."""
        target.parent.mkdir(exist_ok=True)
        sync_file(made)
        os.replace(made, target)

    def images_in(self, folder: Path, pacer: Pacer) -> int:
        """How many images lie directly in a folder; 0 where it cannot be read."""
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
        """Objects that nothing is linked to any more, and drafts that were left."""
        if not self.objects.is_dir():
            return
        for folder in os.scandir(self.objects):
            if not folder.is_dir(follow_symlinks=False):
                yield Path(folder.path)
                continue
            for entry in os.scandir(folder.path):
                if entry.stat(follow_symlinks=False).st_nlink == 1:
                    yield Path(entry.path)


def rest_of(text: str) -> str:
    """A dataset.yaml without its first key; a long path has lines that are indented."""
    lines = text.splitlines(keepends=True)
    count = next((at for at, line in enumerate(lines[1:], 1) if not line.startswith((" ", "\t"))), len(lines))
    return "".join(lines[count:])
