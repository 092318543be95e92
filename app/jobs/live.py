"""What clients are told of jobs: each change after its commit, and progress, which costs no row."""

import time
from dataclasses import dataclass, field
from typing import Any

from app import notify
from app.jobs.model import Job, JobStatus
from app.jobs.texts import error_text

EVERY_S = 0.25  # between two messages about progress


@dataclass
class Meter:
    """Progress of a running job, and its pace since it began."""

    done: int = 0
    total: int = 0
    stage: str = ""
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0

    def read(self) -> dict[str, Any]:
        """stage, done, total, percent, rate (a second) and eta (s); what is not known is None."""
        seconds = time.monotonic() - self.began
        rate = self.done / seconds if self.done and seconds > 0 else None
        return {
            "stage": self.stage or None,
            "done": self.done,
            "total": self.total,
            "percent": round(100 * self.done / self.total, 1) if self.total else None,
            "rate": rate and round(rate, 2),
            "eta": round((self.total - self.done) / rate, 1) if rate and self.total else None,
        }


class Live:
    """The newest progress of each running job, and the rooms."""

    def __init__(self) -> None:
        self.meters: dict[int, Meter] = {}

    def begin(self, job_id: int) -> None:
        self.meters[job_id] = Meter()

    def advance(self, job_id: int, done: int, total: int, stage: str) -> None:
        """Remember how far a job is, and tell its room at most four times a second."""
        meter = self.meters.setdefault(job_id, Meter())
        if stage != meter.stage:
            meter.began = time.monotonic()
        meter.done, meter.total, meter.stage = done, total, stage
        if time.monotonic() - meter.told >= EVERY_S or done == total:
            meter.told = time.monotonic()
            payload = {"job_id": job_id, "status": str(JobStatus.RUNNING), "progress": meter.read()}
            notify.to_job("job_update", job_id, payload)

    def tell(self, job: Job) -> None:
        """A committed change of a job."""
        if job.status != JobStatus.RUNNING:
            self.meters.pop(job.id, None)
        payload = {"job_id": job.id, "kind": job.kind, "status": job.status}
        notify.to_job("job_update", job.id, payload | {"progress": self.progress(job)})
        if job.status == JobStatus.COMPLETED:
            notify.to_job("job_completed", job.id, payload | {"result": job.result})
        elif job.status == JobStatus.FAILED:
            code = (job.error or {}).get("code", "code")
            notify.to_job_readers("job_error", job.id, lambda: payload | {"code": code, "error": error_text(code)})

    def progress(self, job: Job) -> dict[str, Any]:
        """The newest progress of a job."""
        if job.status == JobStatus.RUNNING and (meter := self.meters.get(job.id)):
            return meter.read()
        return job.progress
