"""The row of a background job."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.core.failure import JobFailure
from app.jobs.progress import StoredProgress
from app.models import new_position
from app.models.base import Created, JSONText, Model, UTCDateTime, now

# `stop_mode`: requested by a user; DISPLACED: another job gets the device, and this one ends at once.
CANCEL, PAUSE, DISPLACED = "cancel", "pause", "displaced"


def new_token() -> str:
    return uuid.uuid4().hex


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"  # continues when a user, or its kind, resumes it
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


class WaitingFor(TypedDict):
    """What a pending job waits for.

    `code`: device (`job_id`, and `type` and `id` of its subject), turn (`ahead`), schedule (`until`), disk (`free`,
    `needed`: bytes), missing_device (`device`) or files.
    """

    code: str
    job_id: NotRequired[int]
    type: NotRequired[str | None]
    id: NotRequired[int | None]
    ahead: NotRequired[int]
    until: NotRequired[str]
    free: NotRequired[int]
    needed: NotRequired[int]
    device: NotRequired[str]


class RunnerProcess(TypedDict, total=False):
    """The process that runs a job: `started` in s since the epoch, `name` of its worker, if any. On a worker, there is
    a `pid` only once the process has started.
    """

    host: str
    pid: int
    started: float
    name: str


class Job(Created, Model):
    """One piece of background work, whatever its kind; its files are below `data/jobs/{token}/{attempt}`.

    `status` and its dependent columns are changed by `transitions.change` alone; the exception is what
    services/trainer/jobs.py counts from a training's folder at the start of the server.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_status_position", "status", "priority", "position"),
        Index("ix_job_delivered_to", "status", "delivered_to", "priority", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30), index=True)
    # The subject: ("dataset", 5). Other tables have no foreign keys to jobs, so that old jobs can be deleted.
    subject_type: Mapped[str | None] = mapped_column(String(20))
    subject_id: Mapped[int | None]
    params: Mapped[dict[str, Any]] = mapped_column(JSONText, default=dict)
    # The name of its folder. Another database may repeat ids, but must not reuse folders.
    token: Mapped[str] = mapped_column(String(32), unique=True, default=new_token)
    status: Mapped[str] = mapped_column(String(20), default=JobStatus.PENDING)
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    position: Mapped[int] = mapped_column(BigInteger, default=new_position, server_default="0")
    not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    waiting_for: Mapped[WaitingFor | None] = mapped_column(JSONText)
    # The workers' queue that has a ticket for it while it is pending (DISPATCH=rq); None: not delivered.
    delivered_to: Mapped[str | None] = mapped_column(String(20))
    # Fencing token: every write of a run carries its attempt; one that matches no row is from a run that lost the job.
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    restarts: Mapped[int] = mapped_column(default=0, server_default="0")
    runner: Mapped[RunnerProcess | None] = mapped_column(JSONText)
    devices: Mapped[list[str] | None] = mapped_column(JSONText)  # held while it runs: ["cpu"], ["0", "1"]
    stop_mode: Mapped[str | None] = mapped_column(String(10))  # cancel, pause, displaced
    stop_requested_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    progress: Mapped[StoredProgress] = mapped_column(JSONText, default=dict)  # stage, done, total
    result: Mapped[Mapping[str, object] | None] = mapped_column(JSONText)  # as its kind's `collect` returns it
    error: Mapped[JobFailure | None] = mapped_column(JSONText)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def error_code(self) -> str | None:
        """The code of its failure; None: it did not fail."""
        return self.error["code"] if self.error else None

    @validates("status", "priority", "not_before")
    def deliver_again(self, _name: str, value: Any) -> Any:
        """Have the dispatcher choose its queue again: its requirement or its time may have changed."""
        self.delivered_to = None
        return value
