"""Collects the facts of a verdict: rows of the training, its dataset and its epochs, and the evaluation's file."""

import sqlite3
from pathlib import Path
from typing import cast

from app.config import settings
from app.core.final_evaluation import FinalEvaluation
from app.extensions import db
from app.models import Checkpoint, Training, TrainingMetric
from app.services.datasets.index import DamagedIndex, Index
from app.services.trainer import present
from app.services.trainer.advice import recent_epochs, recorded_advice
from app.services.trainer.documents import document
from app.services.trainer.schedules import dataset_of, schedule_of
from app.services.trainer.verdict.judge import BestEpoch, RunFacts
from app.services.trainer.waiting import allowed_actions


def facts_of(row: Training, folder: Path) -> RunFacts:
    """The facts of an ended training; `folder` is its own."""
    data = dataset_of(row)
    best = best_epoch(row.id)
    last = row.current_epoch
    return RunFacts(
        task=row.task,
        status=str(row.status),
        names=list(data.classes),
        best=best,
        epochs=recent_epochs(row.id, last),
        planned=row.total_epochs or row.epochs,
        done=last,
        schedule=schedule_of(row),
        val_images=data.val_images,
        weights=present.weights(folder) is not None,
        evaluation=fitting(folder / "evaluation" / "evaluation.json", best),
        objects=training_objects(row),
        advice=frozenset(recorded_advice(row.id)),
        actions=frozenset(allowed_actions(row, present.resumable_epochs(folder))),
        error_kind=row.error_kind,
        uploaded=row.is_uploaded,
    )


def training_objects(row: Training) -> dict[int, int]:
    """Objects in the training set by class, from the statistics of its version; empty: not counted."""
    path = settings().DATASETS_DIR / str(row.dataset_id)
    try:
        with Index(path / "revisions" / str(row.revision or 1) / "index.sqlite") as index:
            return {item["class"]: item["objects"].get("train", 0) for item in index.statistics()["classes"]}
    # of another version, or deleted: the verdict works without them
    except (OSError, sqlite3.Error, DamagedIndex, KeyError):
        return {}


def best_epoch(training_id: int) -> BestEpoch | None:
    """The metrics of the best checkpoint's epoch."""
    mine = (Checkpoint.training_id == training_id) & Checkpoint.is_best
    same = (TrainingMetric.training_id == Checkpoint.training_id) & (TrainingMetric.epoch == Checkpoint.epoch)
    row = db.session.query(TrainingMetric).join(Checkpoint, same).filter(mine).first()
    if row is None:
        return None
    return {
        "epoch": row.epoch,
        "map50": row.map50,
        "map95": row.map95,
        "precision": row.precision,
        "recall": row.recall,
        "parts": row.parts,
        "classes": row.classes,
        "timestamp": row.timestamp,
    }


def fitting(path: Path, best: BestEpoch | None) -> FinalEvaluation | None:
    """The evaluation, unless it is damaged or older than the best weights, as after a failed extension."""
    try:
        written = path.stat().st_mtime
    except OSError:
        return None
    evaluation = document(path, lambda content: cast(FinalEvaluation, content))
    recent = best is not None and written >= best["timestamp"].timestamp()
    return evaluation if evaluation is not None and recent and is_complete(evaluation) else None


def is_complete(evaluation: FinalEvaluation) -> bool:
    """Whether the evaluation has what a verdict needs."""
    try:
        size = len(evaluation["names"]) + 1
        cells = all(
            0 <= row < size and 0 <= column < size and count >= 0 for row, column, count in evaluation["matrix"]
        )
        return cells and evaluation["images"] >= 0 and evaluation["objects"] >= 0
    except (KeyError, TypeError, ValueError):
        return False
