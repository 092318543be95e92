"""Sends jobs' changes to clients after each commit, and their progress, which costs no row."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app import notify
from app.cluster import Bus
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.progress import JobProgressView, progress_view
from app.jobs.texts import error_text

EVERY_S = 0.25  # between two messages about progress


@dataclass
class Meter:
    """Progress of a running job, and its pace since it began."""

    done: int = 0
    total: int = 0
    stage: str = ""
    share: float | None = None  # of the whole, where the stage begins; None: counted by done and total
    began: float = field(default_factory=time.monotonic)  # the stage
    started: float = field(default_factory=time.monotonic)
    sent_at: float = 0.0

    def read(self) -> JobProgressView:
        """stage, done, total, percent, rate (a second) and eta (s); what is not known is None."""
        seconds = time.monotonic() - self.began
        rate = self.done / seconds if self.done and seconds > 0 else None
        return {
            "stage": self.stage or None,
            "done": self.done,
            "total": self.total,
            "percent": self.percent(),
            "rate": rate and round(rate, 2),
            "eta": round((self.total - self.done) / rate, 1) if rate and self.total else None,
        }

    def percent(self) -> float | None:
        if self.share is not None:
            return round(100 * self.share, 1)
        return round(100 * self.done / self.total, 1) if self.total else None


class Live:
    """The newest progress of each running job, in every process, and what the rooms of jobs receive."""

    def __init__(self, kinds: Kinds, bus: Bus | None = None) -> None:
        self.kinds, self.bus = kinds, bus or Bus("", "")
        self.bus.on("progress", self.receive_progress)
        self.bus.on("progress_over", lambda job_id: self.meters.pop(job_id, None))
        self.meters: dict[int, Meter] = {}

    def begin(self, job_id: int) -> None:
        self.meters[job_id] = Meter()

    def advance(self, job_id: int, done: int, total: int, stage: str) -> None:
        """Update the progress of a job, and send it to its room at most four times a second."""
        meter = self.meters.setdefault(job_id, Meter())
        if stage != meter.stage:
            meter.began = time.monotonic()
        meter.done, meter.total, meter.stage = done, total, stage
        if time.monotonic() - meter.sent_at >= EVERY_S or done == total:
            meter.sent_at = time.monotonic()
            self.publish_progress(job_id, meter)

    def publish_progress(self, job_id: int, meter: Meter) -> None:
        self.bus.publish("progress", [job_id, meter.done, meter.total, meter.stage, meter.share])
        payload = {"job_id": job_id, "status": str(JobStatus.RUNNING), "progress": meter.read()}
        notify.to_job("job_update", job_id, payload)

    def receive_progress(self, message: list[Any]) -> None:
        """The progress of a job that another process watches."""
        job_id, done, total, stage, share = message
        meter = self.meters.setdefault(job_id, Meter())
        if stage != meter.stage:
            meter.began = time.monotonic()
        meter.done, meter.total, meter.stage, meter.share = done, total, stage, share

    def enter(self, job_id: int, stage: str, share: float) -> None:
        """Update the stage of a job that reports stages alone, and send it to its room."""
        meter = self.meters.setdefault(job_id, Meter())
        if stage != meter.stage:
            if meter.stage:  # the clock of the first one runs since the job began: what was shown never goes back
                meter.began = time.monotonic()
            meter.stage, meter.share = stage, share
            self.publish_progress(job_id, meter)

    def is_due(self, job_id: int) -> bool:
        """Whether it is time to send the progress of a job, and somebody is in its room."""
        meter = self.meters.setdefault(job_id, Meter())
        return time.monotonic() - meter.sent_at >= EVERY_S and notify.anyone_in([notify.job_room(job_id)])

    def publish_recorded(self, job_id: int, progress: JobProgressView) -> None:
        """Send to its room the progress of a job that a service records."""
        self.meters.setdefault(job_id, Meter()).sent_at = time.monotonic()
        payload = {"job_id": job_id, "status": str(JobStatus.RUNNING), "progress": progress}
        notify.to_job("job_update", job_id, payload)

    def publish(self, job: Job) -> None:
        """Send a committed change of a job to its room."""
        if job.status != JobStatus.RUNNING:
            self.meters.pop(job.id, None)
            self.bus.publish("progress_over", job.id)
        payload = {"job_id": job.id, "kind": job.kind, "status": job.status}
        notify.to_job("job_update", job.id, payload | {"progress": self.progress(job)})
        if job.status == JobStatus.COMPLETED:
            notify.to_job("job_completed", job.id, payload | {"result": job.result})
        elif job.status == JobStatus.FAILED:
            code = job.error_code or "code"
            notify.to_job_readers("job_error", job.id, lambda: payload | {"code": code, "error": error_text(code)})

    def progress(self, job: Job) -> JobProgressView:
        """The newest progress of a job."""
        return self.progress_of([job])[job.id]

    def progress_of(self, jobs: Sequence[Job]) -> dict[int, JobProgressView]:
        """The newest progress of each, by its id. What has ended is as it was then: its record may have gone on."""
        progress_by_id = {job.id: progress_view(job.progress) for job in jobs}
        recorded: dict[str, list[Job]] = {}
        for job in jobs:
            if JobStatus(job.status).ended or job.kind not in self.kinds:
                continue
            if self.kinds[job.kind].record is not None:
                recorded.setdefault(job.kind, []).append(job)
            elif job.status == JobStatus.RUNNING and (meter := self.meters.get(job.id)):
                progress_by_id[job.id] = meter.read()
        for kind, mine in recorded.items():
            if (record := self.kinds[kind].record) is not None:
                progress_by_id.update(record.progress(mine))
        return progress_by_id
