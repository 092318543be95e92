"""Evaluations for the API."""

from collections.abc import Mapping

from app.core.evaluate import EvaluationResult
from app.jobs.progress import NO_PROGRESS
from app.jobs.texts import error_text
from app.jobs.views import JobView
from app.models import Evaluation
from app.schemas.evaluations import EvaluationDetailValues, EvaluationFiguresValues
from app.services.trainer.thresholds import thresholds


def evaluation_out(
    row: Evaluation, jobs: Mapping[int, JobView], names: Mapping[int, str], weights_changed: bool
) -> EvaluationDetailValues:
    """An evaluation as EvaluationDetail.

    Args:
        jobs: of the unfinished ones, as JobOut.
        names: of datasets, by id.
    """
    job = jobs.get(row.job_id or 0)
    # the job has ended, and the row is about to be written
    if row.result is not None or (job and job["status"] == "completed"):
        job = None
    failure = job["error"] if job else None
    code = row.error or (failure["code"] if failure else None)
    return {
        "id": row.id,
        "training_id": row.training_id,
        "dataset_id": row.dataset_id,
        "revision": row.revision,
        "split": row.split,
        "checkpoint": row.checkpoint,
        "img_size": row.img_size,
        "job_id": row.job_id,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "dataset_name": names.get(row.dataset_id or 0),
        "mapping": row.classes,
        "status": job["status"] if job else row.status,
        "progress": job["progress"] if job else NO_PROGRESS,
        "error": {"code": code, "message": error_text(code)} if code else None,
        "ended_at": row.ended_at,
        "weights_changed": weights_changed,
        **(figures_out(row.result) if row.result else NOT_MEASURED),
    }


NOT_MEASURED: EvaluationFiguresValues = {
    "images": None,
    "objects": None,
    "names": [],
    "metrics": None,
    "intervals": None,
    "classes": [],
    "sizes": None,
    "best": None,
    "confidence": None,
    "iou": None,
    "thresholds": [],
    "speed_ms": None,
}


def figures_out(result: EvaluationResult) -> EvaluationFiguresValues:
    """The results of a completed evaluation; rows of earlier versions have fewer."""
    best = result.get("best")
    return {
        "images": result.get("images"),
        "objects": result.get("objects"),
        "names": result.get("names", []),
        "metrics": result.get("metrics"),
        "intervals": result.get("intervals"),
        "classes": result.get("classes", []),
        "sizes": result.get("sizes"),
        "best": best,
        "confidence": result.get("confidence"),
        "iou": result.get("iou"),
        "thresholds": thresholds(best, result.get("curves")),
        "speed_ms": result.get("speed_ms"),
    }
