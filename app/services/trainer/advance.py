"""Computes how far a training is (its row's `progress`), which never goes back while the run goes on by itself."""

from typing import cast

from app.core.train import RunProgress
from app.jobs.progress import JobProgressView
from app.models import Training, TrainingStatus
from app.services.trainer.ephemeral import RunState

MOST = 0.99  # until it has ended: the best weights are still validated
RETAINED = ("epoch", "batch", "batches")  # of the present epoch, while it is validated or saved


def fraction(row: Training | RunState) -> float:
    """0 to 1, of all epochs; 1 for a completed training, however many epochs it needed."""
    if row.status == TrainingStatus.COMPLETED:
        return 1.0
    progress, total = row.progress, row.total_epochs or row.epochs
    within = progress["epoch"] - 1 + progress["batch"] / progress["batches"] if progress.get("batches") else 0
    completed = max(row.current_epoch, within) / max(1, total)
    return round(max(min(completed, MOST), progress.get("fraction", 0.0)), 4)


def advance(row: Training | RunState, progress: RunProgress) -> None:
    """Record the run's progress. An epoch that is repeated after a crash changes nothing until it is new."""
    before = row.progress.get("fraction", 0.0)
    row.progress = progress
    row.progress = {**progress, "fraction": max(before, fraction(row))}


def stage(row: Training | RunState, name: str) -> None:
    """The run is in a phase outside the batches; the epoch that it belongs to is still the present one."""
    advance(row, {"stage": name, **present_epoch(row.progress)})


def present_epoch(progress: RunProgress) -> RunProgress:
    """The present epoch alone, without its loss."""
    return cast(RunProgress, {key: value for key, value in progress.items() if key in RETAINED})


def as_progress(row: Training | RunState) -> JobProgressView:
    """How far its job is, in epochs; the share also counts the batches of the present one."""
    return {
        "stage": row.progress.get("stage"),
        "done": row.current_epoch,
        "total": row.total_epochs or row.epochs,
        "percent": round(100 * fraction(row), 1),
        "rate": None,
        "eta": row.eta,
    }


def progress_to_dict(row: Training | RunState) -> RunProgress:
    """`progress` as readers get it."""
    return {**row.progress, "fraction": fraction(row)}
