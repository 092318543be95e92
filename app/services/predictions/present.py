"""Predictions for the API."""

from collections.abc import Mapping
from typing import Any, TypedDict

from app.core.predictions import ImageCounts, PredictionResult
from app.jobs import Job, JobStatus
from app.jobs.progress import JobProgressView
from app.jobs.views import JobView
from app.models.prediction import PredictionRun
from app.schemas.prediction_runs import (
    ImagesOutValues,
    PredictionErrorOutValues,
    PredictionFiguresValues,
    PredictionFileOutValues,
    PredictionRunOutValues,
    UnreadImageOutValues,
)
from app.services.infer.engines import fallback_text
from app.services.predictions import texts

UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


class PredictionState(TypedDict):
    """The state of a prediction: its job's until that has ended, then the row's."""

    status: str
    progress: JobProgressView | None
    error: PredictionErrorOutValues | None


OPTIONS = ("confidence", "iou", "classes", "track", "checkpoint")


def state_of(row: PredictionRun, job: Job | None, view: JobView | None) -> PredictionState:
    """Status, progress and error: the job's until it has ended, then the row's."""
    status, error, progress = row.status, row.error, None
    if status in UNFINISHED:
        if job is None or view is None:
            status, error = JobStatus.FAILED, {"code": "interrupted"}
        elif job.status != JobStatus.COMPLETED:  # the job has completed, and the row is about to be written
            status, error, progress = job.status, job.error, view["progress"]
    return {"status": status, "progress": progress, "error": texts.failure(error, row.source)}


def prediction_view(row: PredictionRun, state: PredictionState) -> PredictionRunOutValues:
    """A prediction as PredictionRunOut."""
    options: Mapping[str, Any] = {**dict.fromkeys(OPTIONS), **row.options}
    return {
        "id": row.id,
        "training_id": row.training_id,
        "source": row.source,
        "filename": row.filename,
        "input_bytes": row.input_bytes,
        "job_id": row.job_id,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "ended_at": row.ended_at,
        "confidence": options["confidence"],
        "iou": options["iou"],
        "classes": options["classes"],
        "track": options["track"],
        "checkpoint": options["checkpoint"],
        "training_name": row.training.name,
        **(figures_view(row.result) if row.result else NO_FIGURES),
        "files": files_view(row) if state["status"] == JobStatus.COMPLETED else [],
        **state,
    }


NO_FIGURES: PredictionFiguresValues = {
    "media": None,
    "task": None,
    "engine": None,
    "device": None,
    "tracked": None,
    "rate": None,
    "found": None,
    "images": None,
    "engine_note": None,
}


def figures_view(result: PredictionResult) -> PredictionFiguresValues:
    """The results of a completed prediction."""
    return {
        "media": result.get("media"),
        "task": result.get("task"),
        "engine": result.get("engine"),
        "device": result.get("device"),
        "tracked": result.get("tracked"),
        "rate": result.get("rate"),
        "found": result.get("classes"),
        "images": images_view(result.get("images")),
        "engine_note": fallback_text(result.get("fallback")),
    }


def images_view(result: ImageCounts | None) -> ImagesOutValues | None:
    """Counts of the images; the first unreadable ones, with reasons."""
    if result is None:
        return None
    unread = result["unread"]
    first: list[UnreadImageOutValues] = [
        {"image": item["image"], "message": texts.unread_reason(item["code"], item["detail"])}
        for item in unread["first"]
    ]
    return {"read": result["read"], "unread": {"count": unread["count"], "first": first}, "skipped": result["skipped"]}


def files_view(row: PredictionRun) -> list[PredictionFileOutValues]:
    """The downloadable files: name, size in bytes, url."""
    sizes = row.result.get("files", {}) if row.result else {}
    return [
        {"name": name, "size_bytes": size, "url": f"/api/predictions/{row.id}/files/{name}"}
        for name, size in sizes.items()
    ]
