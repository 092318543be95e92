"""Computes the progress of a training (its row's `progress`), which never decreases during automatic restarts."""

from typing import cast

from app.core.train import RunProgress
from app.jobs.progress import JobProgressView
from app.models import Training, TrainingStatus
from app.services.trainer.ephemeral import RunState

MOST = 0.99  # until it has ended, since the best weights are still to be validated
RETAINED = ("epoch", "batch", "batches")  # of the present epoch, while it is validated or saved


def fraction(row: Training | RunState) -> float:
    """0 to 1, of all epochs; 1 for a completed training, even after early stopping."""
    if row.status == TrainingStatus.COMPLETED:
        return 1.0
    progress, total = row.progress, row.total_epochs or row.epochs
    within = progress["epoch"] - 1 + progress["batch"] / progress["batches"] if progress.get("batches") else 0
    completed = max(row.current_epoch, within) / max(1, total)
    return round(max(min(completed, MOST), progress.get("fraction", 0.0)), 4)


def advance(row: Training | RunState, progress: RunProgress) -> None:
    """Record the run's progress. While an epoch is repeated after a crash, nothing changes."""
    before = row.progress.get("fraction", 0.0)
    row.progress = progress
    row.progress = {**progress, "fraction": max(before, fraction(row))}


def stage(row: Training | RunState, name: str) -> None:
    """Record a phase outside of the batches; the present epoch stays the same."""
    advance(row, {"stage": name, **present_epoch(row.progress)})


def present_epoch(progress: RunProgress) -> RunProgress:
    """The present epoch alone, without its loss."""
    return cast(RunProgress, {key: value for key, value in progress.items() if key in RETAINED})


def as_progress(row: Training | RunState) -> JobProgressView:
    """The progress of its job, in epochs; the share includes the batches of the present one."""
    return {
        "stage": row.progress.get("stage"),
        "done": row.current_epoch,
        "total": row.total_epochs or row.epochs,
        "percent": round(100 * fraction(row), 1),
        "rate": None,
        "eta": row.eta,
    }


def progress_to_dict(row: Training | RunState) -> RunProgress:
    """`progress` for readers."""
    return {**row.progress, "fraction": fraction(row)}
