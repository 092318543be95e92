"""Reads and writes a job's row for one attempt: a write of an attempt that is over matches no row."""

from typing import Any

from sqlalchemy.orm import scoped_session

from app.extensions import db
from app.jobs.model import Job, JobStatus


class Superseded(Exception):
    """The job is no longer this attempt's: another one has claimed it, or its row was deleted."""


class AttemptRow:
    """A job's row while this attempt runs it."""

    def __init__(self, job_id: int, attempt: int) -> None:
        self.job_id, self.attempt = job_id, attempt

    def anyhow(self) -> Job:
        """The row, whichever attempt has it.

        Raises:
            Superseded: the row was deleted.
        """
        job = db.session.get(Job, self.job_id, populate_existing=True)
        if job is None:
            raise Superseded
        return job

    def present(self) -> Job:
        """The row as it is now.

        Raises:
            Superseded: the job has another attempt.
        """
        return self.mine(db.session.get(Job, self.job_id, populate_existing=True))

    def locked(self, session: scoped_session[Any]) -> Job:
        """The row for a change, in a write transaction.

        Raises:
            Superseded: the job has another attempt.
        """
        return self.mine(session.get(Job, self.job_id, with_for_update=True))

    def mine(self, job: Job | None) -> Job:
        if job is None or job.attempt != self.attempt or job.status != JobStatus.RUNNING:
            raise Superseded
        return job
