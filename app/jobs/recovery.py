"""Recovers from a child that ended without its terminal event."""

import logging
import signal

from app.core.children import PART_IS_MISSING, PROGRAM_CHANGED, TAKES_LONG
from app.core.failure import JobFailure
from app.events import Failed, Refused
from app.jobs.kinds import JobKind
from app.jobs.model import CANCEL, Job, JobStatus
from app.jobs.process import CRASHES, Child, oom_kills
from app.jobs.transitions import change

DISPLACED_FROM_DEVICE = "device_taken"  # by the job that displaced it
LOST = {"killed", "stalled", PROGRAM_CHANGED}  # the work itself may be sound: the job starts again
MEMORY = ("memoryerror", "out of memory", "allocate memory", "memory allocation", "bad_alloc")


def classify(child: Child, memory_kills: int, limited: bool = False, damaged: bool = False) -> Failed:
    """The reason why a child ended without a terminal event, by its exit status, its output and the kernel's kills.

    Args:
        memory_kills: the kernel's count of kills for lack of memory when the child started.
        limited: its memory had a limit.
        damaged: lines of its event file cannot be read.
    """
    code, tail = child.exit_code(), child.log_tail()
    lower = tail.lower()
    if damaged and code == 0:  # its terminal event is lost
        return Failed("killed", "the event file was damaged, and the process's result with it")
    if "no space left on device" in lower:
        return Failed("disk_full", "no space left on device", tail)
    if any(part in lower for part in MEMORY):
        return Failed("out_of_memory", "out of memory", tail)
    if code in {None, -signal.SIGKILL} and oom_kills() > memory_kills:
        return Failed("out_of_memory", "the system's memory ran out, and it killed the process", tail)
    if limited and code in CRASHES:
        return Failed("out_of_memory", f"{signal.Signals(-code).name} at the limit of its memory", tail)
    if code in {None, 1} and (missing := PART_IS_MISSING.search(tail)):
        return Failed(PROGRAM_CHANGED, missing[0], tail)
    if code is None:
        return Failed("killed", "the process ended while the server was away", tail)
    if code < 0:
        return Failed("killed", f"signal {-code}, {signal.Signals(-code).name}", tail)
    if code == 0:
        return Failed("code", "the process ended without a result", tail)
    return Failed("code", f"the process ended with status {code}", tail)


def level_of(failure: Failed) -> int:
    """The log level: a displaced or slow job is no error."""
    return logging.INFO if failure.kind in {DISPLACED_FROM_DEVICE, TAKES_LONG} else logging.ERROR


def conclude(job: Job, kind: JobKind, failure: Failed) -> None:
    """Cancel the job if that was requested, restart it if its kind allows, or mark it failed."""
    if job.stop_mode == CANCEL:
        change(job, JobStatus.CANCELLED)
    elif failure.kind in LOST and job.restarts < kind.restarts:
        change(job, JobStatus.PENDING, restarts=job.restarts + 1)
    elif (params := kind.again(job, failure)) is not None:
        change(job, JobStatus.PENDING, params=params)
    else:
        change(job, JobStatus.FAILED, error=error_of(failure))


def refuse(job: Job, verdict: Refused) -> None:
    """Mark a job failed whose input was refused; its kind has the message for the reason."""
    change(job, JobStatus.FAILED, error=error_of(verdict))


def error_of(event: Failed | Refused) -> JobFailure:
    """An ending as the row's `error`."""
    if isinstance(event, Failed):
        return {"code": event.kind, "message": event.error}
    return {"code": event.kind, "message": event.code, "reason": {"code": event.code, "data": event.data}}
