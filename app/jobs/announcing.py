"""Announces a committed change of a job: to its kind, to clients, and to callers that wait for it."""

import logging
from collections.abc import Mapping

from app.database import retry_until_writable
from app.extensions import db
from app.jobs.kinds import Kinds
from app.jobs.live import Live
from app.jobs.model import Job, JobStatus
from app.jobs.news import JobNews
from app.jobs.prewarmed import PrewarmedWorker

logger = logging.getLogger("yolo.jobs")


class Announcer:
    """
    Args:
        prewarmed: by kind; its child may still wait for a job that ended without it.
    """

    def __init__(self, kinds: Kinds, live: Live, news: JobNews, prewarmed: Mapping[str, PrewarmedWorker]) -> None:
        self.kinds, self.live, self.news, self.prewarmed = kinds, live, news, prewarmed

    def announce(self, job: Job) -> None:
        """Notify the kind of an ending or a restart, then the clients and those that wait. A failed notification is
        logged: the change is committed.
        """
        job = self.notify_kind(job)
        job_id, params, over = job.id, job.params, has_ended(job)  # a failure below expires the row
        if over and job.kind in self.prewarmed:
            self.prewarmed[job.kind].drop(job.token)
        links = self.kinds[job.kind].links if job.kind in self.kinds else None
        try:
            self.live.publish(job)
        except Exception:
            db.session.rollback()
            logger.exception("job %s: its change could not be published", job_id)
        if over and links is not None:
            links.end(params)
        self.news.publish(job_id)

    def notify_kind(self, job: Job) -> Job:
        """The job as it is once its kind has been notified."""
        if job.kind not in self.kinds or not (listener := self.kinds[job.kind].listener_of(job)):
            return job
        job_id = job.id
        try:
            retry_until_writable(lambda: listener(db.session.get_one(Job, job_id, populate_existing=True)))
        except Exception:
            logger.exception("job %s: its kind failed to handle the change to %s", job_id, job.status)
        return db.session.get(Job, job_id, populate_existing=True) or job


def has_ended(job: Job) -> bool:
    return JobStatus(job.status).ended
