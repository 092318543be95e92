"""Gets the process of an attempt: the one that an earlier server started, or a new one; or the reason for its
failure.
"""

import logging
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from errno import EDQUOT, ENOSPC
from pathlib import Path

from app.database import DATABASE_UNAVAILABLE, ServerClosed, retry_until_writable, stop_if_closed, writing
from app.events import Failed
from app.extensions import db
from app.jobs.attempt import AttemptRow
from app.jobs.files import AttemptFiles
from app.jobs.kinds import CannotStart, JobKind
from app.jobs.model import Job, RunnerProcess
from app.jobs.process import Child, find_child
from app.jobs.remote import LostChild, child_of_runner
from app.jobs.supervisor_context import SupervisorContext

logger = logging.getLogger("yolo.jobs")


class Launch:
    """Finds or starts the process of an attempt, and records it.

    Args:
        row: of the attempt. kind: of its job. directory: of its files. files: its inputs and outputs.
    """

    def __init__(
        self, context: SupervisorContext, kind: JobKind, row: AttemptRow, directory: Path, files: AttemptFiles
    ) -> None:
        self.context, self.kind, self.row, self.directory = context, kind, row, directory
        self.files = files
        self.job_id = row.job_id

    def start(self, job: Job) -> Child | Failed:
        """Start the child and give it its task; returns the failure if it cannot start."""
        prewarmed = self.context.prewarmed.get(job.kind)
        prepared = prewarmed.pop(self.directory) if prewarmed else None
        # files of a server that ended before it recorded its process
        if prepared is None and self.kind.directory is None:
            shutil.rmtree(self.directory, ignore_errors=True)
        try:
            child = self.begin(job, prepared)
        except Exception as error:
            if prepared is not None:
                prepared.signal(signal.SIGKILL)
            if isinstance(error, ServerClosed):
                raise
            if not isinstance(error, CannotStart):
                logger.exception("job %s: its process could not be started", self.job_id)
            return why_not_started(error)
        try:
            retry_until_writable(lambda: self.remember(child))
        except BaseException:
            child.signal(signal.SIGKILL)
            raise
        child.release()
        logger.info("job %s (%s): attempt %s is process %s", self.job_id, job.kind, self.row.attempt, child.pid)
        return child

    def running(self, job: Job, follows: bool) -> Child | None:
        """The child that an earlier server started; an ended one if only its files remain.

        Args:
            follows: whether an earlier server began the attempt.
        """
        if (name := (job.runner or {}).get("name")) is not None and name != self.context.worker:
            self.context.exchange.receive_last(job, self.check_mine)
            return LostChild(self.directory, 0, 0.0)
        if job.runner and "pid" in job.runner:
            logger.info("job %s: supervising process %s again", self.job_id, job.runner["pid"])
            return child_of_runner(self.directory, job.runner, self.context.shared)
        if self.kind.directory is not None and follows and self.directory.exists():
            return find_child(self.directory) or Child(self.directory, 0, 0.0)
        return None

    def check_mine(self) -> None:
        """Check that the job still has this attempt, and that the server is not closing.

        Raises:
            Superseded: the job has another attempt.
            ServerClosed: the server is closing.
        """
        stop_if_closed()
        try:
            self.row.present()
        finally:
            db.session.rollback()

    def begin(self, job: Job, prepared: Child | None) -> Child:
        """A process with its task: the prewarmed one, or a new one."""
        descriptors, locks = self.context.descriptors, self.files.fetch()
        if locks is not None:
            descriptors, job = [*descriptors, *locks], self.row.present()  # fetching may take long
        spec = dict(retry_until_writable(lambda: self.kind.spec(job, self.directory), DATABASE_UNAVAILABLE))
        spec["program"] = self.kind.program
        params, environment = job.params, self.kind.environment(job)
        db.session.remove()  # no transaction stays open while the process starts
        if prepared is None:
            return start_child(self.kind, params, self.directory, spec, environment, descriptors)
        prepared.brief(spec)
        return prepared

    def remember(self, child: Child) -> None:
        """Record the process, so that the next server finds it."""
        with writing() as session:
            job = self.row.locked(session)
            process: RunnerProcess = {"host": socket.gethostname(), "pid": child.pid, "started": child.started}
            if self.context.worker:
                process["name"] = self.context.worker
            job.runner = process
        self.context.changed(self.row.present())


def why_not_started(error: Exception) -> Failed:
    """The failure of a job whose child could not be started."""
    if isinstance(error, CannotStart):
        return error.failure
    return Failed("disk_full" if is_full(error) else "code", f"the process cannot be started: {error}")


def start_child(
    kind: JobKind,
    params: Mapping[str, object],
    directory: Path,
    spec: Mapping[str, object],
    environment: Mapping[str, str],
    descriptors: Sequence[int] = (),
) -> Child:
    """Start the process, which waits for `release`; with its end of the link if its kind has links.

    Args:
        descriptors: more file descriptors that it inherits.

    Raises:
        LookupError: the link belonged to another server.
        OSError: the process cannot be started.
    """
    if kind.links is None:
        return Child.start("run", directory, spec, environment, descriptors, gated=True)
    link = kind.links.of(params)
    with_socket = {**spec, "socket": link.descriptor}
    child = Child.start("run", directory, with_socket, environment, [link.descriptor], gated=True)
    link.hand_over()
    return child


def is_full(error: BaseException) -> bool:
    """Whether an error means a full disk or an exhausted quota."""
    return isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}
