"""The job kind that trains: its spec, and the row of the training that follows the job."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.config import settings
from app.database import writing
from app.errors import Conflict
from app.events import Envelope, Event, Failed, Paused
from app.extensions import db
from app.jobs.devices import CPU, Use
from app.jobs.disk import DiskSpace
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart, JobKind, Notice
from app.jobs.model import Job, JobStatus
from app.jobs.output import OutputChunk
from app.jobs.progress import JobProgressView
from app.models import Training, TrainingStatus, now
from app.services.backup import start_backup
from app.services.datasets.dataset_about import repair_description
from app.services.trainer import recover
from app.services.trainer.actions import TrainingActions
from app.services.trainer.advance import as_progress
from app.services.trainer.apply import apply_batched, end, position
from app.services.trainer.create import refuse_missing
from app.services.trainer.ephemeral import EphemeralMessages
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.job_files import dataset_files, official_weights
from app.services.trainer.launch import checkpoint_path, devices_in, environment, spec_of
from app.services.trainer.messages import LogPiece, RoomMessage, queue_message, status_message
from app.services.trainer.output import readable, without_controls
from app.services.trainer.run_endings import EndedRuns
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import KIND, UNFINISHED, change, job_of, new_job, requested
from app.services.trainer.waiting import for_trainings, queue_order

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.training")

IDLE_S = 600.0  # within a batch


class TrainingJobs:
    """Registered as the kind `training`; a job's subject is the training.

    Args:
        store: has the rows and the folders.
        feed: tells the browsers.
        ephemeral: what was told and is not written yet.
        ended: tells of one that has ended.
        jobs: runs them.
        actions: stops one that somebody wants stopped as a job.
        limited: whether TRAINING_MEMORY_LIMIT is set.
    """

    def __init__(
        self,
        store: TrainingStore,
        feed: TrainingFeed,
        ephemeral: EphemeralMessages,
        ended: EndedRuns,
        jobs: "JobService",
        actions: TrainingActions,
        limited: bool,
    ) -> None:
        self.store, self.feed, self.ended, self.jobs, self.actions = store, feed, ended, jobs, actions
        self.ephemeral = ephemeral
        self.kind = JobKind(
            KIND,
            "train",
            self.spec,
            at_once=1_000_000,  # as many as there are devices for
            idle_s=IDLE_S,
            environment=self.environment,
            use=Use.WORK,
            disk=True,
            directory=self.directory,
            memory_limit=limited,
            record=self,
            files=self.files,
        )
        jobs.register(self.kind)
        jobs.scheduler.before_round.append(self.resume_paused)

    # The child.

    def directory(self, job: Any) -> Path:
        return self.store.attempt_dir(job.subject_id, job.attempt)

    def environment(self, job: Job) -> Mapping[str, str]:
        return environment(tuple(job.devices or (CPU,)), settings())

    def spec(self, job: Job, directory: Path) -> Mapping[str, Any]:
        """The spec of the child that trains.

        Raises:
            CannotStart: the files that it would read were removed from the server.
        """
        row, folder = self.row(job), self.store.folder(job.subject_id or 0)
        try:
            refuse_missing(row.dataset, row.revision)
        except Conflict as error:
            raise CannotStart("files_missing") from error
        if repair_description(self.store.storage, row.dataset_id, row.revision):
            self.send(recover.note(row.id, "dataset_yaml_mended"))
        self.clear_way(folder, directory, job.attempt)
        self.store.describe(row)
        return spec_of(row, folder, tuple(job.devices or (CPU,)), settings()).values()

    def clear_way(self, folder: Path, directory: Path, attempt: int) -> None:
        """No child starts in a folder that another one worked in: what that one said would be taken for its own."""
        if directory.exists():
            self.store.storage.set_aside(folder if attempt == 1 else directory)

    # The row follows the job; see app/jobs/kinds.py, Record.

    def claimed(self, job: Job) -> Notice:
        row = self.row(job)
        begin(row, job.attempt, tuple(job.devices or (CPU,)))
        return lambda: None  # `waits` tells it

    def waits(self, jobs: Sequence[Job]) -> Notice:
        """Where a training only moved up, its own room hears of it; the dashboard gets the queue in one message, or
        each end of a training would send it every training behind."""
        messages: list[RoomMessage] = []
        rows = rows_of(jobs)
        for job in jobs:
            row = rows.get(job.subject_id or 0)
            if row is None:  # it was removed by hand
                continue
            before, row.waiting_for = row.waiting_for or {}, for_trainings(job.waiting_for)
            same = before.get("code") == "turn" == (row.waiting_for or {}).get("code")
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
        self.send(apply_batched(training_id, attempt, envelopes, log))

    def fail(self, job_id: int, attempt: int, failure: Failed) -> None:
        training_id = training_of(job_id)
        row = db.session.get(Training, training_id, populate_existing=True)
        event: Event = replace(failure, traceback=without_controls(failure.traceback))
        if row is not None and row.pause_requested and not row.stop_requested:
            event = Paused(row.current_epoch, "asked")
        self.send(end(training_id, attempt, event, now()))

    def position(self, job_id: int) -> tuple[int, int]:
        return position(training_of(job_id))

    def progress(self, jobs: Sequence[Job]) -> Mapping[int, JobProgressView]:
        """In epochs; the share also counts the batches of the present one."""
        rows = rows_of(jobs)
        return {
            job.id: as_progress(self.ephemeral.newest(rows[job.subject_id])) for job in jobs if job.subject_id in rows
        }

    def disk_short(self, job_id: int, space: DiskSpace) -> None:
        messages = recover.pause_for_disk(training_of(job_id), space)
        self.send(messages)
        if messages and (job := db.session.get(Job, job_id, populate_existing=True)):
            self.jobs.announce(job)

    def resume_paused(self, space: DiskSpace | None) -> None:
        """Before each round of the queue: those that paused for the disk, where there is space again."""
        if space is None:
            return
        messages = recover.after_disk(space)
        self.feed.send(messages)
        for training_id in {item.payload["training_id"] for item in messages}:
            self.jobs.announce_newest(KIND, training_id)

    def damaged(self, job_id: int, attempt: int) -> None:
        self.send(recover.note(training_of(job_id), "events_damaged", attempt=attempt))

    def left(self, job_id: int) -> None:
        """Its folder says what its row says, the weights are backed up, and whoever waits for its end hears of it."""
        training_id = training_of(job_id)
        self.ephemeral.drop(training_id)
        row = db.session.get(Training, training_id, populate_existing=True)
        if row is None:
            return
        self.store.describe(row)
        if TrainingStatus(row.status).ended:
            self.ended.notify(row)
        if self.jobs.keeps_files:
            start_backup(training_id)

    def files(self, job: Job) -> JobFiles:
        """For workers that share no volume."""
        row = self.row(job)
        folder = f"models/{row.id}"
        inputs = [f"{folder}/run", f"{folder}/checkpoints", official_weights(row)]
        if row.start.get("kind") == "training":
            source = checkpoint_path(row.start["checkpoint"])
            inputs.append(f"models/{row.start['training_id']}/{source}")
        attempt = f"{folder}/attempts/{job.attempt}"
        outputs = [f"{folder}/run", f"{folder}/checkpoints", attempt, f"{folder}/about.json"]
        return JobFiles(dataset_files(db.session, row.dataset_id, row.revision), inputs, outputs)

    def stop(self, job: Job) -> None:
        self.actions.stop(job.subject_id or 0)

    def send(self, messages: list[RoomMessage]) -> None:
        """What is committed holds, whether or not anybody hears of it: a run is not ended for that."""
        try:
            self.feed.send(messages)
        except Exception:
            db.session.rollback()
            logger.exception("telling what happened in a training")

    def row(self, job: Job) -> Training:
        return db.session.get_one(Training, job.subject_id)

    def supervisors(self) -> dict[int, Any]:
        """The supervisor of each training whose process is there, by the training's id."""
        mine = [item for item in self.jobs.scheduler.supervisors() if item.kind is self.kind]
        return {item.subject[1]: item for item in mine if item.subject}

    def devices(self) -> dict[int, tuple[str, ...]]:
        """The devices of each training that has some. What is about a training, as its evaluations, is not meant."""
        holdings = self.jobs.devices.read()
        ours = select(Job.id).where(Job.kind == KIND, Job.id.in_([item.job_id for item in holdings]))
        ids = set(db.session.scalars(ours)) if holdings else set()
        return {item.subject[1]: item.devices for item in holdings if item.subject and item.job_id in ids}

    # At the start.

    def adopt(self) -> None:
        """Every training that has not ended has a job: those of the version before, and those from folders, get one."""
        statuses = (TrainingStatus.PENDING, TrainingStatus.RUNNING, TrainingStatus.PAUSED)
        # Not the classes: setting up the mappers would delay the server's first answer.
        table, job = Training.__table__.c, Job.__table__.c
        mine = (job.kind == KIND) & (job.subject_id == table.id) & job.status.in_(UNFINISHED)
        fits = select(job.id).where(mine, job.attempt == table.attempt, job.status == table.status).exists()
        without = select(table.id).where(table.status.in_(statuses), table.deleted_at.is_(None), ~fits)
        ids = db.session.scalars(without).all()
        if not ids:
            return
        with writing() as session:
            for training_id in ids:
                row, existing = session.get_one(Training, training_id), job_of(training_id)
                self.correct_devices(row, recounted=existing is not None and existing.attempt != row.attempt)
                if existing is None:
                    session.add(new_job(row))
                else:
                    adopt_attempt(existing, row)
        logger.info("trainings %s have a job now", ", ".join(map(str, ids)))

    def correct_devices(self, row: Training, recounted: bool) -> None:
        """A running one has the devices that the child of its attempt was told.

        Args:
            recounted: its row was of an earlier attempt.
        """
        directory = self.store.attempt_dir(row.id, row.attempt)
        has_devices = row.devices and not (recounted and (directory / "spec.json").is_file())
        if row.status == TrainingStatus.RUNNING and not has_devices:
            row.devices = list(devices_in(directory))


def adopt_attempt(job: Job, row: Training) -> None:
    """The attempts of a training were counted from its folder, which is newer than the database: its job follows."""
    job.attempt, job.status, job.runner = row.attempt, JobStatus(row.status), None
    job.devices = row.devices if row.status == TrainingStatus.RUNNING else None
    for name, value in requested(row).items():
        setattr(job, name, value)


def begin(row: Training, attempt: int, devices: tuple[str, ...]) -> None:
    """Make it a running training in this attempt."""
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
    """The trainings of jobs, by their ids."""
    ids = {job.subject_id for job in jobs}
    return {row.id: row for row in db.session.scalars(select(Training).where(Training.id.in_(ids)))}


def waiting_rows() -> Sequence[Any]:
    """The trainings that wait, in their order."""
    names = ("id", "priority", "position", "waiting_for")
    waits = (Training.status == TrainingStatus.PENDING) & Training.deleted_at.is_(None)
    columns = select(*(getattr(Training, name) for name in names))
    return db.session.execute(columns.where(waits).order_by(*queue_order())).all()


def training_of(job_id: int) -> int:
    return db.session.scalars(select(Job.subject_id).where(Job.id == job_id)).one() or 0
