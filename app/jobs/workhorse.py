"""What the process does that a worker forks for one ticket: claim a job, and supervise it to its end."""

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import or_, select
from sqlalchemy.orm import aliased

from app.config import settings
from app.database import DATABASE_UNAVAILABLE, retry_until_writable, writing
from app.extensions import db
from app.jobs import workers
from app.jobs.devices import CPU, Use
from app.jobs.disk import Disk
from app.jobs.horse_pulse import HorsePulse
from app.jobs.kinds import JobKind, Notice
from app.jobs.model import Job, JobStatus
from app.jobs.queue import send_notice
from app.jobs.transitions import change
from app.jobs.work_queues import gpu_number, without_priority
from app.jobs.workers import Worker, WorkerName

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.jobs")

PR_SET_PDEATHSIG = 1  # of prctl(2)
ENDLESS = ("fsspec", "asyncio")  # threads that only this process's end ends
LAST_S = 600.0  # for what follows an ending in the background: the copy of a model, say

_horses: list["WorkHorse"] = []  # of this worker: RQ names what it calls, and gives it nothing else


def perform(queue: str) -> None:
    """What RQ calls for a ticket of this queue.

    Raises:
        RuntimeError: this is a worker of RQ alone.
    """
    if not _horses:
        raise RuntimeError("start workers with: python -m scripts.worker")
    _horses[-1].work(queue)


class WorkHorse:
    """Runs in the forked process.

    Args:
        worker: whose it is.
    """

    def __init__(self, app: Flask, jobs: "JobService", worker: WorkerName) -> None:
        self.app, self.jobs, self.worker = app, jobs, worker
        config = settings(app)
        self.leaving = False
        self.pulse = HorsePulse()
        jobs.scheduler.of_worker = {"worker": worker.name, "leaving": lambda: self.leaving}
        jobs.scheduler.disk = Disk(config.MODELS_DIR, config.DISK_RESERVE)
        _horses.append(self)

    def hold(self, descriptors: Sequence[int]) -> None:
        """Children get these open files: the locks of their devices, which end with the last process that has them."""
        self.jobs.scheduler.of_worker["descriptors"] = descriptors

    def work(self, queue: str) -> None:
        """Claim the first job of this queue, and supervise it; nothing where none waits there any more."""
        self.begin()
        with self.app.app_context():
            claimed = None if self.leaving else retry_until_writable(lambda: self.claim(queue))
        if claimed is not None:
            self.supervise(*claimed)

    def follow(self, job_id: int, attempt: int) -> None:
        """Resume a job whose work-horse, or whose worker, was killed: its process may still run."""
        self.begin()
        logger.warning("job %s: worker %s follows attempt %s again", job_id, self.worker.name, attempt)
        self.supervise(job_id, attempt, follows=True)

    def begin(self) -> None:
        """Behind the fork: it ends with its worker, whose next process follows what runs; and it has no connection of
        the worker's."""
        end_with_parent()
        self.pulse.begin()
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        with self.app.app_context():
            db.engine.dispose(close=False)

    def leave(self) -> None:
        """The worker ends soon: a checkpoint is saved, and the job goes on elsewhere."""
        self.leaving = True

    def supervise(self, job_id: int, attempt: int, follows: bool = False) -> None:
        before = set(threading.enumerate())
        self.jobs.scheduler.supervise(self.app, job_id, attempt, follows)
        for thread in set(threading.enumerate()) - before:
            if not thread.name.startswith(ENDLESS):
                thread.join(LAST_S)

    # Claiming.

    def claim(self, queue: str) -> tuple[int, int] | None:
        """(id, attempt) of the job that is this worker's from now on; the row decides whether it may start."""
        notices: list[Notice] = []
        with writing() as session:
            if not workers.is_registered(session, self.worker.name):
                return None  # its next heartbeat makes it known again, and the ticket is made anew
            job = session.scalars(self.candidates(queue)).first()
            if job is None:
                return None
            kind = self.jobs.kinds[job.kind]
            if kind.disk and not self.disk_enough():
                job.delivered_to = None  # whoever leads delivers it again once there is space
                return None
            if not self.begin_job(job, kind, notices):
                return None
            workers.assign(session, self.worker.name, job.id)
            claimed = job.id, job.attempt
        for notice in notices:
            send_notice(notice)
        return claimed

    def candidates(self, queue: str) -> Any:
        """The job of this queue that is first, but none whose folder another worker's process may still be in: its own
        of an earlier attempt, or where a kind keeps one, that of an earlier job of its subject."""
        worker, theirs = aliased(Worker), aliased(Job)
        folder_kinds = [name for name in self.jobs.kinds.names() if self.jobs.kinds[name].directory is not None]
        same = Job.kind.in_(folder_kinds) & (theirs.kind == Job.kind) & (theirs.subject_type == Job.subject_type)
        busy = (theirs.id == Job.id) | (same & (theirs.subject_id == Job.subject_id))
        mine = (worker.name == self.worker.name) | (worker.state == workers.LOST)
        busy_devices = select(worker.name).join(theirs, theirs.id == worker.job_id).where(busy, ~mine).exists()
        waits = (Job.status == JobStatus.PENDING) & (Job.delivered_to == queue)
        is_due = or_(Job.not_before.is_(None), Job.not_before <= workers.clock())
        order = (Job.priority.desc(), Job.position, Job.id)
        rows = select(Job).where(waits, is_due, ~busy_devices).order_by(*order).limit(1)
        return rows.with_for_update(skip_locked=True, of=Job)

    def begin_job(self, job: Job, kind: JobKind, notices: list[Notice]) -> bool:
        """Make it a running job; one that cannot be has failed, and holds up no other."""
        queue = str(job.delivered_to)
        runner = {"host": self.worker.host, "name": self.worker.name}
        try:
            with db.session.begin_nested():
                devices = self.devices_for(queue, kind)
                change(job, JobStatus.RUNNING, devices=list(devices) or None, runner=runner)
                if kind.record is not None:
                    notices.append(kind.record.claimed(job))
                    notices.append(kind.record.waits([job]))
        except DATABASE_UNAVAILABLE:  # it says nothing about the job
            raise
        except Exception as error:
            logger.exception("job %s cannot be claimed", job.id)
            message = f"cannot be claimed: {type(error).__name__}"
            change(job, JobStatus.FAILED, error={"code": "code", "message": message})
            return False
        return True

    def devices_for(self, queue: str, kind: JobKind) -> tuple[str, ...]:
        """Of this worker's, those that a job of a queue gets; none where it needs none."""
        name = without_priority(queue)
        if kind.use is None or kind.use == Use.WARM:
            return ()
        if name == CPU or not self.worker.gpus:
            return (CPU,)
        return self.worker.devices[: gpu_number(name)]

    def disk_enough(self) -> bool:
        disk = self.jobs.scheduler.disk
        return disk is None or disk.space().enough


def end_with_parent() -> None:
    """Have this process killed when the one that forked it ends: the job goes on under whoever follows it."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended in between
        os._exit(1)
