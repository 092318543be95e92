"""Background work of every kind: one row, one queue, one supervisor, one child process. Knows no kind of work."""

import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from sqlalchemy import delete, select

from app.access.private import everything
from app.cluster import Cluster
from app.database import NOT_WRITABLE, write_now_or_later, writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.jobs import queue
from app.jobs.announcing import Announcer, has_ended
from app.jobs.holdings import Holdings
from app.jobs.kinds import JobKind, Kinds
from app.jobs.live import Live
from app.jobs.model import CANCEL, DISPLACED, Job, JobStatus, new_token
from app.jobs.news import JobNews
from app.jobs.prewarmed import PrewarmedWorker
from app.jobs.process import Child
from app.jobs.remote import child_of_runner
from app.jobs.scheduler import Scheduler
from app.jobs.subjects import SubjectNames
from app.jobs.transitions import change
from app.jobs.views import JobPageView, JobView, jobs_out, newest_first
from app.models.base import now

if TYPE_CHECKING:
    from app.schemas.jobs import JobQueryValues

ENDS_S = 10.0  # in which the ending of a killed child is recorded, unless the database is unavailable
RETENTION = timedelta(days=30)  # rows of ended jobs, and the files of failed ones

__all__ = ["Job", "JobKind", "JobService", "JobStatus"]


class JobService:
    """The interface of jobs for services and routes: submit, wait, stop, list.

    Args:
        root: the folder of the jobs' files.
        cluster: this process among the other web processes; alone by default.
        shared: whether workers share a volume with the web processes.
    """

    def __init__(self, root: Path, cluster: Cluster | None = None, shared: bool = True) -> None:
        self.root, self.cluster = root, cluster or Cluster()
        self.kinds = Kinds(shared)
        # False: in a worker without a shared volume, whose files are delivered to the web processes
        self.retains_files = True
        self.subjects = SubjectNames()
        self.live = Live(self.kinds, self.cluster.bus)
        self.devices = Holdings(self.kinds)
        self.prewarmed: dict[str, PrewarmedWorker] = {}  # by kind
        self.news = JobNews(self.cluster)
        self.announcer = Announcer(self.kinds, self.live, self.news, self.prewarmed)
        self.scheduler = Scheduler(
            self.kinds, self.live, root, self.devices, self.announce, self.prewarmed, self.cluster
        )
        self.cluster.bus.on("wake", self.scheduler.wake_here)

    def register(self, kind: JobKind) -> None:
        """Register a kind of job. Services do it when they are created."""
        self.kinds.register(kind)
        # with several web processes, the child would start in this one, but the job perhaps in another
        if kind.prewarm is not None and not self.cluster.on:
            self.prewarmed[kind.name] = PrewarmedWorker(self.root, kind.program, kind.prewarm)

    # Called by requests.

    def prewarm(self, kind: str) -> None:
        """Start a child ahead of a job of this kind that will be submitted soon."""
        if kind in self.prewarmed:
            self.prewarmed[kind].prepare()

    def submit(
        self,
        kind: str,
        params: Mapping[str, object],
        subject: tuple[str, int] | None = None,
        priority: int = 0,
        otherwise: str | None = None,
    ) -> Job:
        """Queue a job. A pending or running one of the same kind, subject and parameters is returned instead.

        Args:
            otherwise: the kind that it is where one of the first would have to wait.
        """
        token: str | None = None
        try:
            with writing() as session:
                if otherwise is not None and not self.scheduler.can_start_now(session, kind):
                    kind = otherwise
                if (row := queue.same_job(session, kind, params, subject)) is not None:
                    return row
                row = self.add(session, kind, params, subject, priority)
                token = row.token = self.token_for(kind)
        except BaseException:
            # the commit may have succeeded although its response was lost
            if token is not None and kind in self.prewarmed:
                self.prewarmed[kind].drop(token)
            raise
        self.announce(row)
        self.scheduler.wake()
        return row

    def token_for(self, kind: str) -> str:
        """The token of a new job: that of the prewarmed child, if there is one."""
        prewarmed = self.prewarmed.get(kind)
        return (prewarmed.claim_token() if prewarmed else None) or new_token()

    def add(
        self,
        session: Any,
        kind: str,
        params: Mapping[str, object],
        subject: tuple[str, int] | None = None,
        priority: int = 0,
    ) -> Job:
        """Add a job that is committed with other rows. The caller then calls `wake` and `announce`."""
        subject_type, subject_id = subject or (None, None)
        row = Job(kind=kind, params=dict(params), subject_type=subject_type, subject_id=subject_id)
        row.priority = priority
        session.add(row)
        return row

    def wait(self, job_id: int, seconds: float | None, until: Callable[[Job], bool] = has_ended) -> Job:
        """Wait until the job has ended, or `until` is true of it, or the time is over; the job as it is then. Blocks
        only the caller.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        while True:
            news = self.news.next(job_id)  # registered before the row is read: no later change is missed
            db.session.rollback()  # a transaction that is already open has an older snapshot
            job = self.get(job_id)
            remaining = None if limit is None else limit - time.monotonic()
            if until(job) or has_ended(job) or (remaining is not None and remaining <= 0):
                if has_ended(job):
                    self.notify_waiting(job_id)  # the last change of this job: pass it on to others that wait
                return job
            db.session.rollback()  # no transaction stays open during the wait
            self.news.wait(news, remaining)

    def get(self, job_id: int) -> Job:
        """The job with this id, as the database has it now.

        Raises:
            NotFound: there is no such job.
        """
        job = db.session.get(Job, job_id, populate_existing=True)
        if job is None:
            raise NotFound(_("There is no job %(id)s.", id=job_id))
        return job

    def view(self, job: Job) -> JobView:
        """The job as the JobOut schema expects it."""
        return self.views([job])[0]

    def views(self, jobs: Sequence[Job]) -> list[JobView]:
        """The same for several jobs, with as many queries as for one."""
        return jobs_out(jobs, self.live, self.subjects.of_jobs(jobs))

    def page(self, query: "JobQueryValues") -> JobPageView:
        """A page of jobs, the newest first; `query` as JobQuery loads it."""
        page = db.paginate(newest_first(query), page=query["page"], per_page=query["per_page"], error_out=False)
        return {
            "jobs": self.views(page.items),
            "total": page.total or 0,
            "page": page.page,
            "per_page": page.per_page,
            "pages": page.pages,
        }

    def stop(self, job_id: int) -> Job:
        """Cancel a waiting job at once, or request a running one to stop.

        Raises:
            NotFound: there is no such job.
            Conflict: it has ended.
        """
        with writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None:
                raise NotFound(_("There is no job %(id)s.", id=job_id))
            if JobStatus(job.status).ended:
                raise Conflict(_("The job has already ended."), members={"current": job.status})
            record = self.kinds[job.kind].record if job.kind in self.kinds else None
            if record is not None:
                pass  # its service stops it
            elif job.status in {JobStatus.PENDING, JobStatus.PAUSED}:
                change(job, JobStatus.CANCELLED)
            elif job.stop_mode in {None, DISPLACED}:  # a displaced job would start again
                job.stop_mode, job.stop_requested_at = CANCEL, now()
        if record is not None:
            record.stop(job)
            return self.get(job_id)
        self.announce(job)
        return job

    def kill(self, job_id: int) -> None:
        """Kill the process of a running job now; its kind decides what follows."""
        if (child := self.child_of(self.get(job_id))) is not None:
            child.signal(signal.SIGKILL)

    def end(self, job_id: int) -> None:
        """End a job, whatever its state, before this returns; does nothing if it has ended."""
        try:
            job = self.stop(job_id)
        except (Conflict, NotFound):
            return
        while not has_ended(job):
            child = self.child_of(job)
            if child is not None:
                child.signal(signal.SIGKILL)
            job = self.wait(job_id, ENDS_S)
            if child is not None and not child.alive():
                return  # the row is updated once the database is writable

    def child_of(self, job: Job) -> Child | None:
        """The process of a running job, if the row names it."""
        if not job.runner or "pid" not in job.runner:
            return None
        directory = self.kinds[job.kind].directory_of(job, self.root)
        return child_of_runner(directory, job.runner, self.cluster.on)

    def abandon(self, job_id: int) -> None:
        """Like `end`, for callers that continue even if the database is unavailable: then the process is killed at
        once, and the row is updated later.
        """

        def end() -> None:
            try:
                self.end(job_id)
            except NOT_WRITABLE:
                supervisor = self.scheduler.running.get(job_id)
                if supervisor is not None and supervisor.started:
                    supervisor.child.signal(signal.SIGKILL)
                raise

        write_now_or_later(end)

    def active(self, kind: str | None = None, waiting: int | None = None) -> list[Job]:
        """The running jobs, then the waiting ones.

        Args:
            waiting: at most this many waiting jobs, the first ones; None: all.
        """
        rows = list[Job]()
        for status, most in ((JobStatus.RUNNING, None), (JobStatus.PENDING, waiting)):
            mine = Job.status == status if kind is None else (Job.status == status) & (Job.kind == kind)
            order = (Job.priority.desc(), Job.position)
            rows += db.session.scalars(select(Job).where(mine).order_by(*order).limit(most))
        return rows

    # Called after changes.

    def announce(self, job: Job) -> None:
        """See Announcer."""
        self.announcer.announce(job)

    def notify_waiting(self, job_id: int) -> None:
        """Wake those that wait for a job, so that they check it again."""
        self.news.publish(job_id)

    def announce_newest(self, kind: str, subject_id: int) -> None:
        """Announce the newest job of a service's row, after the service has changed it."""
        mine = (Job.kind == kind) & (Job.subject_id == subject_id)
        with everything():  # of any owner
            job = db.session.scalar(select(Job).where(mine).order_by(Job.id.desc()).limit(1))
            if job is not None:
                self.announce(job)

    def remove_old(self) -> int:
        """Delete the rows of jobs that ended long ago, and their remaining files; returns how many."""
        old = Job.ended_at < now() - RETENTION
        tokens = list(db.session.scalars(select(Job.token).where(old)))
        for token in tokens:
            shutil.rmtree(self.root / token, ignore_errors=True)
        if tokens:
            with writing() as session:
                session.execute(delete(Job).where(Job.token.in_(tokens)))
        return len(tokens)
