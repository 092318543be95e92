"""Exports trained models: converted, verified against the .pt, and only then offered for download."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from flask_babel import gettext as _
from sqlalchemy import delete, select

from app.config import settings
from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.jobs import JobStatus
from app.jobs.workers import gpus_for_jobs
from app.models import ModelExport, Training
from app.schemas.exports import (
    ExportFormatOutValues,
    ModelExportDeletedValues,
    ModelExportInValues,
    ModelExportOutValues,
)
from app.services.exports import texts
from app.services.exports.automatic import AutomaticExports
from app.services.exports.files import ExportFiles
from app.services.exports.formats import ExportFormat, formats
from app.services.exports.jobs import ExportJobs
from app.services.exports.package import Package
from app.services.exports.queue import UNFINISHED, ExportQueue, ExportState
from app.services.exports.request import check_arguments, key_of, refuse_without_classes
from app.services.storage.hashed import hash_file, is_replaced
from app.services.trainer import present
from app.services.trainer.integrity import require_intact
from app.services.trainer.store import not_deleted, training_not_found

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.storage import StorageService
    from app.services.trainer.run_endings import EndedRuns


class ModelExports:
    """The interface of model exports for requests.

    Args:
        storage: of the trainings' folders.
        jobs: runs the kinds registered here.
        ended: notifies of runs that have ended.
    """

    def __init__(self, storage: "StorageService", jobs: "JobService", ended: "EndedRuns") -> None:
        self.storage, self.jobs, self.files = storage, jobs, ExportFiles(storage)
        self.kind, self.queue = ExportJobs(storage, self.files, jobs), ExportQueue(self.files, jobs)
        ended.listeners.append(AutomaticExports(storage, self.queue).submit)

    def formats(self) -> list[ExportFormatOutValues]:
        """Every format as ExportFormatOut; unavailable ones with the reason."""
        gpus = gpus_for_jobs(settings())
        return [format_view(item, gpus) for item in formats().values()]

    def request(self, training_id: int, values: ModelExportInValues) -> tuple[ModelExport, bool]:
        """The requested export, and whether it has already ended; an unfinished one has a job.

        Raises:
            NotFound: there is no such run.
            Conflict: it has no intact weights, or is in the trash.
            Unprocessable: invalid options.
        """
        training = self.training(training_id)
        folder = self.storage.get_training_dir(training_id)
        weights = present.weights(folder)
        if weights is None:
            raise Conflict(_("This run has no weights yet. Wait for its first epoch."))
        require_intact(folder, weights)
        refuse_without_classes(training)
        arguments = check_arguments(training, values)
        sha256 = hash_file(weights)
        key = key_of(sha256, values["format"], arguments)
        if (row := self.queue.find_existing(training_id, key)) is not None and self.queue.bring_forward(row.id):
            return row, row.status == JobStatus.COMPLETED
        if (row := self.queue.find_failed(training_id, key)) is not None:
            return row, True
        return self.queue.begin(training_id, key, values["format"], arguments, sha256), False

    def state(self, row: ModelExport) -> ExportState:
        """status, progress and error of an export."""
        return self.queue.state(row)

    def delete(self, export_id: int) -> ModelExportDeletedValues:
        """Remove an export with its files; a running one is ended.

        Raises:
            NotFound: there is no such export.
        """
        row = self.get(export_id)
        job_id, folder = row.job_id, self.files.folder(row)
        if self.state(row)["status"] in UNFINISHED and job_id is not None:
            self.jobs.end(job_id)
        with self.storage.removal(folder) as move_files, writing() as session:
            mine = (ModelExport.id == export_id) & (ModelExport.job_id == job_id)
            deleted = session.scalars(delete(ModelExport).where(mine).returning(ModelExport.id)).all()
            if deleted:  # otherwise its id may have been reused
                move_files()
        return {"message": _("Export deleted"), "export_id": export_id}

    def set_unknown_aside(self) -> int:
        """Set folders without a row aside; returns how many."""
        folders = [path for path in self.storage.models.glob("*/exports/*") if path.name.isdecimal()]
        # read after the folders: a row is committed before its folder exists
        existing = set(db.session.scalars(select(ModelExport.id)))
        unknown = [path for path in folders if int(path.name) not in existing]
        for path in unknown:
            with suppress(FileNotFoundError):  # deleted meanwhile, with its export or its run
                self.storage.set_aside(path)
        return len(unknown)

    def get(self, export_id: int) -> ModelExport:
        """The export with this id.

        Raises:
            NotFound: there is no such export.
        """
        row = db.session.get(ModelExport, export_id, populate_existing=True)
        if row is None:
            raise NotFound(_("Export %(id)s doesn't exist.", id=export_id))
        return row

    def of_training(self, training_id: int) -> list[ModelExportOutValues]:
        """The exports of a run, newest first, as ExportOut.

        Raises:
            NotFound: there is no such run.
        """
        if db.session.get(Training, training_id) is None:
            raise training_not_found(training_id)
        mine = select(ModelExport).where(ModelExport.training_id == training_id)
        rows = db.session.scalars(mine.order_by(ModelExport.id.desc())).all()
        return [self.view(row) for row in rows]

    def view(self, row: ModelExport) -> ModelExportOutValues:
        """An export as ExportOut."""
        state = self.state(row)
        offered = state["status"] == JobStatus.COMPLETED
        export_format, weights = (
            formats().get(row.format),
            present.weights(self.storage.get_training_dir(row.training_id)),
        )
        shipped = row.verification.get("at_threshold") if row.verification else None
        return {
            "id": row.id,
            "training_id": row.training_id,
            "format": row.format,
            "arguments": row.arguments,
            "job_id": row.job_id,
            "weights_sha256": row.weights_sha256,
            "created_at": row.created_at,
            "created_by": row.created_by,
            "ended_at": row.ended_at,
            "label": export_format.label if export_format else row.format,
            "size_bytes": row.size_bytes if offered else None,
            "verification": row.verification,
            "threshold": shipped["confidence"] if shipped else None,
            "thresholds": row.thresholds,
            "notes": texts.notes(row.details, row.verification),
            "weights_changed": weights is not None and is_replaced(weights, row.weights_sha256, row.created_at),
            "url": f"/api/exports/{row.id}/download" if offered else None,
            **state,
        }

    def download(self, export_id: int) -> tuple[Iterator[bytes], str]:
        """The ZIP in chunks, and its download name.

        Raises:
            NotFound: there is no such export, or its files were deleted.
            Conflict: it is not downloadable.
        """
        row = self.get(export_id)
        training = self.training(row.training_id)
        state = self.state(row)
        if state["status"] != JobStatus.COMPLETED or row.verification is None:
            reason = state["error"]["message"] if state["error"] else _("The export isn't ready yet.")
            raise Conflict(reason, members={"current": str(state["status"])})
        if not self.files.are_intact(row):
            raise NotFound(texts.failure("files_missing"))
        package = Package(row, training, self.files.folder(row))
        return package.pieces(list(self.files.of(row))), package.file_name

    def training(self, training_id: int) -> Training:
        """The training with this id, unless it is in the trash.

        Raises:
            NotFound: there is no such run.
            Conflict: it is in the trash.
        """
        training = db.session.get(Training, training_id)
        if training is None:
            raise training_not_found(training_id)
        return not_deleted(training)


def format_view(item: ExportFormat, devices: tuple[str, ...]) -> ExportFormatOutValues:
    """A format as ExportFormatOut; `devices`: the GPUs that jobs can use."""
    reason = item.why_not(devices)
    no_int8 = item.why_no_int8() if "int8" in item.arguments else None
    arguments = [name for name in item.arguments if name != "int8" or no_int8 is None]
    return {
        "format": item.name,
        "label": item.label,
        "available": reason is None,
        "reason": reason,
        "arguments": arguments,
        "int8_reason": no_int8 if reason is None else None,
    }
