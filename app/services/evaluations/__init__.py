"""EvaluationService: measures trained models on the splits of datasets, and stores the results."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from flask_babel import gettext as _
from sqlalchemy import delete, select

from app.core.thresholds import ModelThresholds
from app.database import once_more, writing
from app.errors import NotFound
from app.extensions import db
from app.jobs.model import Job, JobStatus
from app.jobs.views import JobView
from app.models import Evaluation, Training
from app.schemas.evaluation_contents import (
    AdviceQueryValues,
    ComparisonQueryValues,
    OutcomeQueryValues,
    SuspectQueryValues,
    ThresholdQueryValues,
)
from app.schemas.evaluations import (
    EvaluationDeletedValues,
    EvaluationDetailValues,
    EvaluationInValues,
    EvaluationStartedValues,
)
from app.services import idempotency
from app.services.evaluations.automatic import AutomaticEvaluations
from app.services.evaluations.browse import refuse_class
from app.services.evaluations.compare import EvaluationComparison
from app.services.evaluations.jobs import EvaluationJobs
from app.services.evaluations.present import evaluation_out
from app.services.evaluations.queue import EvaluationQueue
from app.services.evaluations.read_models import (
    ComparableEvaluations,
    CurvesView,
    EvaluatedPageView,
    EvaluationDifference,
    Matrix,
    SuspectPageView,
    ThresholdAdvice,
)
from app.services.evaluations.reads import EvaluationReader
from app.services.evaluations.request import Checker, EvaluationColumns
from app.services.idempotency import RequestKey
from app.services.storage.hashed import is_replaced
from app.services.trainer.store import model_classes, not_deleted

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.datasets import DatasetService
    from app.services.storage import StorageService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.evaluations")


class EvaluationService:
    """Starts, lists and deletes evaluations.

    Args:
        storage: of their files.
        trainer: finds checkpoints. datasets: finds versions.
        jobs: runs the kind `evaluate`, registered here.
        limited: whether their memory is limited.
    """

    def __init__(
        self,
        storage: "StorageService",
        trainer: "TrainingService",
        datasets: "DatasetService",
        jobs: "JobService",
        limited: bool = False,
    ) -> None:
        self.storage, self.jobs, self.dataset_names = storage, jobs, datasets.store.names
        self.checker = Checker(storage, trainer, datasets)
        self.reader = EvaluationReader(storage, datasets)
        self.comparison = EvaluationComparison(storage, self.reader)
        self.kind = EvaluationJobs(trainer, jobs, limited)
        self.queue = EvaluationQueue(jobs)
        self.automatic = AutomaticEvaluations(trainer.store, self.queue)
        trainer.ended.listeners.append(self.automatic.submit)

    def create(
        self, training_id: int, values: EvaluationInValues, request_key: RequestKey | None = None
    ) -> EvaluationStartedValues:
        """Queue an evaluation; `values` as loaded by EvaluationIn. An unfinished one with the same values is reused.

        Raises:
            NotFound: there is no such training.
            Conflict: it has no such weights, or the dataset is not ready.
            Unprocessable: dataset, split or classes do not match the model.
        """

        def write(columns: EvaluationColumns) -> tuple[EvaluationStartedValues, int | None]:
            with writing() as session:
                self.checker.training(training_id)  # it may have been deleted meanwhile
                mark = idempotency.reserve(session, request_key)
                row = self.queue.same(session, training_id, columns)
                if row is None:
                    row = self.queue.add(session, training_id, columns, self.queue.priority(session))
                else:
                    self.queue.bring_forward(session, row)
                answer: EvaluationStartedValues = {
                    "message": _("Evaluation queued"),
                    "evaluation_id": row.id,
                    "job_id": row.job_id,
                    "status": str(row.status),
                }
                if mark is not None:
                    mark.answer = dict(answer)
            return answer, row.job_id

        def queue() -> EvaluationStartedValues:
            columns = self.checker.columns(training_id, values)
            answer, job_id = once_more(lambda: write(columns))
            logger.info("evaluation %s of training %s", answer["evaluation_id"], training_id)
            self.queue.announce([job_id])
            return answer

        return idempotency.run_idempotent(request_key, queue)

    def get(self, evaluation_id: int) -> EvaluationDetailValues:
        """An evaluation, as EvaluationDetail.

        Raises:
            NotFound: no such evaluation.
        """
        return self.to_dicts([self.row(evaluation_id)])[0]

    def of_training(self, training_id: int) -> list[EvaluationDetailValues]:
        """All evaluations of a training, newest first.

        Raises:
            NotFound: no such training.
        """
        self.checker.training(training_id)
        query = select(Evaluation).where(Evaluation.training_id == training_id).order_by(Evaluation.id.desc())
        rows = list(db.session.scalars(query))
        return self.to_dicts(rows)

    def to_dicts(self, rows: list[Evaluation]) -> list[EvaluationDetailValues]:
        """Evaluations, as EvaluationDetail."""
        jobs = self.jobs_of(rows)
        names = self.dataset_names({row.dataset_id for row in rows if row.dataset_id is not None})
        return [evaluation_out(row, jobs, names, self.weights_changed(row)) for row in rows]

    def weights_changed(self, row: Evaluation) -> bool:
        """Whether the run's weights have changed since they were evaluated."""
        path = self.storage.get_training_dir(row.training_id) / "run" / "weights" / f"{row.checkpoint}.pt"
        measured = row.result.get("weights_sha256") if row.result else None  # the checkpoint of an epoch never changes
        return is_replaced(path, measured, row.created_at)

    def delete(self, evaluation_id: int) -> EvaluationDeletedValues:
        """Remove it with its files; a running one is ended.

        Raises:
            NotFound: no such evaluation.
        """
        row = self.row(evaluation_id)
        training_id, token = row.training_id, row.token
        if row.job_id is not None and row.result is None:
            self.jobs.end(row.job_id)
        folder = self.storage.evaluation_dir(training_id, token)
        with self.storage.removal(folder) as move_files, writing() as session:
            session.execute(delete(Evaluation).where(Evaluation.token == token))
            move_files()
        return {"message": _("Evaluation deleted"), "evaluation_id": evaluation_id}

    # Results; all raise NotFound, or Conflict if it is not completed or its files are damaged.

    def matrix(self, evaluation_id: int, query: ThresholdQueryValues) -> Matrix:
        """The confusion matrix, as MatrixOut."""
        return self.reader.matrix(self.row(evaluation_id), query)

    def images(self, evaluation_id: int, query: OutcomeQueryValues) -> EvaluatedPageView:
        """A page of images, as EvaluatedPage."""
        return self.reader.images(self.row(evaluation_id), query)

    def label_errors(self, evaluation_id: int, query: SuspectQueryValues) -> SuspectPageView:
        """A page of likely label errors, as SuspectPage."""
        return self.reader.label_errors(self.row(evaluation_id), query)

    def comparable(self, evaluation_id: int) -> ComparableEvaluations:
        """The evaluations that it can be compared with, as OthersOut."""
        return {"evaluations": self.comparison.comparable(self.row(evaluation_id))}

    def compare(self, evaluation_id: int, other_id: int, query: ComparisonQueryValues) -> EvaluationDifference:
        """The comparison of two evaluations, as ComparisonOut; Unprocessable if their images differ."""
        return self.comparison.compare(self.row(evaluation_id), self.row(other_id), query)

    def curves(self, evaluation_id: int) -> CurvesView:
        """The curves, as CurvesOut."""
        return {"curves": self.reader.curves(self.row(evaluation_id))}

    def thresholds(self, evaluation_id: int, query: AdviceQueryValues) -> ThresholdAdvice:
        """The recommended thresholds, as AdviceOut."""
        return self.reader.thresholds(self.row(evaluation_id), query)

    def image_file(self, evaluation_id: int, number: int, small: bool) -> Path:
        """An image, or its thumbnail."""
        return self.reader.image_file(self.row(evaluation_id), number, small)

    def choose_thresholds(self, training_id: int, values: ModelThresholds) -> ModelThresholds:
        """Store the chosen thresholds of the model.

        Raises:
            NotFound: no such training.
            Conflict: it is in the trash.
            Unprocessable: it has no such class.
        """
        classes = model_classes(not_deleted(self.checker.training(training_id)))
        if unknown := [name for name in values["classes"] if name not in classes]:
            raise refuse_class("classes", unknown[0])
        with writing() as session:
            row = session.get_one(Training, training_id)
            row.thresholds = values if any(value not in (None, {}) for value in values.values()) else None
            chosen: ModelThresholds = row.thresholds or {"confidence": None, "iou": None, "classes": {}}
        store = self.checker.trainer.store
        store.describe(store.row(training_id))
        return chosen

    def reconcile(self) -> None:
        """At the server's start: close rows whose jobs ended before their results were recorded, and queue the
        evaluations of stopped runs that are missing.
        """
        self.kind.end_orphaned()
        self.automatic.catch_up()

    def row(self, evaluation_id: int) -> Evaluation:
        """The evaluation with this id.

        Raises:
            NotFound: no such evaluation.
        """
        row = db.session.get(Evaluation, evaluation_id)
        if row is None:
            raise NotFound(_("Evaluation %(id)s doesn't exist.", id=evaluation_id))
        return row

    def jobs_of(self, rows: list[Evaluation]) -> dict[int, JobView]:
        """The jobs of unfinished evaluations by evaluation, as JobOut."""
        ids = [row.job_id for row in rows if not JobStatus(row.status).ended]
        jobs = db.session.scalars(select(Job).where(Job.id.in_(ids))).all() if ids else []
        return {item["id"]: item for item in self.jobs.views(jobs)}
