"""Updates a training's row as its job changes: the child's events, and the consequences of its ending."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.core.text_data import TextValue
from app.database import writing
from app.events import Envelope, Event, Failed, Paused
from app.extensions import db
from app.jobs.devices import CPU
from app.jobs.disk import DiskSpace
from app.jobs.kinds import Notice
from app.jobs.model import Job
from app.jobs.output import OutputChunk
from app.jobs.progress import JobProgressView
from app.models import Training, TrainingStatus, now
from app.services.trainer.actions import TrainingActions
from app.services.trainer.advance import as_progress
from app.services.trainer.disk_pauses import DiskPauses
from app.services.trainer.ephemeral import EphemeralMessages
from app.services.trainer.event_recorder import EventRecorder
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.messages import LogPiece, RoomMessage, queue_message, status_message
from app.services.trainer.output import readable, without_controls
from app.services.trainer.recover import add_note
from app.services.trainer.run_endings import EndedRuns
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import KIND, change
from app.services.trainer.waiting import for_trainings, queue_order

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.backup import BackupService

logger = logging.getLogger("yolo.training")


@dataclass(eq=False)
class TrainingRecord:
    """The `Record` of a training's job (app/jobs/kinds.py), whose subject is the training.

    Args:
        store: of the rows and folders.
        feed: sends messages to browsers.
        recorder: writes the child's events to the rows.
        ephemeral: messages that were sent and are not written yet.
        disk_pauses: pause and resume trainings for the disk.
        ended: notifies the listeners of a run's end.
        jobs: announces changed jobs.
        actions: stops a training when its job is stopped.
        backups: of the models of ended runs.
    """

    store: TrainingStore
    feed: TrainingFeed
    recorder: EventRecorder
    ephemeral: EphemeralMessages
    disk_pauses: DiskPauses
    ended: EndedRuns
    jobs: "JobService"
    actions: TrainingActions
    backups: "BackupService"

    def claimed(self, job: Job) -> Notice:
        row = db.session.get_one(Training, job.subject_id)
        begin(row, job.attempt, tuple(job.devices or (CPU,)))
        return lambda: None  # the message is sent by `waits`

    def waits(self, jobs: Sequence[Job]) -> Notice:
        """A training that only moved up gets a message in its own room; the dashboard gets the entire queue in one
        message, otherwise each end of a training would send one per waiting training.
        """
        messages: list[RoomMessage] = []
        rows = rows_of(jobs)
        for job in jobs:
            row = rows.get(job.subject_id or 0)
            if row is None:  # deleted outside of the application
                continue
            before, row.waiting_for = row.waiting_for, for_trainings(job.waiting_for)
            same = bool(before and row.waiting_for and before["code"] == "turn" == row.waiting_for["code"])
            messages.append(status_message(row, dashboard=not same))
        if not all(item.dashboard for item in messages):
            messages.append(queue_message(waiting_rows()))
        return lambda: self.feed.send(messages)

    def apply(
        self, job_id: int, attempt: int, envelopes: Sequence[tuple[int, Envelope]], output: OutputChunk | None
    ) -> None:
        training_id = training_of(job_id)
        log = None
        if output is not None:
            text = readable(output.data, self.store.attempt_dir(training_id, attempt))
            log = LogPiece(attempt, output.start, output.offset, text)
        self.send(self.recorder.apply_batched(training_id, attempt, envelopes, log))

    def fail(self, job_id: int, attempt: int, failure: Failed) -> None:
        training_id = training_of(job_id)
        row = db.session.get(Training, training_id, populate_existing=True)
        event: Event = replace(failure, traceback=without_controls(failure.traceback))
        if row is not None and row.pause_requested and not row.stop_requested:
            event = Paused(row.current_epoch, "asked")
        self.send(self.recorder.end(training_id, attempt, event, now()))

    def position(self, job_id: int) -> tuple[int, int]:
        return self.recorder.position(training_of(job_id))

    def progress(self, jobs: Sequence[Job]) -> Mapping[int, JobProgressView]:
        """In epochs; the share includes the batches of the present one."""
        rows = rows_of(jobs)
        return {
            job.id: as_progress(self.ephemeral.newest(rows[job.subject_id])) for job in jobs if job.subject_id in rows
        }

    def disk_short(self, job_id: int, space: DiskSpace) -> None:
        messages = self.disk_pauses.pause(training_of(job_id), space)
        self.send(messages)
        if messages and (job := db.session.get(Job, job_id, populate_existing=True)):
            self.jobs.announce(job)

    def resume_paused(self, space: DiskSpace | None) -> None:
        """Resume trainings that paused for lack of disk space, once there is enough; before each round of the queue."""
        if space is None:
            return
        messages = self.disk_pauses.resume(space)
        self.feed.send(messages)
        for training_id in {item.payload["training_id"] for item in messages}:
            self.jobs.announce_newest(KIND, training_id)

    def damaged(self, job_id: int, attempt: int) -> None:
        self.note(training_of(job_id), "events_damaged", attempt=attempt)

    def note(self, training_id: int, code: str, **data: TextValue) -> None:
        """Store a note with a training, in a transaction of its own, and send it."""
        with writing() as session:
            row = self.store.lock_existing(session, training_id)
            messages = add_note(row, code, **data) if row is not None else []
        self.send(messages)

    def process_ended(self, job_id: int) -> None:
        """Update about.json, notify the listeners of the run's end, and back up its weights."""
        training_id = training_of(job_id)
        self.ephemeral.drop(training_id)
        row = db.session.get(Training, training_id, populate_existing=True)
        if row is None:
            return
        self.store.describe(row)
        if TrainingStatus(row.status).ended:
            self.ended.notify(row)
        if self.jobs.retains_files:
            self.backups.start(training_id)

    def stop(self, job: Job) -> None:
        self.actions.stop(job.subject_id or 0)

    def send(self, messages: list[RoomMessage]) -> None:
        """Send committed messages; a failure is logged and does not end a run."""
        try:
            self.feed.send(messages)
        except Exception:
            db.session.rollback()
            logger.exception("the messages of a training could not be sent")


def begin(row: Training, attempt: int, devices: tuple[str, ...]) -> None:
    """Change a training's row to running, with this attempt and devices."""
    change(
        row,
        TrainingStatus.RUNNING,
        attempt=attempt,
        start_time=(row.resume_from and row.start_time) or now(),
        seconds_before=row.training_seconds if row.resume_from else 0.0,
        training_seconds=row.training_seconds if row.resume_from else 0.0,
        devices=list(devices),
        log_path=f"models/{row.id}/attempts/{attempt}/worker.log",
    )


def rows_of(jobs: Sequence[Job]) -> dict[int, Training]:
    """The trainings of jobs, by id."""
    ids = {job.subject_id for job in jobs}
    return {row.id: row for row in db.session.scalars(select(Training).where(Training.id.in_(ids)))}


def waiting_rows() -> Sequence[Any]:
    """The waiting trainings, in order."""
    names = ("id", "priority", "position", "waiting_for")
    waits = (Training.status == TrainingStatus.PENDING) & Training.deleted_at.is_(None)
    columns = select(*(getattr(Training, name) for name in names))
    return db.session.execute(columns.where(waits).order_by(*queue_order())).all()


def training_of(job_id: int) -> int:
    return db.session.scalars(select(Job.subject_id).where(Job.id == job_id)).one() or 0
