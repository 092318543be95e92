"""The job kinds that export a model and verify it."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config import settings
from app.core.exports import RESULT_FOLDER, ExportResult, ExportSpec, options_of
from app.database import writing
from app.events import Event, Failed, Verified
from app.extensions import db
from app.jobs import Job, JobKind, JobStatus
from app.jobs.devices import CPU, Use
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart
from app.jobs.recovery import DISPLACED_FROM_DEVICE
from app.models import ModelExport, Training, now
from app.services.datasets.dataset_about import repair_description
from app.services.datasets.store import find_revision
from app.services.exports.files import ExportFiles
from app.services.exports.queue import KIND, UNASKED
from app.services.storage.unpack import sync_folder
from app.services.trainer import present
from app.services.trainer.job_files import dataset_files, weights_files
from app.services.trainer.launch import data_of, environment
from app.services.trainer.run_endings import AUTOMATIC
from app.services.trainer.thresholds import Threshold, thresholds

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.exports")

# Without progress to another image. The total time is unlimited, since trainings beside it may slow it down.
IDLE_S = 1800.0


class ExportJobs:
    """Registers the kinds, requested exports and automatic ones, which are displaced by all other work, and records
    their results.

    `params` of a job: `export_id`, and its `device`.

    Args:
        storage: of the trainings' folders. files: of the exports.
    """

    def __init__(self, storage: "StorageService", files: ExportFiles, jobs: "JobService") -> None:
        self.storage, self.files = storage, files
        kind = JobKind(
            KIND,
            "export_model",
            self.spec,
            self.collect,
            apply=self.apply,
            ended=self.ended,
            at_once=64,  # limited by the devices
            idle_s=IDLE_S,
            environment=lambda job: environment(tuple(job.devices or (CPU,)), settings()),
            use=Use.WORK,
            again=retry_params,
            files=self.needed,
        )
        jobs.register(kind)
        jobs.register(replace(kind, name=UNASKED, use=Use.SPARE, disk=True))

    def spec(self, job: Job, _directory: Path) -> Mapping[str, object]:
        """The spec of the child that exports a model.

        Raises:
            CannotStart: the run or its files were deleted.
        """
        row = export_of(db.session, job)
        training = db.session.get(Training, row.training_id) if row else None
        if row is None or training is None or training.deleted_at is not None:
            raise CannotStart("data", "the run was deleted")
        weights = present.weights(self.storage.get_training_dir(training.id))
        if weights is None:
            raise CannotStart("weights", "the weights are gone")
        repair_description(self.storage, training.dataset_id, training.revision)
        data = data_of(training, settings())
        if not data.is_file():
            raise CannotStart("data", "the dataset's files are gone")
        return ExportSpec(
            weights=str(weights),
            sha256=row.weights_sha256,
            format=row.format,
            data=str(data),
            task=training.task,
            img_size=row.arguments["img_size"],
            arguments=options_of(row.arguments),
            device=CPU if (job.devices or [CPU]) == [CPU] else "0",
            classes=classes_of(db.session, training),
        ).values()

    def needed(self, job: Job) -> JobFiles:
        """The files of a job, for workers without a shared volume."""
        row = export_of(db.session, job)
        training = db.session.get(Training, row.training_id) if row else None
        if row is None or training is None:
            return JobFiles()
        outputs = [f"models/{training.id}/exports/{row.id}"]
        dataset = dataset_files(db.session, training.dataset_id, training.revision)
        return JobFiles(dataset, weights_files(training.id), outputs)

    def apply(self, job: Job, event: Event, _directory: Path) -> None:
        """Store the measurements, whatever the ending."""
        if not isinstance(event, Verified):
            return
        with writing() as session:
            row = export_of(session, job)
            if row is not None:
                row.verification = event.verification
                row.thresholds = rows_of(event)

    def collect(self, job: Job, result: ExportResult, directory: Path) -> Mapping[str, object]:
        """Move the files to their folder, then complete the row; if they are already there, an earlier server moved
        them.
        """
        row = export_of(db.session, job)
        if row is None or db.session.get(Training, row.training_id) is None:  # deleted meanwhile
            return {}
        if row.verification is None:
            raise OSError(f"export {row.id}: no figures were written down")
        target = self.files.folder(row)
        db.session.rollback()  # the files are synced outside of a transaction, which would block other writers
        self.install(directory / RESULT_FOLDER, target)
        with writing() as session:
            row = export_of(session, job)
            if row is not None:
                row.status, row.error, row.ended_at = "completed", None, now()
                row.size_bytes, row.details = result["size_bytes"], {**row.details, **result}
        if row is None:  # deleted while its files were moved
            self.files.remove([target])
            return {}
        logger.info("export %s of training %s is ready", row.id, row.training_id)
        return {"export_id": row.id, "url": f"/api/exports/{row.id}/download"}

    def install(self, source: Path, target: Path) -> None:
        """Move the synced files to their folder by a rename."""
        if not source.is_dir():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            self.storage.move_to_tmp(target)
        os.replace(source, target)
        sync_folder(target.parent)
        self.storage.deliver()

    def ended(self, job: Job) -> None:
        """Record a failure or a stop in the row, since jobs are deleted after a while, exports are not. An automatic
        export is deleted, unless its measurements show that OpenVINO has no benefit for this model.
        """
        with writing() as session:
            row = export_of(session, job)
            if row is None or row.status == JobStatus.COMPLETED:
                return
            if job.params.get(AUTOMATIC) and job.error_code != "accuracy_lost":
                session.delete(row)
            else:
                row.status, row.error, row.ended_at = str(job.status), job.error, now()


def retry_params(job: Job, failure: Failed) -> Mapping[str, object] | None:
    """The params for a retry after displacement: unchanged."""
    return job.params if failure.kind == DISPLACED_FROM_DEVICE else None


def classes_of(session: Any, training: Training) -> dict[str, str | None] | None:
    """The dataset's class → that of uploaded weights, by name; None: the model was trained on the dataset."""
    if not training.is_uploaded:
        return None
    ours, row = training.start["classes"], None
    if training.revision:
        row = find_revision(session, training.dataset_id, training.revision)
    theirs = (row or training.dataset).classes
    return None if theirs == ours else {name: name if name in ours else None for name in theirs}


def export_of(session: Any, job: Job) -> ModelExport | None:
    """The row of a job; None if its run was deleted, even if its id was reused."""
    row = session.get(ModelExport, job.params["export_id"])
    return row if row is not None and row.job_id == job.id else None


def rows_of(event: Verified) -> list[Threshold]:
    """The thresholds of the export, as for an evaluation: the shipped one is the balanced one."""
    shipped, curves = event.verification.get("at_threshold"), event.curves
    return thresholds(shipped, curves) if shipped and curves else []
