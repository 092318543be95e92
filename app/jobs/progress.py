"""Progress of a job: in its row, in its room and in the API."""

from typing import TypedDict


class StoredProgress(TypedDict, total=False):
    """Progress in a row: what the program counts, or what the record computes."""

    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None


class JobProgressView(TypedDict):
    """`done` of `total`, in units of the kind; percent: of the entire work; rate: per second; eta: s. None: unknown."""

    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None


NO_PROGRESS: JobProgressView = {"stage": None, "done": 0, "total": 0, "percent": None, "rate": None, "eta": None}


def progress_view(progress: StoredProgress) -> JobProgressView:
    """The progress in a row, written by this version or an earlier one."""
    return {
        "stage": progress.get("stage"),
        "done": progress.get("done", 0),
        "total": progress.get("total", 0),
        "percent": progress.get("percent"),
        "rate": progress.get("rate"),
        "eta": progress.get("eta"),
    }
