"""Hashes a dataset's current version in a job: hashing would block the web process."""

from collections.abc import Mapping
from pathlib import Path

from app.core.programs import HashSpec
from app.jobs import Job, JobKind, JobService, JobStatus

KIND = "hash_revision"
LIMIT_S = 600.0  # some 100 GB; an unchanged dataset takes 0.2 s


class RevisionHashes:
    """Computes the hash of a dataset's present files."""

    def __init__(self, jobs: JobService) -> None:
        self.jobs = jobs
        jobs.register(
            JobKind(KIND, "hash_revision", self.spec, at_once=2, limit_s=LIMIT_S, lasts=False, beside_web=True)
        )

    def current(self, dataset_id: int, data: Path) -> str | None:
        """SHA-256 as computed by app/worker/revision.py; None if that fails. Yields to other requests.

        Args:
            data: the dataset.yaml.
        """
        job = self.jobs.submit(KIND, {"data": str(data)}, ("dataset", dataset_id))
        job = self.jobs.wait(job.id, LIMIT_S)
        revision = (job.result or {}).get("revision") if job.status == JobStatus.COMPLETED else None
        return revision if isinstance(revision, str) else None

    def spec(self, job: Job, _directory: Path) -> Mapping[str, object]:
        return HashSpec(job.params["data"]).values()
