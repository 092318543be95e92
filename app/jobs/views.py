"""Jobs as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import Select, select

from app.access.creators import creator_conditions
from app.jobs.live import Live
from app.jobs.model import Job
from app.jobs.progress import JobProgressView
from app.jobs.texts import error_text

if TYPE_CHECKING:
    from app.schemas.jobs import JobQueryValues


class JobSubject(TypedDict):
    """What a job is about."""

    type: str
    id: int | None


class JobErrorView(TypedDict):
    """Why a job has failed; the message in the language of the context."""

    code: str
    message: str


class JobView(TypedDict):
    """A job as the JobOut schema expects it."""

    id: int
    kind: str
    subject: JobSubject | None
    subject_name: str | None
    status: str
    progress: JobProgressView
    device: str | None
    runner: str | None
    attempt: int
    stop_requested: bool
    created_at: datetime
    created_by: int | None
    started_at: datetime | None
    ended_at: datetime | None
    error: JobErrorView | None
    result: Mapping[str, object] | None


class JobPageView(TypedDict):
    """A page of jobs as the JobPage schema expects it."""

    jobs: list[JobView]
    total: int
    page: int
    per_page: int
    pages: int


def newest_first(query: "JobQueryValues") -> Select[Job]:
    """The statement for a list of jobs; `query` as JobQuery loads it."""
    statement = select(Job).where(*creator_conditions(Job.created_by, query.get("created_by"))).order_by(Job.id.desc())
    if query.get("kind"):
        statement = statement.where(Job.kind == query["kind"])
    if query.get("status"):
        statement = statement.where(Job.status == query["status"])
    return statement


def jobs_out(jobs: Sequence[Job], live: Live, names: Mapping[tuple[str, int], str]) -> list[JobView]:
    """Each as the JobOut schema expects it; the reason of a failure in the language of the context.

    Args:
        names: of subjects, by type and id.
    """
    progress = live.progress_of(jobs)
    return [out(job, progress[job.id], names) for job in jobs]


def out(job: Job, progress: JobProgressView, names: Mapping[tuple[str, int], str]) -> JobView:
    """A job as the JobOut schema expects it."""
    code = job.error_code
    return {
        "id": job.id,
        "kind": job.kind,
        "subject": {"type": job.subject_type, "id": job.subject_id} if job.subject_type else None,
        "subject_name": names.get((job.subject_type or "", job.subject_id or 0)),
        "status": job.status,
        "progress": progress,
        "device": ",".join(job.devices) if job.devices else None,
        "runner": (job.runner or {}).get("name") or (job.runner or {}).get("host"),
        "attempt": job.attempt,
        "stop_requested": job.stop_mode is not None,
        "created_at": job.created_at,
        "created_by": job.created_by,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "error": {"code": code, "message": error_text(code)} if code else None,
        "result": job.result,
    }
