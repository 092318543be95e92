"""Notifies services of the end of a run, and ends their automatic jobs when the run resumes."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from app.access.private import everything
from app.extensions import db
from app.jobs.model import CANCEL, Job, JobStatus
from app.jobs.transitions import change
from app.models import Training, now
from app.services.trainer.transitions import KIND as TRAINING

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.training")

AUTOMATIC = "automatic"  # in the params of an automatic job, which ends if its run resumes


class EndedRuns:
    """Notifies listeners of runs that end, each time: completed, failed or stopped.

    Args:
        jobs: has the jobs that follow a run.
    """

    def __init__(self, jobs: "JobService") -> None:
        self.jobs = jobs
        self.listeners: list[Callable[[Training], None]] = []

    def notify(self, row: Training) -> None:
        """Call the listeners of a run that ended, after the commit; an error in one does not stop the others."""
        training_id = row.id
        for listener in self.listeners:
            try:
                listener(row)
            except Exception:
                db.session.rollback()
                logger.exception("a listener of the end of training %s failed", training_id)

    def announce_ended(self, training_id: int, since: datetime) -> None:
        """Announce the jobs that `end_automatic` or `end_work` has ended, or requested to end, since then; after the
        commit.
        """
        lately = or_(Job.ended_at >= since, Job.stop_requested_at >= since)
        of_run = (Job.subject_type == "training") & (Job.subject_id == training_id)
        mine = of_run & (Job.kind != TRAINING) & lately
        with everything():  # of any account
            for job in db.session.scalars(select(Job).where(mine)).all():
                self.jobs.announce(job)


def needs_evaluation(folder: Path) -> bool:
    """Whether a run's folder has best weights that are newer than the evaluation in it."""
    best, evaluation = folder / "run" / "weights" / "best.pt", folder / "evaluation" / "evaluation.json"
    return best.is_file() and (not evaluation.is_file() or evaluation.stat().st_mtime < best.stat().st_mtime)


def mark_requested(job: Job, kind: str, priority: int) -> None:
    """Convert an automatic job to a requested one, which is not displaced. In the caller's write transaction."""
    job.kind, job.priority = kind, max(job.priority, priority)
    job.params = {name: value for name, value in job.params.items() if name != AUTOMATIC}


def end_automatic(training_id: int) -> None:
    """End the automatic jobs that followed a run's end, since it resumes. In the caller's write transaction."""
    for job in unfinished(training_id):
        if job.params.get(AUTOMATIC):
            end(job)


def end_work(training_id: int) -> None:
    """End all jobs that follow a run, since it is deleted. In the caller's write transaction."""
    for job in unfinished(training_id):
        end(job)


def unfinished(training_id: int) -> Iterator[Job]:
    """The unfinished jobs of a run, except the training itself."""
    open_ones = Job.status.in_((JobStatus.PENDING, JobStatus.RUNNING)) & (Job.kind != TRAINING)
    mine = (Job.subject_type == "training") & (Job.subject_id == training_id) & open_ones
    yield from db.session.scalars(select(Job).where(mine)).all()


def end(job: Job) -> None:
    """End a job, in the caller's write transaction."""
    if job.status == JobStatus.PENDING:
        change(job, JobStatus.CANCELLED)
    else:
        job.stop_mode, job.stop_requested_at = CANCEL, now()
