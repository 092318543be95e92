"""Creates datasets: from a ZIP, from a folder of the server, or the sample dataset."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NotRequired, TypedDict

from flask_babel import gettext as _

from app.config import settings
from app.core.imports import DatasetReport, ImportOptions, RevisionOrigin
from app.database import writing
from app.errors import BadUpload
from app.events import Planned
from app.models import Dataset, DatasetRevision, DatasetStatus
from app.services.datasets.archive_texts import by_name
from app.services.datasets.dataset_about import describe
from app.services.datasets.imports import DatasetImports
from app.services.datasets.options import recipe
from app.services.datasets.sample_drawing import SampleDrawing
from app.services.datasets.server_folders import ServerFolders
from app.services.datasets.session import ImportSession
from app.services.datasets.specs import ImportParams, ImportSource
from app.services.datasets.store import DatasetStore
from app.services.idempotency import RequestKey, store_answer

logger = logging.getLogger("yolo.dataset")

LARGE = 8 * 1024**2  # bytes of an upload that takes long enough to prewarm a child


class NewDatasetColumns(TypedDict):
    """The columns of a dataset before its images are read."""

    classes: list[str]
    size_bytes: int
    total_images: int
    status: str
    task: str
    format: str | None
    report: DatasetReport


class DatasetSource(TypedDict):
    """Where a dataset comes from: `kind` of its first version, `name` of the file or folder; `sample`: our own."""

    kind: str
    name: str
    sample: NotRequired[bool]


@dataclass(frozen=True)
class NewDataset:
    """The properties of a new dataset in a request; `request_key` is written with its row."""

    name: str
    description: str = ""
    request_key: RequestKey | None = None


class DatasetCreation:
    """Creates datasets.

    Args:
        imports: builds versions.
        server_folders: finds folders to import from the server.
        drawing: draws the sample.
    """

    def __init__(
        self, store: DatasetStore, imports: DatasetImports, server_folders: ServerFolders, drawing: SampleDrawing
    ) -> None:
        self.store, self.storage, self.imports = store, store.storage, imports
        self.server_folders, self.drawing = server_folders, drawing

    def create(
        self,
        file: IO[bytes],
        filename: str,
        name: str,
        description: str = "",
        classes: str = "",
        task: str = "auto",
        request_key: RequestKey | None = None,
        sample: bool = False,
        **choices: Any,
    ) -> Dataset:
        """Import a ZIP; its first version is built in the background, and the row's status is `validating`.

        Args:
            file: opened for reading. A named file gets a second hard link, a nameless one its first.
            task: of the labels; auto: detected from them.
            request_key: written in the row's transaction, with `dataset_id`: proof that the row exists.
            sample: it is the sample dataset, which is reused, see `DatasetStore.newest_sample`.
            choices: `root`, `merge`, `names`, `rename`, `split`, `format`, see schemas.OptionFields.

        Raises:
            AppError: it was refused, and its files were removed; see `ImportSession.verdict`.
        """
        if not filename.lower().endswith(".zip"):
            raise BadUpload(
                by_name(filename) or _("Only ZIP files are accepted."),
                [{"field": "file", "message": _("The file name must end in .zip.")}],
            )
        options = self.recipe(choices | {"classes": classes, "task": task})
        about: DatasetSource = {"kind": "upload", "name": filename[-255:]}
        if sample:
            about["sample"] = True
        folder, accepted = self.storage.new_tmp(), False
        try:
            accepted = self.storage.stage_original(file, folder)
            return self.import_staged(
                folder, {"unpack": True}, options, about, NewDataset(name, description, request_key)
            )
        except BaseException:
            accepted = False
            self.storage.remove(folder)  # remove an incomplete copy; otherwise the folder does not exist any more
            raise
        finally:
            if not accepted:
                self.storage.release(file)

    def expect(self, size: int) -> None:
        """An upload of `size` bytes has begun to arrive: prewarm its child."""
        if size >= LARGE:
            self.imports.prepare()

    def import_folder(self, path: str, name: str, description: str = "", **choices: Any) -> Dataset:
        """Import a folder of the server below IMPORT_ROOT; the folder is not changed.

        Raises:
            NotFound: there is no such folder, or imports are disabled.
            AppError: as `create`.
        """
        options = self.recipe(choices)
        source: ImportSource = {"folder": asdict(self.server_folders.located(path))}
        folder = self.storage.new_tmp()
        folder.mkdir(parents=True)
        return self.import_staged(
            folder, source, options, {"kind": "import", "name": path[-255:]}, NewDataset(name, description)
        )

    def recipe(self, choices: Mapping[str, object]) -> ImportOptions:
        return recipe(choices, settings().MAX_CLASSES)

    def import_staged(
        self,
        folder: Path,
        source: ImportSource,
        options: ImportOptions,
        about: DatasetSource,
        new_dataset: NewDataset,
    ) -> Dataset:
        """Have a child fill and read a staging folder, then create the row and move the folder; both or neither.

        Args:
            source: `unpack` or `folder`, see `DatasetImports.submit`.
        """
        origin: RevisionOrigin = {"kind": about["kind"], "base": "source"}
        if "sample" in about:
            origin["sample"] = True
        params: ImportParams = {"staging": str(folder), "number": 1, "options": options, "origin": origin, **source}
        with ImportSession(self.imports, params) as importing:
            with self.cleanup_on_failure(importing, folder):
                planned = importing.verdict()
            dataset_id = self.adopt(importing, folder, planned, about, new_dataset)
            try:
                self.storage.sync_datasets()
                describe(self.storage, dataset_id)
            finally:  # the row exists: its status must not stay `validating` forever
                importing.release()
        logger.info(
            "dataset %d: %s, %s, %d images, %d bytes",
            dataset_id,
            new_dataset.name,
            planned.format,
            planned.images,
            planned.size_bytes,
        )
        return self.store.get(dataset_id)

    @contextmanager
    def cleanup_on_failure(self, importing: ImportSession, folder: Path) -> Iterator[None]:
        """Remove the staged files if the block fails, once its child has ended."""
        try:
            yield
        except BaseException:
            try:
                importing.end()
            finally:
                self.storage.remove(folder)
            raise

    def adopt(
        self,
        importing: ImportSession,
        folder: Path,
        planned: Planned,
        about: DatasetSource,
        new_dataset: NewDataset,
    ) -> int:
        """Create the rows and install the folder, both or neither; the dataset's id."""
        moved: int | None = None
        try:
            with writing() as session:
                values = columns(planned, about)
                dataset = Dataset(name=new_dataset.name, description=new_dataset.description, **values)
                session.add(dataset)
                session.flush()
                store_answer(session, new_dataset.request_key, {"dataset_id": dataset.id})
                origin, options = importing.params["origin"], importing.params["options"].copy()
                session.add(DatasetRevision(dataset_id=dataset.id, number=1, origin=origin, options=options))
                importing.accept(session, dataset.id)
                self.storage.install_dataset(folder, dataset.id)  # a rename is the only delay inside the transaction
                moved = dataset.id
                dataset.path = str(self.storage.dataset_dir(dataset.id))[-255:]
                dataset.become(DatasetStatus.VALIDATING)
        except BaseException:
            try:
                importing.end()
            finally:
                if moved is None:
                    self.storage.remove(folder)
                else:
                    self.storage.cleanup_dataset(moved)
            raise
        return moved

    def create_sample(self) -> Dataset:
        """Draw the sample dataset in a child process and import it; a concurrent request's sample is awaited and
        reused.

        Raises:
            Unavailable: it could not be drawn.
        """
        with self.drawing.alone() as waited:
            if waited is not None and (sample := self.store.newest_sample(waited)) is not None:
                return sample
            with self.drawing.drawn() as path, open(path, "rb") as file:
                about = _("Generated images of circles, squares and triangles.")
                return self.create(file, path.name, _("Sample: shapes"), about, sample=True)


def columns(planned: Planned, about: DatasetSource) -> NewDatasetColumns:
    """The columns of a dataset before its images are read."""
    return {
        "classes": planned.names,
        "size_bytes": planned.size_bytes,
        "total_images": planned.images,
        "status": DatasetStatus.PENDING,
        "task": planned.task or "detect",
        "format": planned.format,
        "report": {
            "decisions": planned.decisions,
            "skipped": planned.skipped,
            "renamed": planned.renamed,
            "archive": planned.notes,
            "original": {"name": about["name"]} if about["kind"] == "upload" else None,
        },
    }
