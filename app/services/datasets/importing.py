"""A new dataset: from a ZIP, from a folder of the server, or drawn."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from flask import current_app
from flask_babel import gettext as _

from app.core.natural import natural_key
from app.database import writing
from app.errors import BadUpload, NotFound, Unprocessable
from app.events import Planned
from app.models import Dataset, DatasetRevision, DatasetStatus
from app.services.datasets.base import DatasetBase
from app.services.datasets.described import describe
from app.services.datasets.ingest import Job
from app.services.datasets.looking import Looking
from app.services.datasets.options import recipe
from app.services.idempotency import Asked, keep
from app.services.storage import Limits, Staged
from app.services.storage.kinds import by_name as kind_of
from app.services.storage.unpack import Pacer

logger = logging.getLogger("yolo.dataset")

LARGE = 8 * 1024**2  # bytes of an upload that takes long enough for a child to get ready
MOST_FOLDERS = 1000  # shown of one folder


class DatasetImport(DatasetBase):
    """Makes datasets."""

    def create(
        self,
        file: IO[bytes],
        filename: str,
        name: str,
        description: str = "",
        classes: str = "",
        task: str = "auto",
        asked: Asked | None = None,
        sample: bool = False,
        **choices: Any,
    ) -> Dataset:
        """Import a ZIP; its first revision is made in the background, the row's status is `validating`.

        Args:
            file: opened for reading. A named file is kept by a second name, a nameless one gets a name.
            task: what the labels are for; auto: as they show it.
            asked: a key that is written in the row's transaction, with `dataset_id`: it tells that the row is there.
            sample: it is our own sample, which is offered again, see `DatasetDetails.sample`.
            choices: `root`, `merge`, `names`, `rename`, `split`, `format`, see schemas.OptionFields.

        Raises:
            AppError: it was refused, and nothing is left of it; see `StorageService.stage_dataset`.
        """
        if not filename.lower().endswith(".zip"):
            raise BadUpload(
                kind_of(filename) or _("Only ZIP files are accepted."),
                [{"field": "file", "message": _("The file name must end in .zip.")}],
            )
        options = self.recipe(choices | {"classes": classes, "task": task})
        limits = Limits.of(current_app.config)
        about = {"kind": "upload", "name": filename[-255:]} | ({"sample": True} if sample else {})
        kept = False
        try:
            with Looking(self.spare, 1, options, about) as looking:
                staged = self.storage.stage_dataset(file, limits, looking)
                with self.nothing_left(looking, staged):
                    kept = self.storage.keep_original(file, staged)
                return self.take(looking, staged, name, description, asked)
        except BaseException:
            kept = False
            raise
        finally:
            if not kept:
                self.storage.release(file)

    def expect(self, size: int) -> None:
        """An upload of `size` bytes has begun to arrive: its child may get ready."""
        if size >= LARGE:
            self.spare.prepare()

    def import_folder(self, path: str, name: str, description: str = "", **choices: Any) -> Dataset:
        """Import a folder of the server below IMPORT_ROOT; the folder stays as it is.

        Raises:
            NotFound: there is no such folder, or nothing may be imported.
            AppError: as `create`.
        """
        options = self.recipe(choices)
        folder = self.folder(path)
        about = {"kind": "import", "name": path[-255:]}
        with Looking(self.spare, 1, options, about) as looking:
            root = Path(current_app.config["IMPORT_ROOT"]).resolve()
            staged = self.storage.stage_folder(root, below(folder, root), Limits.of(current_app.config), looking)
            return self.take(looking, staged, name, description)

    def recipe(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        return recipe(choices, current_app.config["MAX_CLASSES"])

    def take(
        self, looking: Looking, staged: Staged, name: str, description: str, asked: Asked | None = None
    ) -> Dataset:
        """Have the child look at staged files, and give them a row and a place; both or none."""
        planned = self.look(looking, staged)
        job = self.adopt(looking, staged, name, description, planned, asked)
        try:
            self.storage.sync_datasets()
            describe(self.storage, job.dataset_id)
        finally:  # the row is there: it must not stay as it is for good
            self.follow(looking.hand_over(job))
        logger.info("dataset %d: %s, %s, %d images, %d bytes", job.dataset_id, name, planned.format, planned.images,
                    staged.size_bytes)  # fmt: skip
        return self.get(job.dataset_id)

    def look(self, looking: Looking, staged: Staged) -> Planned:
        """The child's first verdict on staged files, which are on the disk then; nothing is left of refused ones."""
        with self.nothing_left(looking, staged):
            looking.begin(staged.folder)
            self.storage.sync(staged.folder)  # while the child reads
            return looking.verdict()

    @contextmanager
    def nothing_left(self, looking: Looking, staged: Staged) -> Iterator[None]:
        """Staged files are removed where this fails, once nobody reads them any more."""
        try:
            yield
        except BaseException:
            looking.end()
            self.storage.discard(staged)
            raise

    def adopt(
        self,
        looking: Looking,
        staged: Staged,
        name: str,
        description: str,
        planned: Planned,
        asked: Asked | None = None,
    ) -> Job:
        """The rows and the folder, both or none."""
        options, about = dict(looking.options), looking.origin
        moved: int | None = None
        try:
            with writing() as session:
                dataset = Dataset(name=name, description=description, **columns(staged, planned, about))
                session.add(dataset)
                session.flush()
                keep(session, asked, {"dataset_id": dataset.id})
                origin = {"kind": about["kind"], "base": "source"} | ({"sample": True} if "sample" in about else {})
                session.add(DatasetRevision(dataset_id=dataset.id, number=1, origin=origin, options=options))
                self.storage.place_dataset(staged, dataset.id)  # a rename: the one thing that the row waits for
                moved = dataset.id
                dataset.path = str(self.storage.dataset_dir(dataset.id))[-255:]
                dataset.become(DatasetStatus.VALIDATING)
                job = Job(dataset.id, 1, dataset.created_at, options=options, origin=origin)
        except BaseException:
            looking.end()
            if moved is None:
                self.storage.discard(staged)
            else:
                self.storage.cleanup_dataset(moved)
            raise
        return job

    def create_sample(self) -> Dataset:
        """Draw the sample dataset in a child process and import it.

        Raises:
            Unavailable: it could not be drawn.
        """
        with self.drawing.drawn() as path, open(path, "rb") as file:
            about = _("Generated images of circles, squares and triangles.")
            return self.create(file, path.name, _("Sample: shapes"), about, sample=True)

    def folder(self, path: str) -> Path:
        """A folder below IMPORT_ROOT.

        Raises:
            NotFound: IMPORT_ROOT is not set, or there is no such folder. Unprocessable: the path leads out of it.
        """
        if not current_app.config["IMPORT_ROOT"]:
            raise NotFound(_("Importing from server folders isn't configured (IMPORT_ROOT)."))
        root = Path(current_app.config["IMPORT_ROOT"]).resolve()
        if "\0" in path:
            raise Unprocessable(_("This path is outside IMPORT_ROOT."))
        try:
            found = (root / path.lstrip("/")).resolve()
            there = found.is_dir()
        except (OSError, RuntimeError) as error:  # too long, or links in a circle
            raise NotFound(_("This folder doesn't exist in IMPORT_ROOT.")) from error
        if not found.is_relative_to(root):
            raise Unprocessable(_("This path is outside IMPORT_ROOT."))
        if not there:
            raise NotFound(_("This folder doesn't exist in IMPORT_ROOT."))
        return found

    def folders(self, path: str) -> dict[str, Any]:
        """What is in a folder below IMPORT_ROOT, as schemas.FoldersOut takes it.

        Raises:
            NotFound, Unprocessable: as `folder`.
        """
        here = self.folder(path)
        root = Path(current_app.config["IMPORT_ROOT"]).resolve()
        pacer = Pacer()
        inner = sorted(
            (item for item in here.iterdir() if not item.name.startswith(".") and is_folder(item)),
            key=lambda item: natural_key(item.name),
        )
        shown = [
            {
                "name": item.name,
                "path": below(item, root),
                "images": self.storage.images_in(item, pacer),
            }
            for item in inner[:MOST_FOLDERS]
        ]
        return {
            "path": below(here, root),
            "parent": None if here == root else below(here.parent, root),
            "images": self.storage.images_in(here, pacer),
            "folders": shown,
            "truncated": len(inner) > MOST_FOLDERS,
        }


def below(path: Path, root: Path) -> str:
    """A path below a root; "" is the root."""
    return "" if path == root else path.relative_to(root).as_posix()


def is_folder(path: Path) -> bool:
    """Whether it is a folder that may be imported: links are not followed to folders."""
    return path.is_dir() and not path.is_symlink()


def columns(staged: Staged, planned: Planned, about: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a dataset before its images are read."""
    return {
        "classes": planned.names,
        "size_bytes": staged.size_bytes,
        "total_images": planned.images,
        "status": DatasetStatus.PENDING,
        "task": planned.task or "detect",
        "format": planned.format,
        "report": {
            "decisions": planned.decisions,
            "skipped": staged.skipped,
            "renamed": staged.renamed,
            "archive": staged.notes,
            "original": {"name": about["name"]} if about["kind"] == "upload" else None,
        },
    }
