"""Passes the verdict on a request's files from the process that supervises the import to the process of the waiting
request.
"""

from typing import TYPE_CHECKING, Any

from app.events import Event, Failed, Planned, Refused, decode, encode, read_events
from app.jobs import Job, JobStatus

if TYPE_CHECKING:
    from app.jobs import JobService


class Verdicts:
    """Verdicts of imports by job, until the job's ending is recorded. In memory: a response must not wait for the
    database, and no request waits for a verdict after a restart.

    Attributes:
        received: the verdicts, by job.
        waiting: jobs that requests of this process wait for.
    """

    def __init__(self, jobs: "JobService") -> None:
        self.jobs = jobs
        self.received: dict[int, Planned | Refused | Failed] = {}
        self.waiting: set[int] = set()
        jobs.cluster.bus.on("verdict", self.receive)

    def publish(self, job_id: int, event: Planned | Refused | Failed) -> None:
        """Send a verdict to the waiting request, in whichever process."""
        self.received[job_id] = event
        self.jobs.cluster.bus.publish("verdict", [job_id, encode(event, 1)])
        self.jobs.notify_waiting(job_id)

    def receive(self, message: Any) -> None:
        """Receive a verdict from another process."""
        job_id, line = message
        if job_id in self.waiting:
            self.store(job_id, decode(line).event)

    def store(self, job_id: int, event: Event) -> None:
        if isinstance(event, Planned | Refused | Failed):
            self.received[job_id] = event
            self.jobs.news.publish_here(job_id)

    def poll(self, job: Job) -> None:
        """Read the verdict from the child's events if no message arrived, as while Redis is unavailable."""
        if self.jobs.cluster.on and job.status == JobStatus.RUNNING and job.id not in self.received:
            for _offset, envelope in read_events(self.jobs.kinds[job.kind].directory_of(job, self.jobs.root)):
                if isinstance(envelope.event, Planned):
                    self.store(job.id, envelope.event)
