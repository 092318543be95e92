"""What follows when a child ended without saying how."""

from pathlib import Path

from app.events import Failed
from app.jobs.kinds import JobKind
from app.jobs.model import Job, JobStatus
from app.jobs.process import Child, oom_kills
from app.jobs.transitions import change

LOST = {"killed", "stalled"}  # the work itself may be sound: it begins anew
SIGKILL = -9


def classify(child: Child, memory_kills: int) -> Failed:
    """Why a child ended without a terminal event: by its exit status, its output and the system's own kills.

    Args:
        memory_kills: how often the system had killed for memory when the child started.
    """
    code, tail = child.exit_code(), child.log_tail()
    lower = tail.lower()
    if "no space left on device" in lower:
        return Failed("disk_full", "no space left on device", tail)
    if any(part in lower for part in ("memoryerror", "out of memory", "allocate memory", "bad_alloc")):
        return Failed("out_of_memory", "out of memory", tail)
    if code in {None, SIGKILL} and oom_kills() > memory_kills:
        return Failed("out_of_memory", "the system's memory ran out, and it killed the process", tail)
    if code is None:
        return Failed("killed", "the process ended while the server was away", tail)
    if code < 0:
        return Failed("killed", f"signal {-code}", tail)
    return Failed("code", f"the process ended with status {code}", tail)


def conclude(job: Job, kind: JobKind, failure: Failed) -> None:
    """The job is cancelled where that was asked for, begins anew where its kind allows it, or has failed."""
    if job.stop_mode == "cancel":
        change(job, JobStatus.CANCELLED)
    elif failure.kind in LOST and job.restarts < kind.restarts:
        change(job, JobStatus.PENDING, restarts=job.restarts + 1)
    else:
        change(job, JobStatus.FAILED, error={"code": failure.kind, "message": failure.error})


def attempt_dir(root: Path, token: str, attempt: int) -> Path:
    """Where an attempt has its files."""
    return root / token / str(attempt)
