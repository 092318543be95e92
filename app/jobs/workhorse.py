"""The process that a worker forks for one ticket: claims a job, and supervises it until its end."""

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
LAST_S = 600.0  # for work after an ending in the background, such as copying a model

_horses: list["WorkHorse"] = []  # of this process; module state, since RQ calls a function with no other arguments


def perform(queue: str) -> None:
    """The function that a ticket of this queue calls.

    Raises:
        RuntimeError: the process is a plain RQ worker.
    """
    if not _horses:
        raise RuntimeError("start workers with: python -m scripts.worker")
    _horses[-1].work(queue)


class WorkHorse:
    """Runs in the forked process.

    Args:
        worker: its worker.
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
        """Let children inherit these descriptors: the locks of their devices, released when the last process ends."""
        self.jobs.scheduler.of_worker["descriptors"] = descriptors

    def work(self, queue: str) -> None:
        """Claim the first job of this queue, and supervise it; returns if none waits any more."""
        self.begin()
        with self.app.app_context():
            claimed = None if self.leaving else retry_until_writable(lambda: self.claim(queue))
        if claimed is not None:
            self.supervise(*claimed)

    def follow(self, job_id: int, attempt: int) -> None:
        """Supervise a job whose work-horse or worker was killed: its process may still run."""
        self.begin()
        logger.warning("job %s: worker %s resumes supervising attempt %s", job_id, self.worker.name, attempt)
        self.supervise(job_id, attempt, follows=True)

    def begin(self) -> None:
        """After the fork: end with the worker, whose next process follows what runs, and close the worker's
        connections.
        """
        end_with_parent()
        self.pulse.begin()
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        with self.app.app_context():
            db.engine.dispose(close=False)

    def leave(self) -> None:
        """The worker ends soon: the job saves a checkpoint, and resumes elsewhere."""
        self.leaving = True

    def supervise(self, job_id: int, attempt: int, follows: bool = False) -> None:
        before = set(threading.enumerate())
        self.jobs.scheduler.supervise(self.app, job_id, attempt, follows)
        for thread in set(threading.enumerate()) - before:
            thread.join(LAST_S)

    # Claiming.

    def claim(self, queue: str) -> tuple[int, int] | None:
        """Claim a job for this worker: (id, attempt); the row decides whether it may start."""
        notices: list[Notice] = []
        with writing() as session:
            if not workers.is_registered(session, self.worker.name):
                return None  # the next heartbeat registers it again, and the dispatcher creates the ticket again
            job = session.scalars(self.candidates(queue)).first()
            if job is None:
                return None
            kind = self.jobs.kinds[job.kind]
            if kind.disk and not self.disk_enough():
                job.delivered_to = None  # the dispatcher delivers it again once there is space
                return None
            if not self.begin_job(job, kind, notices):
                return None
            workers.assign(session, self.worker.name, job.id)
            claimed = job.id, job.attempt
        for notice in notices:
            send_notice(notice)
        return claimed

    def candidates(self, queue: str) -> Any:
        """The first job of this queue whose folder no other live worker's process may still use: one of an earlier
        attempt or, for kinds with folders of their own, of an earlier job of its subject.
        """
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
        """Make it a running job; a job for which that raises has failed, and does not block others."""
        queue = str(job.delivered_to)
        runner = {"host": self.worker.host, "name": self.worker.name}
        try:
            with db.session.begin_nested():
                devices = self.devices_for(queue, kind)
                change(job, JobStatus.RUNNING, devices=list(devices) or None, runner=runner)
                if kind.record is not None:
                    notices.append(kind.record.claimed(job))
                    notices.append(kind.record.waits([job]))
        except DATABASE_UNAVAILABLE:  # not an error of the job
            raise
        except Exception as error:
            logger.exception("job %s cannot be claimed", job.id)
            message = f"cannot be claimed: {type(error).__name__}"
            change(job, JobStatus.FAILED, error={"code": "code", "message": message})
            return False
        return True

    def devices_for(self, queue: str, kind: JobKind) -> tuple[str, ...]:
        """The devices of this worker that a job of a queue gets; none if it needs none."""
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
    """Have the kernel kill this process when its parent ends: another one then follows the job."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent has already ended
        os._exit(1)
