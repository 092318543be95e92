"""Runs trained models on videos and on many images, as jobs."""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from flask_babel import gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import delete, select
from sqlalchemy.orm import joinedload

from app.access.creators import creator_conditions
from app.config import settings
from app.core.files import sync_file
from app.core.predictions import RESULT_FOLDER
from app.database import writing
from app.errors import Conflict, NotFound
from app.extensions import db
from app.jobs import Job, JobStatus
from app.models import PredictionRun, Training
from app.schemas.prediction_runs import (
    PredictionRunDeletedValues,
    PredictionRunOutValues,
    RequestedRun,
)
from app.services.idempotency import RequestKey, reserve, run_idempotent
from app.services.infer.serving import Limits
from app.services.predictions import texts
from app.services.predictions.inputs import PredictionInput
from app.services.predictions.jobs import INPUT, KINDS, VIDEO, PredictionJobs
from app.services.predictions.present import UNFINISHED, PredictionState, prediction_view, state_of
from app.services.storage.unpack import remove_tree
from app.services.trainer.store import training_not_found

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.infer import InferenceService
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.predictions")

FIRST, NORMAL = 200, 0  # priorities, as for exports
COMING_S = 3600.0  # a folder exists before its row is committed


class RunOptions(TypedDict):
    """The options of a prediction's model, see `PredictionRunForm`."""

    confidence: float
    iou: float
    classes: dict[str, float]
    track: bool
    checkpoint: str | None


class QueuedPrediction(TypedDict):
    """The answer to a request for one. `source`: video or images."""

    prediction_id: int
    job_id: int
    status: str
    source: str


class Predictions:
    """The interface of predictions for requests.

    Args:
        inference: finds models and their engines.
        jobs: runs the kinds registered here.
    """

    def __init__(self, storage: "StorageService", jobs: "JobService", inference: "InferenceService") -> None:
        self.storage, self.jobs, self.models = storage, jobs, inference.models
        self.kind = PredictionJobs(storage, jobs, inference.models, inference.serving.engines)

    def create(self, sent: PredictionInput, values: RequestedRun, key: RequestKey | None = None) -> QueuedPrediction:
        """Store a video or images, and queue their job.

        Args:
            values: training_id, checkpoint, confidence, iou, classes, track.

        Raises:
            NotFound: there is no such run or checkpoint.
            Conflict: it has no weights.
            Unprocessable: the files are neither a video nor images, or the thresholds are invalid.
            NoSpace: the disk is full.
        """
        return run_idempotent(key, lambda: self.create_once(sent, values, key))

    def options(self, values: RequestedRun) -> RunOptions:
        """The params of the job, without the model.

        Raises:
            NotFound: as `create`.
            Conflict: as `create`.
            Unprocessable: as `create`.
        """
        self.models.model_of(values["training_id"], values.get("checkpoint"))
        return options_of(db.session.get_one(Training, values["training_id"]), values)

    def create_once(self, sent: PredictionInput, values: RequestedRun, key: RequestKey | None) -> QueuedPrediction:
        training_id, options = values["training_id"], self.options(values)
        db.session.rollback()
        source = sent.source()
        options["track"] = options["track"] and source == VIDEO
        self.storage.check_space(sent.size, settings().MIN_FREE_DISK)
        staging = self.storage.new_tmp()
        staging.mkdir(parents=True)
        try:
            size = sent.write_to(staging / INPUT)
            row = PredictionRun(training_id=training_id, source=source, options=options, input_bytes=size)
            row.filename = sent.name or source
            job, answer = self.begin(staging, row, key)
        finally:
            remove_tree(staging)
        self.jobs.announce(job)
        self.jobs.scheduler.wake()
        logger.info("prediction %s: training %s, %s bytes", answer["prediction_id"], training_id, size)
        return answer

    def begin(self, staging: Path, row: PredictionRun, key: RequestKey | None) -> tuple[Job, QueuedPrediction]:
        """Create the row, its job and its folder, all or none."""
        folder, kind = None, KINDS[row.source]
        try:
            with writing() as session:
                mark = reserve(session, key)
                # locked, so that it is not deleted meanwhile
                if session.get(Training, row.training_id, with_for_update=True) is None:
                    raise training_not_found(row.training_id)
                session.add(row)
                session.flush()
                params = {"prediction_id": row.id, "device": "auto"}
                job = self.jobs.add(session, kind, params, ("training", row.training_id), priority(session))
                session.flush()
                row.job_id = job.id
                answer: QueuedPrediction = {
                    "prediction_id": row.id,
                    "job_id": job.id,
                    "status": str(row.status),
                    "source": row.source,
                }
                if mark is not None:
                    mark.answer = dict(answer)
                folder = self.install(staging, row.id)
        except BaseException:
            if folder is not None:
                remove_tree(folder)
            raise
        return job, answer

    def install(self, staging: Path, prediction_id: int) -> Path:
        folder = self.kind.folder(prediction_id)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():  # the new id has no row, so the folder belongs to none
            self.storage.set_aside(folder)
        sync_file(staging)  # the input is synced before its folder is in place
        os.replace(staging, folder)
        sync_file(folder.parent)
        return folder

    def get(self, prediction_id: int) -> PredictionRun:
        """The prediction with this id.

        Raises:
            NotFound: there is no such prediction.
        """
        row = db.session.get(PredictionRun, prediction_id, populate_existing=True)
        if row is None:
            raise NotFound(_("Prediction %(id)s doesn't exist.", id=prediction_id))
        return row

    def page(
        self, page: int, per_page: int, training_id: int | None = None, created_by: str | None = None
    ) -> Pagination:
        """Newest first."""
        conditions = creator_conditions(PredictionRun.created_by, created_by)
        query = (
            select(PredictionRun)
            .where(*conditions)
            .options(joinedload(PredictionRun.training))
            .order_by(PredictionRun.id.desc())
        )
        if training_id is not None:
            query = query.where(PredictionRun.training_id == training_id)
        return db.paginate(query, page=page, per_page=per_page, error_out=False)

    def view(self, row: PredictionRun) -> PredictionRunOutValues:
        """A prediction as PredictionRunOut."""
        return self.views([row])[0]

    def views(self, rows: Sequence[PredictionRun]) -> list[PredictionRunOutValues]:
        """The same for several, with as many queries as for one."""
        states = self.states(rows)
        return [prediction_view(row, states[row.id]) for row in rows]

    def states(self, rows: Sequence[PredictionRun]) -> dict[int, PredictionState]:
        """status, progress and error by id: the job's until it has ended, then the row's."""
        ids = [row.job_id for row in rows if row.status in UNFINISHED and row.job_id]
        jobs = db.session.scalars(select(Job).where(Job.id.in_(ids))).all() if ids else []
        views = {view["id"]: view for view in self.jobs.views(jobs)}
        jobs_by_id = {job.id: job for job in jobs if job.kind in KINDS.values()}
        return {row.id: state_of(row, jobs_by_id.get(row.job_id or 0), views.get(row.job_id or 0)) for row in rows}

    def file_of(self, prediction_id: int, name: str) -> Path:
        """The path of an output file of a completed prediction.

        Raises:
            NotFound: there is no such prediction or file.
            Conflict: it is not ready.
        """
        row = self.get(prediction_id)
        state = self.states([row])[row.id]
        if state["status"] != JobStatus.COMPLETED:
            reason = state["error"]["message"] if state["error"] else _("The prediction isn't ready yet.")
            raise Conflict(reason, members={"current": str(state["status"])})
        path = self.kind.folder(row.id) / RESULT_FOLDER / name
        sizes = row.result.get("files", {}) if row.result else {}
        if name not in sizes or not path.is_file() or path.stat().st_size != sizes[name]:
            raise NotFound(texts.refusals()["files_missing"])
        return path

    def delete(self, prediction_id: int) -> PredictionRunDeletedValues:
        """Remove a prediction with its files; a running one is ended.

        Raises:
            NotFound: there is no such prediction.
        """
        row = self.get(prediction_id)
        job_id, folder = row.job_id, self.kind.folder(row.id)
        if self.states([row])[row.id]["status"] in UNFINISHED and job_id is not None:
            self.jobs.end(job_id)
        with self.storage.removal(folder) as move_files, writing() as session:
            mine = (PredictionRun.id == prediction_id) & (PredictionRun.job_id == job_id)
            deleted = session.scalars(delete(PredictionRun).where(mine).returning(PredictionRun.id)).all()
            if deleted:  # otherwise its id may have been reused
                move_files()
        return {"message": _("Prediction deleted"), "prediction_id": prediction_id}

    def set_unknown_aside(self) -> int:
        """Set folders without a row aside; returns how many."""
        folders = [path for path in self.storage.predictions.glob("*") if path.name.isdecimal()]
        existing = set(db.session.scalars(select(PredictionRun.id)))
        count = 0
        for path in folders:
            with suppress(FileNotFoundError):  # deleted meanwhile
                if int(path.name) not in existing and time.time() - path.stat().st_ctime > COMING_S:
                    self.storage.set_aside(path)
                    count += 1
        return count


def options_of(training: Training, values: RequestedRun) -> RunOptions:
    """The options of the request, otherwise those stored with the model."""
    limits = Limits.of(training, values)
    return {
        "confidence": limits.confidence,
        "iou": limits.iou,
        "classes": limits.classes,
        "track": values["track"],
        "checkpoint": values.get("checkpoint"),
    }


def priority(session: Any) -> int:
    """The priority of a new prediction: before the waiting trainings, unless another one already waits there, since
    many of them would delay all trainings.
    """
    unfinished = Job.kind.in_(KINDS.values()) & Job.status.in_(UNFINISHED)
    return NORMAL if session.scalar(select(Job.id).where(unfinished).limit(1)) else FIRST
