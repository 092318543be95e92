"""The collaborators that all supervisors share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from app.jobs.disk import Disk
from app.jobs.files import Exchange, SharedVolume
from app.jobs.kinds import Kinds
from app.jobs.live import Live
from app.jobs.model import Job
from app.jobs.prewarmed import PrewarmedWorker


class OfWorker(TypedDict, total=False):
    """The fields of SupervisorContext that only a worker's work-horse sets."""

    worker: str
    leaving: Callable[[], bool]
    descriptors: Sequence[int]


@dataclass(frozen=True)
class SupervisorContext:
    """What all supervisors share.

    Args:
        root: the folder of all jobs.
        changed: called with the job after each commit.
        disk: whose free space is checked; None: none.
        prewarmed: by kind; its child may run before its job.
        shared: whether another process, on another machine, may have started the child.
        worker: the name of the work-horse's worker; "": this is a web process.
        leaving: whether that worker ends soon: the child pauses, and the job resumes elsewhere.
        descriptors: inherited by children: the locks of their devices, released when the last of them ends.
        exchange: transfers the files of attempts.
    """

    kinds: Kinds
    live: Live
    root: Path
    changed: Callable[[Job], None]
    disk: Disk | None = None
    prewarmed: Mapping[str, PrewarmedWorker] = field(default_factory=dict)
    shared: bool = False
    worker: str = ""
    leaving: Callable[[], bool] = bool
    descriptors: Sequence[int] = ()
    exchange: Exchange = field(default_factory=SharedVolume)
