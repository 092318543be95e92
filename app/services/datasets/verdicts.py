"""What the files of a request are, from the process that watches the import to the request that waits for it."""

from typing import TYPE_CHECKING, Any

from app.events import Event, Failed, Planned, Refused, decode, encode, read_events
from app.jobs import Job, JobStatus

if TYPE_CHECKING:
    from app.jobs import JobService


class Verdicts:
    """Verdicts of imports by job, until the job's end is recorded. In memory: an answer would wait for the database,
    and nobody requests it after a restart.

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
        """To the request that waits, in whichever process."""
        self.received[job_id] = event
        self.jobs.cluster.bus.publish("verdict", [job_id, encode(event, 1)])
        self.jobs.notify_waiting(job_id)

    def receive(self, message: Any) -> None:
        """Of a job that another process watches."""
        job_id, line = message
        if job_id in self.waiting:
            self.store(job_id, decode(line).event)

    def store(self, job_id: int, event: Event) -> None:
        if isinstance(event, Planned | Refused | Failed):
            self.received[job_id] = event
            self.jobs.news.publish_here(job_id)

    def poll(self, job: Job) -> None:
        """Read the verdict from the child's events where none was received, as without Redis."""
        if self.jobs.cluster.on and job.status == JobStatus.RUNNING and job.id not in self.received:
            for _offset, envelope in read_events(self.jobs.kinds[job.kind].directory_of(job, self.jobs.root)):
                if isinstance(envelope.event, Planned):
                    self.store(job.id, envelope.event)
