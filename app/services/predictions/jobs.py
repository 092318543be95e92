"""The job kinds that run a model on a video or on many images."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config import settings
from app.core.predictions import RESULT_FOLDER, PredictionResult, PredictionSpec
from app.database import writing
from app.errors import AppError
from app.extensions import db
from app.jobs import Job, JobKind
from app.jobs.devices import CPU, Use
from app.jobs.files import JobFiles
from app.jobs.kinds import CannotStart
from app.models import PredictionRun, Training, now
from app.services.datasets.specs import limits
from app.services.storage.unpack import sync_folder
from app.services.trainer.job_files import weights_files
from app.services.trainer.launch import environment

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.infer.engines import Engines
    from app.services.infer.models import TestableModels
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.predictions")

VIDEO, IMAGES = "video", "images"
KINDS = {VIDEO: "predict_video", IMAGES: "predict_images"}  # by source; also the names of the programs
LONGEST_H = 12
IDLE_S = 600.0  # without progress to another frame or image
INPUT = "input"  # name of the uploaded file in a prediction's folder


class PredictionJobs:
    """Registers the kinds, and stores the output of their children.

    Args:
        models: finds weights. engines: chooses their engines.
    """

    def __init__(
        self, storage: "StorageService", jobs: "JobService", models: "TestableModels", engines: "Engines"
    ) -> None:
        self.storage, self.models, self.engines = storage, models, engines
        for name in KINDS.values():
            jobs.register(self.kind(name))

    def kind(self, name: str) -> JobKind:
        return JobKind(
            name,
            name,
            self.spec,
            self.collect,
            ended=self.ended,
            at_once=64,  # limited by the devices
            limit_s=LONGEST_H * 3600.0,
            idle_s=IDLE_S,
            environment=lambda job: environment(tuple(job.devices or (CPU,)), settings()),
            use=Use.WORK,
            disk=True,
            files=self.files,
        )

    def folder(self, prediction_id: int) -> Path:
        """The folder of a prediction's files."""
        return self.storage.prediction_dir(prediction_id)

    def spec(self, job: Job, _directory: Path) -> Mapping[str, object]:
        """The spec of the child that runs the model on the input.

        Raises:
            CannotStart: the run, its weights or the input were deleted.
        """
        row = prediction_of(db.session, job)
        training = db.session.get(Training, row.training_id) if row else None
        if row is None or training is None or training.deleted_at is not None:
            raise CannotStart("data", "the run was deleted")
        sent = self.folder(row.id) / INPUT
        if not sent.is_file():
            raise CannotStart("files_missing", "what was sent is gone")
        checkpoint = row.options.get("checkpoint")
        try:
            weights = self.models.model_of(training.id, checkpoint)
        except AppError as error:
            raise CannotStart("weights", str(error)) from error
        config = settings()
        return PredictionSpec(
            input=str(sent),
            weights=str(weights),
            export=self.engines.fastest_export(training.id, weights),
            confidence=row.options["confidence"],
            iou=row.options["iou"],
            classes=row.options["classes"],
            track=row.options["track"],
            about={"training_id": training.id, "name": training.name, "checkpoint": checkpoint},
            device=CPU if tuple(job.devices or (CPU,)) == (CPU,) else "0",
            max_pixels=config.MAX_IMAGE_PIXELS,
            max_frames=config.MAX_VIDEO_FRAMES,
            decode_seconds=config.IMAGE_DECODE_SECONDS,
            limits=limits(config),
        ).values()

    def files(self, job: Job) -> JobFiles:
        """For workers without a shared volume."""
        row = prediction_of(db.session, job)
        if row is None:
            return JobFiles()
        folder = f"predictions/{row.id}"
        exports = f"models/{row.training_id}/exports"
        inputs = [f"{folder}/{INPUT}", *weights_files(row.training_id), exports]
        return JobFiles(
            None, inputs, [f"{folder}/{RESULT_FOLDER}", f"{folder}/{INPUT}"]
        )  # the last one is removed at the end

    def collect(self, job: Job, result: PredictionResult, directory: Path) -> Mapping[str, object]:
        """Move the files to their folder, then complete the row; if they are already there, an earlier server moved
        them.
        """
        row = prediction_of(db.session, job)
        if row is None:  # deleted meanwhile
            return {}
        output, folder = directory / RESULT_FOLDER, self.folder(row.id)
        if output.is_dir():
            if (folder / RESULT_FOLDER).exists():  # left by an attempt whose end was not recorded
                self.storage.move_to_tmp(folder / RESULT_FOLDER)
            os.replace(output, folder / RESULT_FOLDER)
            sync_folder(folder)
        self.storage.deliver()
        with writing() as session:
            row = prediction_of(session, job)
            if row is None:
                return {}
            row.status, row.error, row.ended_at, row.result = "completed", None, now(), result
        (folder / INPUT).unlink(missing_ok=True)  # no longer needed
        logger.info("prediction %s of training %s is ready", row.id, row.training_id)
        return {"prediction_id": row.id, "url": f"/api/predictions/{row.id}"}

    def ended(self, job: Job) -> None:
        """Record a failure or a stop in the row: jobs are deleted after a while, predictions are not."""
        with writing() as session:
            row = prediction_of(session, job)
            if row is None or row.status == "completed":
                return
            row.status, row.error, row.ended_at = str(job.status), job.error, now()
            sent = self.folder(row.id) / INPUT
        sent.unlink(missing_ok=True)


def prediction_of(session: Any, job: Job) -> PredictionRun | None:
    """The row of a job; None if it was deleted, even if its id was reused."""
    row = session.get(PredictionRun, job.params["prediction_id"])
    return row if row is not None and row.job_id == job.id else None
