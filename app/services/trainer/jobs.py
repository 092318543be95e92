"""The job kind that trains: its child's spec, files and devices, and jobs for trainings from before this start."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.config import settings
from app.database import writing
from app.errors import Conflict
from app.extensions import db
from app.jobs.devices import CPU, Use
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart, JobKind
from app.jobs.model import Job
from app.models import Training, TrainingStatus
from app.services.datasets.dataset_about import repair_description
from app.services.trainer.create import refuse_missing
from app.services.trainer.job_files import dataset_files, official_weights, results_files
from app.services.trainer.job_record import TrainingRecord
from app.services.trainer.launch import checkpoint_path, devices_in, environment, spec_of
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import KIND, UNFINISHED, adopt_attempt, job_of, new_job

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.training")

IDLE_S = 600.0  # without a batch


class TrainingJobs:
    """The kind `training`: its child's spec and files, and the devices of each training.

    Args:
        record: the training's row, which follows its job.
        store: of the rows and folders.
        jobs: runs them.
        limited: whether TRAINING_MEMORY_LIMIT is set.
    """

    def __init__(self, record: TrainingRecord, store: TrainingStore, jobs: "JobService", limited: bool) -> None:
        self.record, self.store, self.jobs = record, store, jobs
        self.kind = JobKind(
            KIND,
            "train",
            self.spec,
            at_once=1_000_000,  # limited by the devices
            idle_s=IDLE_S,
            environment=self.environment,
            use=Use.WORK,
            disk=True,
            directory=self.directory,
            memory_limit=limited,
            record=record,
            files=self.files,
        )
        jobs.register(self.kind)
        jobs.scheduler.before_round.append(record.resume_paused)

    # The child.

    def directory(self, job: Any) -> Path:
        return self.store.attempt_dir(job.subject_id, job.attempt)

    def environment(self, job: Job) -> Mapping[str, str]:
        return environment(tuple(job.devices or (CPU,)), settings())

    def spec(self, job: Job, directory: Path) -> Mapping[str, object]:
        """The spec of the child that trains.

        Raises:
            CannotStart: input files were removed from the server.
        """
        row, folder = self.row(job), self.store.folder(job.subject_id or 0)
        try:
            refuse_missing(self.store.storage, row.dataset, row.revision)
        except Conflict as error:
            raise CannotStart("files_missing") from error
        if repair_description(self.store.storage, row.dataset_id, row.revision):
            self.record.note(row.id, "dataset_yaml_mended")
        self.set_earlier_aside(folder, directory, job.attempt)
        self.store.describe(row)
        return spec_of(row, folder, tuple(job.devices or (CPU,)), settings()).values()

    def set_earlier_aside(self, folder: Path, directory: Path, attempt: int) -> None:
        """Set a folder aside in which another child has worked: its events would be read as those of the new one."""
        if directory.exists():
            self.store.storage.set_aside(folder if attempt == 1 else directory)

    def files(self, job: Job) -> JobFiles:
        """Inputs and outputs of the child, for workers without a shared volume."""
        row = self.row(job)
        folder = f"models/{row.id}"
        results = results_files(row.id)
        inputs = [*results, official_weights(row)]
        if row.start.get("kind") == "training":
            source = checkpoint_path(row.start["checkpoint"])
            inputs.append(f"models/{row.start['training_id']}/{source}")
        attempt = f"{folder}/attempts/{job.attempt}"
        outputs = [*results, attempt, f"{folder}/about.json"]
        return JobFiles(dataset_files(db.session, row.dataset_id, row.revision), inputs, outputs)

    def row(self, job: Job) -> Training:
        return db.session.get_one(Training, job.subject_id)

    def supervisors(self) -> dict[int, Any]:
        """The supervisor of each training with a running process, by the training's id."""
        mine = [item for item in self.jobs.scheduler.supervisors() if item.kind is self.kind]
        return {item.subject[1]: item for item in mine if item.subject}

    def devices(self) -> dict[int, tuple[str, ...]]:
        """The devices that each running training holds, by its id, without those of its evaluations and exports."""
        holdings = self.jobs.devices.read()
        ours = select(Job.id).where(Job.kind == KIND, Job.id.in_([item.job_id for item in holdings]))
        ids = set(db.session.scalars(ours)) if holdings else set()
        return {item.subject[1]: item.devices for item in holdings if item.subject and item.job_id in ids}

    # At the start.

    def adopt(self) -> None:
        """Give each unfinished training a job: rows of versions before app/jobs, and rows restored from folders."""
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
        logger.info("created or corrected the jobs of trainings %s", ", ".join(map(str, ids)))

    def correct_devices(self, row: Training, recounted: bool) -> None:
        """Set the devices of a running training to those in the spec of its child.

        Args:
            recounted: its row was of an earlier attempt.
        """
        directory = self.store.attempt_dir(row.id, row.attempt)
        has_devices = row.devices and not (recounted and (directory / "spec.json").is_file())
        if row.status == TrainingStatus.RUNNING and not has_devices:
            row.devices = list(devices_in(directory))
