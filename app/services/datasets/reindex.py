"""Rebuilds a damaged or missing index of a version, by a job that reads the raw files with the options of the row.

The version is built again beside the present one, as by an import; if images, labels and classes are the same, its
index becomes that of the version.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from app.access.private import everything
from app.database import NOT_WRITABLE
from app.extensions import db
from app.jobs import Job, JobKind, JobService, JobStatus
from app.models import Dataset, DatasetRevision
from app.notify import to_dashboard
from app.services.datasets.index import DamagedIndex
from app.services.datasets.specs import INDEX, STAGES, environment, import_params, import_spec
from app.services.storage import StorageService
from app.services.storage.damaged import remove_copies

FINAL = {"data", "code"}  # failures caused by the dataset or the program, which would occur again

logger = logging.getLogger("yolo.dataset")


def is_final(job: Job) -> bool:
    """Whether it failed, and would fail again."""
    return job.status == JobStatus.FAILED and job.error_code in FINAL


class IndexRebuilds:
    """Rebuilds indexes by jobs.

    Args:
        storage: of the versions' files.
        jobs: runs the kind `index_dataset`, registered here.
    """

    def __init__(self, storage: StorageService, jobs: JobService) -> None:
        self.storage, self.jobs = storage, jobs
        kind = JobKind(
            INDEX,
            program="import_dataset",
            stages=STAGES,
            spec=lambda job, directory: import_spec(storage, job, directory),
            environment=environment,
            collect=self.collect,
            ended=self.conclude,
        )
        jobs.register(kind)

    def begin(self, dataset_id: int, number: int) -> DamagedIndex:
        """Start the rebuild of a version's index, unless it has failed before; the error for the request."""
        try:
            mine = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.number == number)
            row = db.session.scalar(select(DatasetRevision).where(mine))
            if row is None or not row.hash or not (self.storage.dataset_dir(dataset_id) / "source").is_dir():
                return DamagedIndex()
            if self.has_failed(dataset_id, number):
                return DamagedIndex()
            params = {**import_params(number, row.options, row.origin), "hash": row.hash}
            job = self.jobs.submit(INDEX, params, ("dataset", dataset_id))
        except NOT_WRITABLE as error:  # the next request starts it
            logger.warning("the index of version %d of dataset %d can't be rebuilt yet: %s", number, dataset_id, error)
            return DamagedIndex()
        return DamagedIndex.rebuilt_by(job.id)

    def has_failed(self, dataset_id: int, number: int) -> bool:
        """Whether the last attempt failed and would fail again; after a full disk or a killed process another one may
        succeed.
        """
        rows = select(Job).where(Job.kind == INDEX, Job.subject_id == dataset_id).order_by(Job.id.desc())
        with everything():  # of any account
            newest = next((job for job in db.session.scalars(rows) if job.params["number"] == number), None)
        return newest is not None and is_final(newest)

    def collect(self, job: Job, _result: Mapping[str, object], _directory: Path) -> Mapping[str, object]:
        """Remove the damaged index once the new one is in place."""
        assert job.subject_id is not None
        remove_copies(self.storage.index(job.subject_id, job.params["number"]))
        return {"dataset_id": job.subject_id, "revision": job.params["number"]}

    def conclude(self, job: Job) -> None:
        """Notify the dataset's pages. Not after a stop or on a full disk: their requests would start the rebuild
        repeatedly.
        """
        dataset = db.session.get(Dataset, job.subject_id)
        if dataset is None or not (job.status == JobStatus.COMPLETED or is_final(job)):
            return
        update = {
            "dataset_id": dataset.id,
            "status": str(dataset.status),
            "error": dataset.error,
            "stage": None,
            "done": dataset.total_images,
            "total": dataset.total_images,
            "revision": job.params["number"],
            "index": True,
        }
        to_dashboard("dataset_update", update)
