"""The job kinds that evaluate a model, and the row that follows them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.config import settings
from app.core.evaluate import CONCLUDED, EvaluateSpec, EvaluationResult
from app.database import writing
from app.errors import AppError
from app.events import Event, Failed, Stage
from app.extensions import db
from app.jobs.devices import CPU, Use
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart, JobKind
from app.jobs.model import Job, JobStatus
from app.jobs.recovery import DISPLACED_FROM_DEVICE
from app.models import Evaluation, Training, TrainingStatus, now
from app.services import about
from app.services.datasets.dataset_about import repair_description
from app.services.evaluations.queue import KIND, UNASKED, UNFINISHED
from app.services.trainer.job_files import dataset_files, weights_files
from app.services.trainer.launch import environment, spec_of
from app.services.trainer.messages import status_message
from app.services.trainer.run_endings import AUTOMATIC

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.trainer import TrainingService

BATCH = 16  # as in `yolo val`
IDLE_S = 600.0  # without progress to another image


class EvaluationJobs:
    """Registers the kinds: requested evaluations, and automatic ones, which are displaced by all other work.

    Args:
        trainer: finds checkpoints, and announces results that follow the end of a run.
    """

    def __init__(self, trainer: "TrainingService", jobs: "JobService", limited: bool) -> None:
        self.storage, self.trainer = trainer.storage, trainer
        kind = JobKind(
            KIND,
            "evaluate",
            self.spec,
            self.collect,
            self.apply,
            ended=self.ended,
            at_once=1_000_000,  # limited by the devices
            environment=lambda job: environment(tuple(job.devices or (CPU,)), settings()),
            use=Use.WORK,
            idle_s=IDLE_S,
            again=retry_params,
            memory_limit=limited,
            files=self.files,
        )
        jobs.register(kind)
        jobs.register(replace(kind, name=UNASKED, use=Use.SPARE))

    def spec(self, job: Job, directory: Path) -> Mapping[str, object]:
        """The spec of the child that evaluates a checkpoint.

        Raises:
            CannotStart: the training, its weights or the dataset were deleted.
        """
        row = row_of(db.session, job)
        training = db.session.get(Training, job.subject_id)
        if row is None or training is None or training.deleted_at is not None:
            raise CannotStart("data", "the evaluation or its training is gone")
        if row.dataset_id is None or not self.storage.has_images(row.dataset_id, row.revision):
            raise CannotStart("files_missing")
        spec = EvaluateSpec(
            weights=str(self.weights(row)),
            data=str(self.storage.dataset_yaml(row.dataset_id, row.revision)),
            task=training.task,
            split=row.split,
            img_size=row.img_size,
            classes=row.classes,
            device=CPU if tuple(job.devices or (CPU,)) == (CPU,) else "0",
            output=str(directory / "output"),
            batch=job.params.get("batch", BATCH),
            memory_limit=settings().TRAINING_MEMORY_LIMIT,
            conclude=bool(job.params.get("conclude")),
        )
        repair_description(self.storage, row.dataset_id, row.revision)
        return spec.values() if not spec.conclude else self.conclusion(job, training) | spec.values()

    def files(self, job: Job) -> JobFiles:
        """For workers without a shared volume."""
        row = row_of(db.session, job)
        if row is None:
            return JobFiles()
        folder = f"models/{row.training_id}"
        # The results of a stopped run are written to its folder.
        concluded = [f"{folder}/run", f"{folder}/evaluation"] if job.params.get("conclude") else []
        inputs = [*concluded, *weights_files(row.training_id)]
        outputs = [*concluded, f"{folder}/evaluations/{row.token}"]
        dataset = dataset_files(db.session, row.dataset_id, row.revision) if row.dataset_id is not None else None
        db.session.rollback()
        return JobFiles(dataset, inputs, outputs)

    def conclusion(self, job: Job, training: Training) -> dict[str, object]:
        """The additional spec for a stopped run, whose results are written first.

        Raises:
            CannotStart: the run has resumed.
        """
        if training.status != TrainingStatus.CANCELLED:
            raise CannotStart("data", "the run goes on")
        folder, devices = self.trainer.store.folder(training.id), tuple(job.devices or (CPU,))
        return replace(spec_of(training, folder, devices, settings()), resume=None).values()

    def apply(self, job: Job, event: Event, _directory: Path) -> None:
        """Notify the page of a stopped run that its results are available."""
        if isinstance(event, Stage) and event.name == CONCLUDED:
            training_id = job.subject_id or 0
            with writing() as session:
                training = self.trainer.store.lock_existing(session, training_id)
                messages = [status_message(training)] if training is not None else []
            self.trainer.feed.send(messages)

    def weights(self, row: Evaluation) -> Path:
        try:
            return self.trainer.files.checkpoint(row.training_id, row.checkpoint)[0]
        except AppError as error:
            raise CannotStart("weights", str(error)) from error

    def collect(self, job: Job, result: EvaluationResult, directory: Path) -> Mapping[str, object]:
        """Move the files to their folder, then complete the row; repeated if an earlier server ended in between."""
        row = row_of(db.session, job)
        if row is None:  # deleted meanwhile
            return {}
        training_id, token = row.training_id, row.token
        db.session.rollback()  # the files are synced outside of a transaction, which would block other writers
        self.storage.install_evaluation(directory / "output", training_id, token)
        with writing() as session:
            row = row_of(session, job)
            if row is not None:
                row.status, row.result, row.error, row.ended_at = JobStatus.COMPLETED, result, None, now()
        folder = self.storage.evaluation_dir(training_id, token)
        if row is None:  # deleted while its files were moved
            self.storage.remove_all([moved for moved in [self.storage.move_to_tmp(folder)] if moved])
            return {}
        about.write(folder, "evaluation", row)
        self.storage.deliver()
        return {"evaluation_id": job.params["evaluation_id"], "metrics": result["metrics"]}

    def ended(self, job: Job) -> None:
        """Record a failure or a stop in the row; a stopped automatic evaluation is deleted."""
        if job.status == JobStatus.COMPLETED:
            return
        with writing() as session:
            row = row_of(session, job)
            if row is None or JobStatus(row.status).ended:
                return
            if job.status == JobStatus.CANCELLED and job.params.get(AUTOMATIC):
                session.delete(row)
            else:
                row.status, row.error, row.ended_at = job.status, job.error_code, now()

    def end_orphaned(self) -> None:
        """End rows whose jobs ended, or were deleted, without updating them."""
        # The tables, not the classes: setting up the mappers would delay the server's first answer.
        mine, jobs = Evaluation.__table__, Job.__table__
        unfinished = select(mine.c.id, jobs.c.status, jobs.c.error).where(mine.c.status.in_(UNFINISHED))
        rows = db.session.execute(unfinished.select_from(mine.outerjoin(jobs, jobs.c.id == mine.c.job_id))).all()
        for evaluation_id, status, error in rows:
            if status is not None and not JobStatus(status).ended:
                continue
            with writing() as session:
                row = session.get(Evaluation, evaluation_id)
                if row is None or JobStatus(row.status).ended:  # its supervisor has updated it
                    continue
                row.status = JobStatus.CANCELLED if status == JobStatus.CANCELLED else JobStatus.FAILED
                row.error, row.ended_at = (error or {}).get("code", "interrupted"), now()


def row_of(session: Any, job: Job) -> Evaluation | None:
    """The evaluation of a job; None: it was deleted, and its id may have been reused."""
    mine = (Evaluation.id == job.params["evaluation_id"]) & (Evaluation.token == job.params["token"])
    row: Evaluation | None = session.scalar(select(Evaluation).where(mine).with_for_update())
    return row


def retry_params(job: Job, failure: Failed) -> Mapping[str, object] | None:
    """The params for a retry: unchanged after displacement; with half the batch after running out of memory, down to
    one image.
    """
    if failure.kind == DISPLACED_FROM_DEVICE:
        return job.params
    batch = int(job.params.get("batch", BATCH))
    if failure.kind != "out_of_memory" or batch == 1:
        return None
    return job.params | {"batch": batch // 2}
