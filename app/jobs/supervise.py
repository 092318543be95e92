"""Supervises one child process: events, output, heartbeat, stop requests and its ending."""

import logging
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from app.database import DATABASE_UNAVAILABLE, ServerClosed, retry_until_writable, stop_if_closed
from app.events import Advanced, Envelope, Event, Failed, Stage
from app.extensions import db, socketio
from app.jobs.attempt import AttemptRow, Superseded
from app.jobs.ending import Ending
from app.jobs.files import AttemptFiles, SharedFiles
from app.jobs.kinds import JobKind
from app.jobs.launch import Launch
from app.jobs.model import DISPLACED, PAUSE, Job, JobStatus
from app.jobs.process import Child, oom_kills
from app.jobs.recovery import DISPLACED_FROM_DEVICE, classify, level_of
from app.jobs.supervisor_context import SupervisorContext
from app.jobs.tail import Tail
from app.jobs.watch import RequestedStop, Vigil

logger = logging.getLogger("yolo.jobs")

LEAVE_S = 30.0  # from the terminal event to the end of the process
CHECK_S = 0.5  # between two checks for a stop request
DISK_S = 5.0
RETRY_S = 1.0
TRIES = 5  # of a step with an unexpected error, before the job fails


class Supervisor:
    """Supervises one attempt of a job until its end.

    Args:
        follows: whether an earlier server began the attempt.
    """

    kind: JobKind
    child: Child
    directory: Path
    tail: Tail
    vigil: Vigil
    requested: RequestedStop

    def __init__(self, context: SupervisorContext, job_id: int, attempt: int, follows: bool = False) -> None:
        self.context, self.job_id, self.attempt, self.follows = context, job_id, attempt, follows
        self.row = AttemptRow(job_id, attempt)
        self.subject: tuple[str, int] | None = None
        self.devices: tuple[str, ...] = ()
        self.files: AttemptFiles = SharedFiles()
        self.loaded = False  # whether it has read its job
        self.started = self.recorded = False  # whether there is a child, and whether its ending is recorded
        self.terminal: Event | None = None
        self.failure: Failed | None = None  # why we killed the child, or why it ended
        self.damage_reported = False
        self.ended_at = self.stop_checked_at = self.disk_checked_at = 0.0
        self.memory_kills = oom_kills()

    def run(self, app: Flask) -> None:
        """Supervise until the child has ended and its ending is committed. The body of a background task; never raises.
        If the ending can't be recorded, the row stays `running`, and a later round of the queue picks it up.
        """
        try:
            with app.app_context():
                alive = self.begin()
            while alive:
                alive = self.try_step(app)
            with app.app_context():
                self.finish()
        except Superseded:
            logger.info("job %s: attempt %s is superseded", self.job_id, self.attempt)
            if self.context.worker and self.started:  # the job has another attempt: nothing reads this child's results
                self.child.signal(signal.SIGKILL)
                self.child.sweep()
        except ServerClosed:  # the child continues, and the next server follows it
            logger.info("job %s: continues under the next server", self.job_id)
        except Exception as error:
            logger.exception("job %s: its supervision has failed", self.job_id)
            try:
                with app.app_context():
                    self.abandon(error)
            except Exception:
                logger.exception("job %s: its ending was not recorded", self.job_id)
        finally:
            self.files.stop()

    def try_step(self, app: Flask) -> bool:
        """One step, repeated after errors; False when there is nothing more to supervise.

        Raises:
            Superseded: the job has another attempt.
            ServerClosed: the server is closing.
            Exception: the step failed every time.
        """
        for number in range(1, TRIES + 1):
            try:
                with app.app_context():
                    alive = self.step()
            except DATABASE_UNAVAILABLE as error:  # nothing is lost: the events stay in their file
                with app.app_context():
                    stop_if_closed()
                logger.warning("job %s: database: %s", self.job_id, getattr(error, "orig", error))
                socketio.sleep(RETRY_S)
                return True
            except (Superseded, ServerClosed):
                raise
            except Exception:
                if number == TRIES:
                    raise
                logger.exception("job %s: a step of its supervision has failed", self.job_id)
                socketio.sleep(RETRY_S)
            else:
                socketio.sleep(self.kind.poll_s if alive else 0)
                return alive
        return True

    def abandon(self, error: Exception) -> None:
        """Kill the child, since nothing would supervise it, and record the failure."""
        if self.started:
            self.child.signal(signal.SIGKILL)
            self.child.sweep()
        cause = getattr(error, "orig", None) or error  # the database's message, without statement and values
        self.end(Failed("code", f"{type(error).__name__}: {cause}"))

    # Starting.

    def begin(self) -> bool:
        """Start the child of this attempt, or find it after a restart of the server; whether there is one."""
        job = retry_until_writable(self.row.present)
        self.kind = self.context.kinds[job.kind]
        self.directory = self.kind.directory_of(job, self.context.root)
        self.subject = (job.subject_type, job.subject_id) if job.subject_type and job.subject_id else None
        self.devices = tuple(job.devices or ())
        self.loaded = True
        self.files = self.context.exchange.of_attempt(job, self.kind, self.row)
        launch = Launch(self.context, self.kind, self.row, self.directory, self.files)
        child = launch.running(job, self.follows) or launch.start(job)
        if isinstance(child, Failed):
            self.end(child)
            return False
        self.child, self.started = child, True  # from here on, every failure must end the child
        self.files.begin()
        self.vigil, self.requested = Vigil(child, self.kind), RequestedStop(child)
        record = self.kind.record
        position = (0, 0) if record is None else retry_until_writable(lambda: record.position(self.job_id))
        self.tail = Tail(child, self.job_id, self.directory, *position)
        self.context.live.begin(self.job_id)
        return True

    # Supervising.

    def step(self) -> bool:
        """One read, one decision; False when there is nothing more to supervise."""
        alive = self.child.alive()  # before reading: all that an ended child wrote is then in the file
        self.read(alive)
        if alive:
            self.check_limits()
            return True
        if self.terminal is None and self.failure is None:
            limited, damaged = self.kind.memory_limit, bool(self.tail.damaged)
            self.failure = classify(self.child, self.memory_kills, limited, damaged)
        self.child.sweep()
        if not self.recorded:
            self.end(self.terminal or self.failure or Failed("code", "no reason"))
        return False

    def read(self, alive: bool) -> None:
        """Record the new events and output of the child, then announce them."""
        envelopes = self.tail.events()
        output = None if self.kind.record is None else self.tail.output(alive, at_once=bool(envelopes))
        if self.kind.record is None:
            self.handle(envelopes)
        elif envelopes or output is not None:
            if any(envelope.event.terminal for _offset, envelope in envelopes):
                self.files.deliver()  # before the ending is announced: its readers expect the files
            self.kind.record.apply(self.job_id, self.attempt, envelopes, output)
        self.tail.advance(envelopes, output)
        for _offset, envelope in envelopes:
            self.vigil.note(envelope.event)
            if envelope.event.terminal and self.terminal is None:
                self.terminal, self.ended_at = envelope.event, time.monotonic()
        self.announce(envelopes)
        self.report_damage()

    def handle(self, envelopes: Sequence[tuple[int, Envelope]]) -> None:
        for _offset, envelope in envelopes:
            if isinstance(envelope.event, Advanced):
                event = envelope.event
                part = self.kind.part(event.stage)
                self.context.live.advance(self.job_id, event.done, event.total, event.stage, part)
            elif isinstance(envelope.event, Stage) and envelope.event.name in self.kind.stages:
                name = envelope.event.name
                self.context.live.enter(self.job_id, name, self.kind.stages[name])
            if self.kind.apply is not None and not envelope.event.terminal:
                self.kind.apply(retry_until_writable(self.row.present), envelope.event, self.directory)
                db.session.rollback()  # the next read of the row needs a new snapshot

    def announce(self, envelopes: Sequence[tuple[int, Envelope]]) -> None:
        """Announce the progress and the ending of a job with a record."""
        if self.kind.record is None or not envelopes:
            return
        if self.terminal is not None and not self.recorded:
            self.context.changed(self.accepted(self.row.anyhow()))
        elif self.terminal is None and self.context.live.is_due(self.job_id):
            self.context.live.publish_recorded(self.job_id, self.kind.record.progress([self.row.anyhow()])[self.job_id])

    def accepted(self, job: Job) -> Job:
        """Check that the record has applied the terminal event. If it is not one of this kind, it is dropped, and the
        exit of the process decides.
        """
        self.recorded = job.status != JobStatus.RUNNING or job.attempt != self.attempt
        if not self.recorded:
            logger.error("job %s: its kind has no terminal event %s", self.job_id, type(self.terminal).__name__)
            self.terminal = None
        return job

    def report_damage(self) -> None:
        if self.tail.damaged and not self.damage_reported and self.kind.record is not None:
            self.kind.record.damaged(self.job_id, self.attempt)
            self.damage_reported = True

    def check_limits(self) -> None:
        """Check everything that can end a running child, by a monotonic clock."""
        present = time.monotonic()
        if self.terminal is not None:
            if present - self.ended_at > LEAVE_S:
                self.child.signal(signal.SIGKILL)
            return
        if (failure := self.vigil.failure()) is not None:
            self.kill(failure)
        if present - self.stop_checked_at >= CHECK_S:
            self.stop_checked_at = present
            self.check_stop()
        if present - self.disk_checked_at >= DISK_S:
            self.disk_checked_at = present
            self.check_disk()

    def check_stop(self) -> None:
        try:
            mode = self.row.present().stop_mode
        finally:
            db.session.rollback()
        if mode == DISPLACED:
            self.kill(Failed(DISPLACED_FROM_DEVICE, "another job has its device"))
        else:
            self.requested.follow(mode or (PAUSE if self.context.leaving() else None))

    def check_disk(self) -> None:
        if not self.kind.disk or self.kind.record is None or self.context.disk is None or self.requested.mode:
            return
        space = self.context.disk.space()
        if space.short:
            logger.warning("job %s: %s bytes free", self.job_id, space.free)
            self.kind.record.disk_short(self.job_id, space)

    def kill(self, failure: Failed) -> None:
        logger.log(level_of(failure), "job %s: %s", self.job_id, failure.error)
        self.failure = self.failure or failure
        self.child.signal(signal.SIGKILL)

    # The ending.

    def end(self, event: Event) -> None:
        if self.kind.record is not None:
            self.files.deliver()  # another worker may resume from these files
        ending = Ending(self.context, self.kind, self.row, self.directory)
        try:
            job = ending.write(event)
        except Superseded:
            return
        self.recorded = True
        ending.announce(job, event)

    def finish(self) -> None:
        """After the process has ended: notify the record, and deliver the last files."""
        if self.started:
            logger.info("job %s: process %s has ended", self.job_id, self.child.pid)
        if (record := self.kind.record) is not None:
            retry_until_writable(lambda: record.process_ended(self.job_id), DATABASE_UNAVAILABLE)
        self.files.close()
