"""Background work of every kind: one row, one queue, one supervisor, one child process. Knows no kind of work."""

import logging
import shutil
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError

from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db, socketio
from app.jobs import queue, restart
from app.jobs.kinds import JobKind, Kinds
from app.jobs.live import Live
from app.jobs.model import Job, JobStatus
from app.jobs.runner import LocalRunner, Runner
from app.jobs.supervise import Supervisor
from app.jobs.transitions import change
from app.jobs.views import job_out
from app.models.base import now

logger = logging.getLogger("yolo.jobs")

POLL_S = 2.0  # a change is noticed at once; this is for what nobody announced
KEPT = timedelta(days=30)  # rows of ended jobs, and the files of failed ones

__all__ = ["Job", "JobKind", "JobService", "JobStatus"]


class JobService:
    """Jobs as others see them: submit, wait, stop, list.

    Args:
        root: the folder of the jobs' files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kinds, self.live = Kinds(), Live()
        self.runner: Runner | None = None
        self.closed = False
        self._changed = threading.Event()  # cooperative under eventlet, which patches it
        self._endings: dict[int, threading.Event] = {}

    def register(self, kind: JobKind) -> None:
        """Have jobs of this kind run. Services do it when they are made."""
        self.kinds.register(kind)

    # What requests ask.

    def submit(
        self, kind: str, params: Mapping[str, Any], subject: tuple[str, int] | None = None, priority: int = 0
    ) -> Job:
        """Queue a job; a pending or running one of the same kind, subject and parameters serves for both."""
        subject_type, subject_id = subject or (None, None)
        with writing() as session:
            same = (Job.kind == kind) & (Job.subject_type == subject_type) & (Job.subject_id == subject_id)
            waits = Job.status.in_([JobStatus.PENDING, JobStatus.RUNNING]) & Job.stop_mode.is_(None)
            for row in session.scalars(select(Job).where(same & waits)):
                if row.params == dict(params):
                    return row
            row = Job(kind=kind, params=dict(params), subject_type=subject_type, subject_id=subject_id)
            row.priority = priority
            session.add(row)
        self.announce(row)
        self.wake()
        return row

    def wait(self, job_id: int, seconds: float) -> Job:
        """The job once it has ended, or after so many seconds as it is then; others are served meanwhile."""
        ending = self._endings.setdefault(job_id, threading.Event())
        job = self.get(job_id)
        if not JobStatus(job.status).ended:
            db.session.rollback()  # no transaction stays open while we wait
            ending.wait(seconds)
            job = self.get(job_id)
        if JobStatus(job.status).ended:
            self._endings.pop(job_id, None)  # made behind its end
        return job

    def get(self, job_id: int) -> Job:
        """
        Raises:
            NotFound: there is no such job.
        """
        job = db.session.get(Job, job_id, populate_existing=True)
        if job is None:
            raise NotFound(_("There is no job %(id)s.", id=job_id))
        return job

    def view(self, job: Job) -> dict[str, Any]:
        """The job as JobOut takes it."""
        return job_out(job, self.live)

    def page(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """A page of jobs, the newest first; `query` as JobQuery loads it."""
        statement = select(Job).order_by(Job.id.desc())
        if query.get("kind"):
            statement = statement.where(Job.kind == query["kind"])
        if query.get("status"):
            statement = statement.where(Job.status == query["status"])
        found = db.paginate(statement, page=query["page"], per_page=query["per_page"], error_out=False)
        figures = {name: getattr(found, name) for name in ("total", "page", "per_page", "pages")}
        return figures | {"jobs": [self.view(job) for job in found.items]}

    def active(self) -> list[dict[str, Any]]:
        """What runs, then what waits."""
        rows = select(Job).where(Job.status.in_([JobStatus.RUNNING, JobStatus.PENDING]))
        rows = rows.order_by(Job.status.desc(), Job.priority.desc(), Job.position)
        return [self.view(job) for job in db.session.scalars(rows)]

    def stop(self, job_id: int) -> Job:
        """A waiting job is cancelled at once, a running one is asked to stop.

        Raises:
            NotFound: there is no such job. Conflict: it has ended.
        """
        with writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None:
                raise NotFound(_("There is no job %(id)s.", id=job_id))
            if JobStatus(job.status).ended:
                raise Conflict(_("The job has already ended."), members={"current": job.status})
            if job.status == JobStatus.PENDING:
                change(job, JobStatus.CANCELLED)
            elif job.stop_mode is None:
                job.stop_mode, job.stop_requested_at = "cancel", now()
        self.announce(job)
        return job

    # Running.

    def start(self, app: Flask) -> None:
        """At the server's start: follow what still runs, then open the queue."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.runner = LocalRunner(app, self.supervise)
        for job_id, attempt in restart.take_over(self.kinds, self.root):
            self.runner.start(job_id, attempt)
        socketio.start_background_task(self.run, app)

    def run(self, app: Flask) -> None:
        """The loop of the queue; a background task."""
        while not self.closed:
            self._changed.clear()
            try:
                with app.app_context():
                    self.round()
            except OperationalError as error:  # locked, or may not be written now: later
                logger.warning("the queue of jobs: database: %s", error.orig)
            except Exception:
                logger.exception("the queue of jobs")
            self._changed.wait(POLL_S)

    def round(self) -> None:
        """Start everything that can start now."""
        if self.runner is None:
            return
        for job_id, attempt in queue.claim(self.kinds):
            self.runner.start(job_id, attempt)

    def supervise(self, app: Flask, job_id: int, attempt: int) -> None:
        """One attempt of a job, to its end."""
        Supervisor(self.kinds, self.live, self.root, job_id, attempt, self.announce).run(app)
        self.wake()

    def announce(self, job: Job) -> None:
        """A committed change: tell the clients and whoever waits."""
        self.live.tell(job)
        if JobStatus(job.status).ended and (ending := self._endings.pop(job.id, None)):
            ending.set()

    def wake(self) -> None:
        """Something changed that the queue looks at."""
        self._changed.set()

    def close(self) -> None:
        """Start nothing any more. Called from a signal handler too: it takes no lock and wakes nobody."""
        self.closed = True

    def remove_old(self) -> int:
        """Rows of jobs that ended long ago, with what is left of their files: how many."""
        old = Job.ended_at < now() - KEPT
        tokens = list(db.session.scalars(select(Job.token).where(old)))
        for token in tokens:
            shutil.rmtree(self.root / token, ignore_errors=True)
        if tokens:
            with writing() as session:
                session.execute(delete(Job).where(Job.token.in_(tokens)))
        return len(tokens)
