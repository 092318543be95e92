"""Rebuilds the index of a version that is damaged or missing: a job that reads the raw files with the options of the
row.

The version is read and built as an import does, beside its place; where that gives the same images, labels and classes,
the new index is the version's.
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

FINAL = {"data", "code"}  # failures of a job that are the dataset's or ours

logger = logging.getLogger("yolo.dataset")


def is_final(job: Job) -> bool:
    """Whether it failed, and would again."""
    return job.status == JobStatus.FAILED and job.error_code in FINAL


class IndexRebuilds:
    """Rebuilds indexes by jobs.

    Args:
        storage: where they are.
        jobs: has the kind `index_dataset` registered here.
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
        """Start the rebuild of a version's index, unless it has failed before; the error for whoever requests it."""
        try:
            mine = (DatasetRevision.dataset_id == dataset_id) & (DatasetRevision.number == number)
            row = db.session.scalar(select(DatasetRevision).where(mine))
            if row is None or not row.hash or not (self.storage.dataset_dir(dataset_id) / "source").is_dir():
                return DamagedIndex()
            if self.has_failed(dataset_id, number):
                return DamagedIndex()
            params = import_params(number, row.options, row.origin) | {"hash": row.hash}
            job = self.jobs.submit(INDEX, params, ("dataset", dataset_id))
        except NOT_WRITABLE as error:  # whoever asks next has it begun
            logger.warning("the index of version %d of dataset %d can't be rebuilt yet: %s", number, dataset_id, error)
            return DamagedIndex()
        return DamagedIndex.rebuilt_by(job.id)

    def has_failed(self, dataset_id: int, number: int) -> bool:
        """Whether the last attempt came to nothing, and would again; a full disk or a killed process may not."""
        rows = select(Job).where(Job.kind == INDEX, Job.subject_id == dataset_id).order_by(Job.id.desc())
        with everything():  # whoever's question it was
            newest = next((job for job in db.session.scalars(rows) if job.params["number"] == number), None)
        return newest is not None and is_final(newest)

    def collect(self, job: Job, _result: Mapping[str, object], _directory: Path) -> Mapping[str, object]:
        """Remove the damaged index once the new one is in place."""
        assert job.subject_id is not None
        remove_copies(self.storage.index(job.subject_id, job.params["number"]))
        return {"dataset_id": job.subject_id, "revision": job.params["number"]}

    def conclude(self, job: Job) -> None:
        """Notify the dataset's pages. Not after a stop or on a full disk: their requests would start the rebuild again
        and again."""
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
