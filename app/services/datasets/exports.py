"""Exports dataset versions as ZIPs in other formats: cached by version and format, built by a job at the first
request."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from flask_babel import gettext as _

from app.core.programs import ExportDatasetResult, ExportDatasetSpec
from app.database import refuse_writes
from app.errors import AppError, NoSpace, NotFound, Unavailable, Unprocessable
from app.extensions import db
from app.jobs import Job, JobKind, JobService, JobStatus
from app.models import Dataset
from app.services.datasets.dataset_about import repair_description
from app.services.datasets.store import DatasetStore
from app.services.storage.damaged import set_file_aside

KIND = "export_dataset"
SOON_S = 1.0  # a longer build is answered with the job


class DatasetExports:
    """Finds and builds the ZIPs.

    Args:
        store: finds versions and their files.
        jobs: runs the kind `export_dataset`, registered here.
    """

    def __init__(self, store: DatasetStore, jobs: JobService) -> None:
        self.store, self.storage, self.jobs = store, store.storage, jobs
        jobs.register(JobKind(KIND, "export_dataset", self.spec, self.collect, at_once=2))

    def find(self, dataset_id: int, form: str, number: int | None) -> tuple[Path, str]:
        """The path of the ZIP, which may not exist yet, and its download name.

        Args:
            form: yolo, coco or voc.
            number: of the revision; None: the current one.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: the revision is not ready.
        """
        row = self.store.get_revision(dataset_id, number)
        name = f"{name_of(self.store.get(dataset_id))}-r{row.number}-{form}.zip"
        path = self.path(dataset_id, row.number, form)
        if path.is_file() and not zipfile.is_zipfile(path):
            set_file_aside(path, "no ZIP")
        return path, name

    def create(self, dataset_id: int, form: str, number: int | None) -> Job | None:
        """Build the ZIP; returns the job if that takes longer than SOON_S.

        Raises:
            NotFound: there is no such dataset or version.
            AppError: the export failed.
        """
        refuse_writes()
        row = self.store.get_revision(dataset_id, number)
        self.refuse_deleted(dataset_id, row.number)
        repair_description(self.storage, dataset_id, row.number)
        revision = row.number  # the row may be deleted before the job ends
        params = {"revision": revision, "format": form}
        job = self.jobs.wait(self.jobs.submit(KIND, params, ("dataset", dataset_id)).id, SOON_S)
        if not JobStatus(job.status).ended:
            return job
        if job.status != JobStatus.COMPLETED:
            self.refuse_deleted(dataset_id, revision)
            raise refusal(job)
        return None

    def refuse_deleted(self, dataset_id: int, number: int) -> None:
        """Check that the dataset and its files still exist.

        Raises:
            NotFound: they were deleted meanwhile.
        """
        db.session.rollback()  # the previous snapshot may be stale
        self.store.get_revision(dataset_id, number)
        if not self.storage.revision_dir(dataset_id, number).is_dir():
            raise NotFound(_("The files of version %(number)s aren't on the server.", number=number))

    def path(self, dataset_id: int, number: int, form: str) -> Path:
        return self.storage.dataset_dir(dataset_id) / "exports" / f"{number}-{form}.zip"

    # The kind.

    def spec(self, job: Job, directory: Path) -> Mapping[str, object]:
        dataset_id, number = job.subject_id or 0, job.params["revision"]
        return ExportDatasetSpec(
            revision=str(self.storage.revision_dir(dataset_id, number)),
            format=job.params["format"],
            output=str(directory / "export.zip"),
            task=self.store.get_revision(dataset_id, number).task,
        ).values()

    def collect(self, job: Job, result: ExportDatasetResult, directory: Path) -> Mapping[str, object]:
        """Move the ZIP to its path; if it is already there, an earlier server moved it before it ended."""
        archive = directory / "export.zip"
        target = self.path(job.subject_id or 0, job.params["revision"], job.params["format"])
        if archive.exists() or not target.exists():
            self.storage.revisions.install_export(archive, target)
        query = f"format={job.params['format']}&revision={job.params['revision']}"
        return {**result, "url": f"/api/datasets/{job.subject_id}/export?{query}"}


def refusal(job: Job) -> AppError:
    """The reason for a failed export."""
    code = job.error_code
    if job.status == JobStatus.CANCELLED:
        return Unavailable(_("The export was stopped."))
    if code == "data":
        return Unprocessable(_("This format can't store image classes. Export the dataset as YOLO."))
    if code == "disk_full":
        return NoSpace(_("The disk is full. Free some space and try again."))
    return Unavailable(_("The export failed. See the server log for details."))


def name_of(dataset: Dataset) -> str:
    """A dataset's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or f"dataset-{dataset.id}"
