"""Sends changes of jobs to clients after each commit, and their progress, which is not written to the database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app import notify
from app.cluster import Bus
from app.jobs.kinds import Kinds, Part
from app.jobs.model import Job, JobStatus
from app.jobs.progress import JobProgressView, progress_view
from app.jobs.texts import error_text

EVERY_S = 0.25  # between two messages about progress
# Share of a stage, or seconds of it, before an ETA: less gives no rate. The first images of an import of 18 s said
# 5,025 s.
LEAST_SHARE, LEAST_S = 0.05, 10.0


@dataclass
class Meter:
    """Progress of a running job, and the rate of its present stage.

    Attributes:
        done, total: of the stage, in units of the kind; total 0: unknown.
        share, width: of the entire work: the share done before the stage, and that of the stage. share None: `done` and
            `total` count the entire work.
        began: the start of the stage; started: that of the job. Monotonic, s.
        first: `done` and the monotonic time of the stage's first report, from which its rate is measured: loading, and
            what was done before, are excluded.
    """

    done: int = 0
    total: int = 0
    stage: str = ""
    share: float | None = None
    width: float = 0.0
    began: float = field(default_factory=time.monotonic)
    started: float = field(default_factory=time.monotonic)
    first: tuple[int, float] | None = None
    sent_at: float = 0.0

    def advance(self, done: int, total: int, stage: str, part: Part | None = None) -> None:
        """Update the progress from a report.

        Args:
            part: the stage as a part of the entire work; None: `done` and `total` count the entire work.
        """
        now = time.monotonic()
        if stage != self.stage:
            self.began, self.first = now, None
        if self.first is None or done < self.first[0]:  # less than before: the stage started again
            self.first = (done, now)
        self.done, self.total, self.stage = done, total, stage
        self.share, self.width = part or (None, 0.0)

    def read(self) -> JobProgressView:
        """stage, done, total, percent, rate (per second) and eta (s); None: unknown."""
        rate = self.rate()
        return {
            "stage": self.stage or None,
            "done": self.done,
            "total": self.total,
            "percent": self.percent(),
            "rate": rate and round(rate, 2),
            "eta": None if rate is None else self.eta(rate),
        }

    def percent(self) -> float | None:
        within = min(1.0, self.done / self.total) if self.total else None
        if self.share is not None:
            return round(100 * (self.share + self.width * (within or 0.0)), 1)
        return None if within is None else round(100 * within, 1)

    def measured(self) -> tuple[int, float]:
        """The units done since the stage's first report, and the seconds since then."""
        return (0, 0.0) if self.first is None else (self.done - self.first[0], time.monotonic() - self.first[1])

    def rate(self) -> float | None:
        """Units per second since the stage's first report; None: not measured yet."""
        done, seconds = self.measured()
        return done / seconds if done > 0 and seconds > 0 else None

    def eta(self, rate: float) -> float | None:
        """Seconds until the end, the stages that follow in proportion to this one. None while those are the larger
        part, while too little of this one is measured, and when all is counted but the job has not ended.
        """
        done, seconds = self.measured()
        if self.done >= self.total or (done < LEAST_SHARE * self.total and seconds < LEAST_S):
            return None
        left = (self.total - self.done) / rate
        if self.share is None:
            return round(left, 1)
        after = max(0.0, 1.0 - self.share - self.width)
        if after > self.width:
            return None
        return round(left + (self.total / rate * after / self.width if self.width else 0.0), 1)


class Live:
    """The latest progress of each running job, in every process, and the messages to the rooms of jobs."""

    def __init__(self, kinds: Kinds, bus: Bus | None = None) -> None:
        self.kinds, self.bus = kinds, bus or Bus("", "")
        self.bus.on("progress", self.receive_progress)
        self.bus.on("progress_over", lambda job_id: self.meters.pop(job_id, None))
        self.meters: dict[int, Meter] = {}

    def begin(self, job_id: int) -> None:
        self.meters[job_id] = Meter()

    def advance(self, job_id: int, done: int, total: int, stage: str, part: Part | None = None) -> None:
        """Update the progress of a job, and send it to its room at most four times a second; `part` as in Meter."""
        meter = self.meters.setdefault(job_id, Meter())
        meter.advance(done, total, stage, part)
        if time.monotonic() - meter.sent_at >= EVERY_S or done == total:
            meter.sent_at = time.monotonic()
            self.publish_progress(job_id, meter)

    def publish_progress(self, job_id: int, meter: Meter) -> None:
        self.bus.publish("progress", [job_id, meter.done, meter.total, meter.stage, meter.share, meter.width])
        payload = {"job_id": job_id, "status": str(JobStatus.RUNNING), "progress": meter.read()}
        notify.to_job("job_update", job_id, payload)

    def receive_progress(self, message: list[Any]) -> None:
        """Receive the progress of a job that another process supervises."""
        job_id, done, total, stage, share, width = message
        part = None if share is None else Part(share, width)
        self.meters.setdefault(job_id, Meter()).advance(done, total, stage, part)

    def enter(self, job_id: int, stage: str, share: float) -> None:
        """Update the stage of a job that reports stages without counts, and send it to its room."""
        meter = self.meters.setdefault(job_id, Meter())
        if stage != meter.stage:
            # the time of the first stage counts from the job's start, so that the elapsed time never decreases
            if meter.stage:
                meter.began = time.monotonic()
            meter.stage, meter.share = stage, share
            self.publish_progress(job_id, meter)

    def is_due(self, job_id: int) -> bool:
        """Whether the job's room has members, and the last message was long enough ago."""
        meter = self.meters.setdefault(job_id, Meter())
        return time.monotonic() - meter.sent_at >= EVERY_S and notify.anyone_in([notify.job_room(job_id)])

    def publish_recorded(self, job_id: int, progress: JobProgressView) -> None:
        """Send the progress of a job with a record to its room."""
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
        """The latest progress of each job, by its id. Of an ended job, that at its end: its record may have changed
        since.
        """
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
