"""Evaluates an ended run on its validation and its test set automatically.

Evaluations of a completed run wait behind every training, and are displaced by any other job on their device: then they
wait again. A stopped run has no results of its own yet: the first of these evaluations writes them, and therefore runs
before every waiting training, and is not displaced.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.config import settings
from app.core.image_size import rounded
from app.database import once_more, writing
from app.extensions import db
from app.jobs import RETENTION, Job
from app.models import Dataset, Evaluation, Training, TrainingStatus, now
from app.services.datasets.store import find_revision
from app.services.evaluations.queue import FIRST, KIND, LAST, UNASKED, UNFINISHED, EvaluationQueue, is_same
from app.services.evaluations.request import EvaluationColumns
from app.services.trainer.run_endings import AUTOMATIC, needs_evaluation

if TYPE_CHECKING:
    from app.services.trainer.store import TrainingStore

logger = logging.getLogger("yolo.evaluations")

CHECKPOINT = "best"
ENDED_WELL = {TrainingStatus.COMPLETED, TrainingStatus.CANCELLED}


class AutomaticEvaluations:
    """Queues evaluations when runs end.

    Args:
        store: of their folders. queue: accepts the evaluations.
    """

    def __init__(self, store: "TrainingStore", queue: EvaluationQueue) -> None:
        self.store, self.queue = store, queue

    def submit(self, training: Training) -> None:
        """Queue the missing evaluations of the run's best weights."""
        if training.status not in ENDED_WELL or training.deleted_at is not None:
            return
        if not (self.store.folder(training.id) / "run" / "weights" / "best.pt").is_file():
            return
        missing = list(self.missing_evaluations(training))
        if not missing:
            return

        def write() -> list[int | None]:
            with writing() as session:
                rows = [
                    self.queue.add(session, training.id, columns, priority, kind, **params)
                    for columns, priority, kind, params in missing
                ]
                return [row.job_id for row in rows]

        job_ids = once_more(write)
        logger.info("training %s: %s evaluations queued", training.id, len(job_ids))
        self.queue.announce(job_ids)

    def catch_up(self) -> None:
        """Queue the missing evaluations of stopped runs, as after an update of the server. Failed and stopped ones are
        not repeated.
        """
        # Not the classes: setting up the mappers would delay the server's first answer.
        run, job, evaluation = Training.__table__.c, Job.__table__.c, Evaluation.__table__.c
        begun = select(job.id).where(job.subject_type == "training", job.subject_id == run.id)
        begun = begun.where(job.kind.in_((KIND, UNASKED)))
        none = ~begun.exists() & ~select(evaluation.id).where(evaluation.training_id == run.id).exists()
        stopped = (run.status == TrainingStatus.CANCELLED) & run.deleted_at.is_(None)
        # jobs of older runs have been deleted, so a stopped evaluation could not be recognized
        recent = run.end_time > now() - RETENTION
        for training_id in db.session.scalars(select(run.id).where(stopped, recent, none)).all():
            try:
                training = db.session.get(Training, training_id)
                if training is not None and needs_evaluation(self.store.folder(training_id)):
                    self.submit(training)
            except Exception:  # a failure must not stop the start
                db.session.rollback()
                logger.exception("training %s: its evaluation could not be queued", training_id)

    def missing_evaluations(
        self, training: Training
    ) -> Iterator[tuple[EvaluationColumns, int, str, dict[str, object]]]:
        """Columns, priority, kind and params of each."""
        stopped = training.status == TrainingStatus.CANCELLED
        conclude = stopped and needs_evaluation(self.store.folder(training.id))
        device: dict[str, object] = {
            "device": str(training.params.get("device", "auto")).split(",")[0],
            AUTOMATIC: True,
        }
        if conclude:
            yield columns_of(training, "val"), FIRST, KIND, device | {"conclude": True}
        if not settings().AUTO_EVALUATE:
            return
        for split in ("val", "test"):
            columns = columns_of(training, split)
            evaluated = (conclude and split == "val") or self.is_evaluated(training, columns)
            if has_images(training, split) and not evaluated:
                yield columns, LAST, UNASKED, device

    def is_evaluated(self, training: Training, columns: EvaluationColumns) -> bool:
        """Whether these weights have such an evaluation, finished or not."""
        best = self.store.folder(training.id) / "run" / "weights" / "best.pt"
        trained_at = datetime.fromtimestamp(best.stat().st_mtime, UTC)
        rows = db.session.scalars(select(Evaluation).where(Evaluation.training_id == training.id))
        return any(
            is_same(row, columns)
            and (row.status in UNFINISHED or (row.result is not None and row.created_at >= trained_at))
            for row in rows
        )


def columns_of(training: Training, split: str) -> EvaluationColumns:
    """The columns for the training's own dataset, whose classes are the model's."""
    return {
        "dataset_id": training.dataset_id,
        "revision": training.revision,
        "split": split,
        "checkpoint": CHECKPOINT,
        "img_size": rounded(training.img_size),
        "classes": None,
    }


def has_images(training: Training, split: str) -> bool:
    """Whether a split of the training's dataset version has images."""
    revision = find_revision(db.session, training.dataset_id, training.revision) if training.revision else None
    data = revision or db.session.get_one(Dataset, training.dataset_id)
    return bool(getattr(data, f"{split}_images"))
