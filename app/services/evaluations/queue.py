"""Queues evaluations: a row and its job, committed together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.extensions import db
from app.jobs.model import DISPLACED, Job, JobStatus
from app.models import Evaluation
from app.services.evaluations.request import EvaluationColumns
from app.services.trainer.run_endings import mark_requested

if TYPE_CHECKING:
    from app.jobs import JobService

KIND = "evaluate"
UNASKED = "evaluate_automatic"  # the same program, but displaced by all other work
FIRST, NORMAL, LAST = 1000, 0, -1000  # priorities; trainings have -100 to 100
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


class EvaluationQueue:
    """Adds evaluations and finds unfinished ones."""

    def __init__(self, jobs: "JobService") -> None:
        self.jobs = jobs

    def add(
        self,
        session: Any,
        training_id: int,
        columns: EvaluationColumns,
        priority: int,
        kind: str = KIND,
        **params: object,
    ) -> Evaluation:
        """Add an evaluation in the caller's write transaction; call `announce` after its commit."""
        row = Evaluation(training_id=training_id, **columns)
        session.add(row)
        session.flush()
        names = {"evaluation_id": row.id, "token": row.token}
        job = self.jobs.add(session, kind, names | params, ("training", training_id), priority)
        session.flush()
        row.job_id = job.id
        return row

    def priority(self, session: Any) -> int:
        """The priority of a requested evaluation: before the waiting trainings, unless another one already waits there,
        since many of them would delay all trainings.
        """
        waits = (Job.kind == KIND) & Job.status.in_(UNFINISHED) & (Job.priority == FIRST)
        return NORMAL if session.scalar(select(Job.id).where(waits).limit(1)) else FIRST

    def bring_forward(self, session: Any, row: Evaluation) -> None:
        """Raise the priority of an automatic evaluation that is requested now."""
        mark_requested(session.get_one(Job, row.job_id), KIND, self.priority(session))

    def same(self, session: Any, training_id: int, columns: EvaluationColumns) -> Evaluation | None:
        """An unfinished evaluation with the same values."""
        unfinished = (Evaluation.training_id == training_id) & Evaluation.status.in_(UNFINISHED)
        rows = session.scalars(select(Evaluation).where(unfinished).order_by(Evaluation.id.desc()))
        return next((row for row in rows if is_same(row, columns) and self.is_active(session, row)), None)

    def is_active(self, session: Any, row: Evaluation) -> bool:
        """Whether its job is unfinished and not being stopped."""
        job = session.get(Job, row.job_id) if row.job_id else None
        return job is not None and job.status in UNFINISHED and job.stop_mode in {None, DISPLACED}

    def announce(self, job_ids: Sequence[int | None]) -> None:
        """Wake the queue, after the commit."""
        for job_id in job_ids:
            if job_id is not None and (job := db.session.get(Job, job_id)) is not None:
                self.jobs.announce(job)
        self.jobs.scheduler.wake()


def is_same(row: Evaluation, columns: EvaluationColumns) -> bool:
    return all(getattr(row, name) == value for name, value in columns.items())
