"""Concludes an attempt: its row, then its files and those that wait for it."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.core.paths import redact_paths
from app.database import retry_until_writable, writing
from app.events import Event, Failed, Finished, Refused, Stopped
from app.extensions import db
from app.jobs.attempt import AttemptRow
from app.jobs.kinds import JobKind
from app.jobs.launch import is_full
from app.jobs.model import Job, JobStatus
from app.jobs.recovery import conclude, level_of, refuse
from app.jobs.supervisor_context import SupervisorContext
from app.jobs.transitions import change

logger = logging.getLogger("yolo.jobs")


class Ending:
    """Records how an attempt ended.

    Args:
        row: of the attempt. kind: of its job. directory: of its files.
    """

    def __init__(self, context: SupervisorContext, kind: JobKind, row: AttemptRow, directory: Path) -> None:
        self.context, self.kind, self.row, self.directory = context, kind, row, directory
        self.job_id = row.job_id

    def write(self, event: Event) -> Job:
        """Record the ending, retrying until the database is writable; the row after it.

        Raises:
            Superseded: the job has another attempt.
        """
        if isinstance(event, Failed):
            output = {"output": event.traceback}
            logger.log(level_of(event), "job %s: %s: %s", self.job_id, event.kind, event.error, extra=output)
        if self.kind.ends is not None:
            self.kind.ends(self.job_id, event)
        return retry_until_writable(lambda: self.record(event))

    def announce(self, job: Job, event: Event) -> None:
        """After the commit: remove the attempt's files, and announce the change."""
        if self.kind.directory is None:
            self.remove_files(JobStatus(job.status), event)
        self.context.changed(job)

    def remove_files(self, status: JobStatus, event: Event) -> None:
        """Remove the attempt's files. Those of a failure stay until their retention is over; what the next attempt uses
        is outside this folder.
        """
        if status == JobStatus.PENDING:
            shutil.rmtree(self.directory, ignore_errors=True)
        elif status != JobStatus.FAILED or isinstance(event, Refused):
            shutil.rmtree(self.directory.parent, ignore_errors=True)

    def record(self, event: Event) -> Job:
        """Apply the event to the row."""
        if self.kind.record is not None:
            self.row.present()
            failure = event if isinstance(event, Failed) else Failed("code", "an ending of another kind of work")
            self.kind.record.fail(self.job_id, self.row.attempt, failure)
            return self.row.anyhow()
        result = None
        if isinstance(event, Finished):
            event, result = self.collect(event)
        with writing() as session:
            job = self.row.locked(session)
            if isinstance(event, Finished):
                change(job, JobStatus.COMPLETED, result=result, progress=self.last_progress())
            elif isinstance(event, Stopped) and job.stop_mode is None:  # the server or the machine was stopped
                change(job, JobStatus.PENDING)
            elif isinstance(event, Stopped):
                change(job, JobStatus.CANCELLED)
            elif isinstance(event, Refused):
                refuse(job, event)
            else:
                failure = event if isinstance(event, Failed) else Failed("code", "an ending of another kind of work")
                conclude(job, self.kind, replace(failure, error=redact_paths(failure.error, self.context.root.parent)))
        return db.session.get_one(Job, self.job_id)

    def collect(self, event: Finished) -> tuple[Finished | Failed, Mapping[str, object] | None]:
        """Collect the program's result; on a full disk, the job fails."""
        job = self.row.present()
        try:
            return event, self.kind.collect(job, event.result, self.directory)
        except OSError as error:
            kind = "disk_full" if is_full(error) else "code"
            return Failed(kind, f"{type(error).__name__}: {error}"), None

    def last_progress(self) -> dict[str, object]:
        meter = self.context.live.meters.get(self.job_id)
        if meter is None:
            return {}
        if meter.share is not None:
            meter.share, meter.width = 1.0, 0.0
        return {**meter.read()}
