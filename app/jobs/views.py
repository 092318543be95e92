"""A job as the API shows it."""

from typing import Any

from app.jobs.live import Live
from app.jobs.model import Job
from app.jobs.texts import error_text

EMPTY = {"stage": None, "done": 0, "total": 0, "percent": None, "rate": None, "eta": None}


def job_out(job: Job, live: Live) -> dict[str, Any]:
    """As JobOut takes it; the reason of a failure in the language of the context."""
    code = (job.error or {}).get("code")
    return {
        "id": job.id,
        "kind": job.kind,
        "subject": {"type": job.subject_type, "id": job.subject_id} if job.subject_type else None,
        "status": job.status,
        "progress": EMPTY | live.progress(job),
        "device": "cpu",
        "runner": (job.runner or {}).get("host"),
        "attempt": job.attempt,
        "stop_requested": job.stop_mode is not None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "error": {"code": code, "message": error_text(code)} if code else None,
        "result": job.result,
    }
