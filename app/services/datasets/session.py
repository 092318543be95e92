"""ImportSession: an import before it has a row; its job reads the files while the request waits for the response."""

from typing import Any

from app.events import Planned, event_of
from app.jobs import Job, JobStatus
from app.jobs.recovery import error_of
from app.services.datasets.import_failures import refusal
from app.services.datasets.imports import READ, DatasetImports
from app.services.datasets.specs import ImportParams

LOST_S = 20.0  # a lost process is restarted at once, unless the database cannot be written
POLL_INTERVAL_S = 5.0
ROW_S = 2.0  # longest wait for the row of a refusal, so that the client's next request finds it


class ImportSession:
    """A context manager that ends its job unless the import was accepted.

    Args:
        params: see `DatasetImports.submit`.
        dataset_id: of the dataset that gets another version; None: a new one.
    """

    def __init__(self, imports: DatasetImports, params: ImportParams, dataset_id: int | None = None) -> None:
        self.imports, self.params, self.dataset_id = imports, params, dataset_id
        self.job_id: int | None = None
        self.kind = READ
        self.following_id: int | None = None  # the job that builds the version

    def __enter__(self) -> "ImportSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the job, unless the import was accepted; returns once no process reads the files."""
        job_id, self.job_id = self.job_id, None
        if job_id is not None:
            self.imports.jobs.abandon(job_id)

    def verdict(self) -> Planned:
        """Start the job, and wait until it has read the files; yields to other requests.

        Raises:
            BadUpload: it is not a ZIP, or a truncated one.
            Unprocessable: the files were refused.
            NoSpace: the disk is full.
            Unavailable: there was no verdict.
        """
        job = self.imports.submit(self.params, self.dataset_id)
        self.job_id, self.kind = job.id, job.kind
        received, waiting = self.imports.verdicts.received, self.imports.verdicts.waiting
        waiting.add(job.id)
        try:
            job = self.wait(job.id)
        finally:
            waiting.discard(self.job_id)
        event = received.pop(job.id, None)
        if isinstance(event, Planned):
            return event
        if event is not None:
            self.job_id = None  # its process has ended, and its row follows when the database can be written
            self.imports.jobs.wait(job.id, ROW_S)
            raise refusal(error_of(event))
        if job.result is None:
            raise refusal(job.error, stopped=job.status == JobStatus.CANCELLED)
        return event_of(Planned, job.result)

    def wait(self, job_id: int) -> Job:
        """Wait until the job has a verdict or has ended.

        Raises:
            Unavailable: its process was lost, and it cannot be restarted since the database cannot be written.
        """
        jobs, received = self.imports.jobs, self.imports.verdicts.received
        while True:
            job = jobs.wait(job_id, POLL_INTERVAL_S, lambda job: job.id in received)
            self.imports.verdicts.poll(job)
            if job_id in received or JobStatus(job.status).ended:
                return job
            if self.imports.lost_for(job_id) > LOST_S:
                raise refusal({"code": "killed"})

    def accept(self, session: Any, dataset_id: int) -> None:
        """Assign the job to the dataset, in the write transaction that creates the rows.

        Raises:
            Unavailable: the job has ended meanwhile.
        """
        if self.kind == READ:
            following = self.imports.add(session, dataset_id, self.params)
            session.flush()
            self.following_id = following.id
            return
        job = session.get_one(Job, self.job_id, with_for_update=True)
        if JobStatus(job.status).ended:
            raise refusal(job.error, stopped=job.status == JobStatus.CANCELLED)
        self.following_id = job.id
        job.subject_type, job.subject_id = "dataset", dataset_id
        job.params = job.params | {"accepted": True}

    def release(self) -> None:
        """After that transaction: build the version now, or queue it."""
        self.job_id = None
        if self.following_id is not None:
            self.imports.release(self.following_id)
