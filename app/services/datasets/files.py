"""What a dataset gives back: the upload as it came, and a revision in another format."""

import logging
import re
from pathlib import Path

from flask_babel import gettext as _

from app.database import refuse_writes
from app.errors import AppError, NoSpace, NotFound, Unavailable, Unprocessable
from app.events import Failed
from app.extensions import socketio
from app.models import Dataset
from app.services.datasets.base import DatasetBase
from app.services.process import Child
from app.services.storage import StorageService

logger = logging.getLogger("yolo.dataset")

POLL_S = 0.05


class DatasetFiles(DatasetBase):
    """Finds and makes files to be downloaded."""

    def __init__(self, storage: StorageService) -> None:
        super().__init__(storage)
        self.exporting: set[Path] = set()

    def original(self, dataset_id: int) -> tuple[Path, str]:
        """The upload, and the name that it had.

        Raises:
            NotFound: no such dataset, or it was no upload.
        """
        dataset = self.get(dataset_id)
        path = self.storage.original(dataset_id)
        if not path.is_file():
            raise NotFound(
                _(
                    "The original upload isn't available: the dataset wasn't uploaded as a ZIP, or it "
                    "comes from an older version."
                )
            )
        known = dataset.report.get("original") or {}
        return path, known.get("name") or f"dataset-{dataset_id}.zip"

    def export(self, dataset_id: int, form: str, number: int | None) -> tuple[Path, str]:
        """A revision as a ZIP in a format, and the name to save it under; built at the first time.

        Args:
            form: yolo, coco or voc.

        Raises:
            NotFound: no such dataset or revision. Unavailable: it could not be built.
        """
        row = self.get_revision(dataset_id, number)
        name = f"{plain(self.get(dataset_id))}-r{row.number}-{form}.zip"
        path = self.storage.dataset_dir(dataset_id) / "exports" / f"{row.number}-{form}.zip"
        while path in self.exporting:
            socketio.sleep(POLL_S)
        if not path.is_file():
            self.exporting.add(path)
            try:
                self.build_export(path, dataset_id, row.number, form, row.task)
            finally:
                self.exporting.discard(path)
        return path, name

    def build_export(self, path: Path, dataset_id: int, number: int, form: str, task: str) -> None:
        """Have the child write the ZIP; it is there whole or not at all."""
        refuse_writes()
        folder = self.storage.new_tmp()
        values = {"revision": str(self.storage.revision_dir(dataset_id, number)), "format": form, "task": task,
                  "output": str(folder / "export.zip")}  # fmt: skip
        try:
            child = Child.start("export_dataset", folder, values, {})
            while child.alive():
                socketio.sleep(POLL_S)
            if child.exit_code() != 0 or not (folder / "export.zip").is_file():
                raise failure(child, dataset_id)
            self.storage.put_export(folder / "export.zip", path)
        finally:
            self.storage.remove(folder)


def failure(child: Child, dataset_id: int) -> AppError:
    """Why there is no export."""
    said = [envelope.event for _offset, envelope in child.events()]
    last = said[-1] if said and isinstance(said[-1], Failed) else None
    if last and last.kind == "data":
        return Unprocessable(_("This format can't store image classes. Export the dataset as YOLO."))
    if last and last.kind == "disk_full":
        return NoSpace(_("The disk is full. Free some space and try again."))
    logger.error("dataset %d was not exported: %s", dataset_id, last, extra={"output": child.log_tail()})
    return Unavailable(_("The export failed. See the server log for details."))


def plain(dataset: Dataset) -> str:
    """A dataset's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or f"dataset-{dataset.id}"
