"""The progress of a job, as its room, the API and its row have it."""

from typing import TypedDict


class StoredProgress(TypedDict, total=False):
    """The same as a row has it: what its program counts, or what its record computes."""

    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None


class JobProgressView(TypedDict):
    """`done` of `total`, in what the kind counts; percent: of the whole; rate: a second; eta: s. None: not known."""

    stage: str | None
    done: int
    total: int
    percent: float | None
    rate: float | None
    eta: float | None


NO_PROGRESS: JobProgressView = {"stage": None, "done": 0, "total": 0, "percent": None, "rate": None, "eta": None}


def progress_view(progress: StoredProgress) -> JobProgressView:
    """The progress that a row has, of this version or of another one."""
    return {
        "stage": progress.get("stage"),
        "done": progress.get("done", 0),
        "total": progress.get("total", 0),
        "percent": progress.get("percent"),
        "rate": progress.get("rate"),
        "eta": progress.get("eta"),
    }
