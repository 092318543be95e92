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
    """What only the work-horse of a worker sets of a SupervisorContext."""

    worker: str
    leaving: Callable[[], bool]
    descriptors: Sequence[int]


@dataclass(frozen=True)
class SupervisorContext:
    """What all supervisors share.

    Args:
        root: the folder of all jobs.
        changed: called with the job after each commit.
        disk: whose free space is watched; None: nobody's.
        prewarmed: by kind, whose child may be there before its job.
        shared: whether a child may have been started by another process, on another machine.
        worker: the name of the worker whose work-horse this is; "": a web process.
        leaving: whether that worker ends soon: the child pauses, and the job goes on elsewhere.
        descriptors: open files that children get: the locks of their devices, which end with the last of them.
        exchange: how the files of attempts come to where they are read.
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
