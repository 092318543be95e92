"""Supervises one child process: events, heartbeat, stop requests, and how it ended."""

import logging
import shutil
import signal
import socket
import time
from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from pathlib import Path

from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database import patiently, writing
from app.events import Advanced, Failed, Finished, Stopped
from app.extensions import db, socketio
from app.jobs.kinds import JobKind, Kinds
from app.jobs.live import Live
from app.jobs.model import Job, JobStatus
from app.jobs.process import ASK_S, TERM_S, Child, Pulse, oom_kills
from app.jobs.recovery import attempt_dir, classify, conclude
from app.jobs.transitions import change

logger = logging.getLogger("yolo.jobs")

POLL_S = 0.05
SILENT_S = 60.0  # without a heartbeat
LEAVE_S = 30.0  # from the last event to the end of the process
STOP_LOOK_S = 0.5  # between two looks for a stop request


class Superseded(Exception):
    """The job is not this run's any more: another attempt has it, or its row is gone."""


class Supervisor:
    """One attempt of a job, from its start, or from where an earlier server left off, to its end.

    Args:
        root: the folder of all jobs.
        changed: called with the job after each commit.
    """

    def __init__(
        self, kinds: Kinds, live: Live, root: Path, job_id: int, attempt: int, changed: Callable[[Job], None]
    ) -> None:
        self.kinds, self.live, self.root, self.changed = kinds, live, root, changed
        self.job_id, self.attempt = job_id, attempt
        self.offset = 0
        self.child: Child | None = None
        self.terminal: Finished | Failed | Stopped | None = None
        self.failure: Failed | None = None  # why we ended the child ourselves
        self.began = self.looked_at = time.monotonic()
        self.pulse: Pulse | None = None
        self.asked_at: float | None = None
        self.ended_at = 0.0
        self.memory_kills = oom_kills()

    def run(self, app: Flask) -> None:
        """Until the child is gone and its ending is committed; a background task. Never raises: a job that nobody
        watches would stay `running` for good."""
        with app.app_context():
            try:
                self.watch()
            except Superseded:
                logger.info("job %s: attempt %s is not the present one any more", self.job_id, self.attempt)
            except Exception as error:
                logger.exception("job %s", self.job_id)
                if self.child is not None:  # nobody would watch it any more
                    self.child.signal(signal.SIGKILL)
                    self.child.sweep()
                self.end(Failed("code", f"{type(error).__name__}: {error}"))

    def watch(self) -> None:
        """Start or find the child, follow it, record its ending.

        Raises:
            Superseded: the job is another run's.
        """
        kind, child = self.begin()
        if child is None:
            return
        self.child = child
        self.live.begin(self.job_id)
        alive = True
        while alive:
            alive = child.alive()  # before reading: what it said until then is in the file
            self.read(child)
            if alive:
                self.look_after(kind, child)
                socketio.sleep(POLL_S)
        child.sweep()
        self.end(self.terminal or self.failure or classify(child, self.memory_kills))

    def begin(self) -> tuple[JobKind, Child | None]:
        """The child of this attempt: started, or found again after a restart of the server."""
        job = patiently(self.present)
        kind, directory = self.kinds[job.kind], attempt_dir(self.root, job.token, job.attempt)
        if job.runner:
            return kind, Child(directory, job.runner["pid"], job.runner["started"])
        shutil.rmtree(directory, ignore_errors=True)  # of a server that ended before it could write down the process
        try:
            spec = dict(kind.spec(job, directory)) | {"program": kind.program}
            db.session.remove()  # no transaction stays open while the process starts
            child = Child.start("run", directory, spec, kind.environment)
        except Exception as error:
            logger.exception("job %s: start", self.job_id)
            self.end(Failed("disk_full" if is_full(error) else "code", f"the process cannot be started: {error}"))
            return kind, None
        try:
            patiently(lambda: self.remember(child))
        except BaseException:
            child.signal(signal.SIGKILL)
            raise
        return kind, child

    def remember(self, child: Child) -> None:
        """Which process it is, so that the next server finds it."""
        with writing() as session:
            job = self.locked(session)
            job.runner = {"host": socket.gethostname(), "pid": child.pid, "started": child.started}
        self.changed(self.present())

    def read(self, child: Child) -> None:
        """What the child said since the last time."""
        try:
            for offset, envelope in child.events(self.offset):
                self.offset, event = offset, envelope.event
                if isinstance(event, Advanced):
                    self.live.advance(self.job_id, event.done, event.total, event.stage)
                elif isinstance(event, Finished | Failed | Stopped):
                    self.terminal, self.ended_at = event, time.monotonic()
        except ValueError as error:
            self.kill(child, Failed("code", f"the event file cannot be read: {error}"))

    def look_after(self, kind: JobKind, child: Child) -> None:
        """Everything that can end a child that runs. By a clock that neither sleep nor a changed time disturbs."""
        present = time.monotonic()
        if self.terminal is not None:
            if present - self.ended_at > LEAVE_S:
                child.signal(signal.SIGKILL)
            return
        self.pulse = self.pulse or Pulse(child)
        if self.pulse.silent_s() > SILENT_S:
            self.kill(child, Failed("stalled", f"no heartbeat for {SILENT_S:.0f} s"))
        elif kind.limit_s and present - self.began > kind.limit_s:
            self.kill(child, Failed("slow", f"not done within {kind.limit_s:.0f} s"))
        if present - self.looked_at >= STOP_LOOK_S:
            self.looked_at = present
            self.heed_stop(child)

    def heed_stop(self, child: Child) -> None:
        """Ask, then TERM, then KILL, each timed."""
        try:
            stop = self.present().stop_mode
        except (OperationalError, PoolTimeout):  # another process holds the database: look again later
            return
        finally:
            db.session.rollback()
        if stop is None:
            return
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            child.ask_to_stop(stop)
            return
        waited = time.monotonic() - self.asked_at
        if waited > ASK_S + TERM_S:  # a stopped process keeps TERM pending
            child.signal(signal.SIGKILL)
        elif waited > ASK_S:
            child.signal(signal.SIGTERM)

    def kill(self, child: Child, failure: Failed) -> None:
        logger.error("job %s: %s", self.job_id, failure.error)
        self.failure = self.failure or failure
        child.signal(signal.SIGKILL)

    # The row.

    def present(self) -> Job:
        """
        Raises:
            Superseded: the job is another run's.
        """
        return self.mine(db.session.get(Job, self.job_id, populate_existing=True))

    def locked(self, session: object) -> Job:
        return self.mine(session.get(Job, self.job_id, with_for_update=True))  # type: ignore[attr-defined]

    def mine(self, job: Job | None) -> Job:
        if job is None or job.attempt != self.attempt or job.status != JobStatus.RUNNING:
            raise Superseded
        return job

    def end(self, event: Finished | Failed | Stopped) -> None:
        """Record the ending, then remove the attempt's files; those of a failure stay until the janitor comes."""
        try:
            job = patiently(lambda: self.record(event))
        except Superseded:
            return
        if isinstance(event, Failed):
            output = {"output": event.traceback}
            logger.error("job %s (%s): %s: %s", job.id, job.kind, event.kind, event.error, extra=output)
        if job.status != JobStatus.FAILED:
            shutil.rmtree(attempt_dir(self.root, job.token, self.attempt).parent, ignore_errors=True)
        self.changed(job)

    def record(self, event: Finished | Failed | Stopped) -> Job:
        """The row as the event leaves it."""
        result = None
        if isinstance(event, Finished):
            event, result = self.collect(event)
        with writing() as session:
            job = self.locked(session)
            if isinstance(event, Finished):
                change(job, JobStatus.COMPLETED, result=result, progress=self.last_progress())
            elif isinstance(event, Stopped) and job.stop_mode is None:  # the server, or the machine, was stopped
                change(job, JobStatus.PENDING)
            elif isinstance(event, Stopped):
                change(job, JobStatus.CANCELLED)
            else:
                conclude(job, self.kinds[job.kind], event)
        return db.session.get_one(Job, self.job_id)

    def collect(self, event: Finished) -> tuple[Finished | Failed, dict[str, object] | None]:
        """Take what the program made; a disk that is full then fails the job."""
        job = self.present()
        directory = attempt_dir(self.root, job.token, self.attempt)
        try:
            return event, self.kinds[job.kind].collect(job, event.result, directory)
        except OSError as error:
            kind = "disk_full" if is_full(error) else "code"
            return Failed(kind, f"{type(error).__name__}: {error}"), None

    def last_progress(self) -> dict[str, object]:
        meter = self.live.meters.get(self.job_id)
        return meter.read() if meter else {}


def is_full(error: BaseException) -> bool:
    """Whether a disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}
