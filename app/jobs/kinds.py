"""JobKind: the registration of a kind of background work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from app.events import Envelope, Event, Failed
from app.jobs.devices import Request, Use
from app.jobs.disk import DiskSpace
from app.jobs.duplex import Links
from app.jobs.files import JobFiles
from app.jobs.model import Job, JobStatus
from app.jobs.output import OutputChunk
from app.jobs.progress import JobProgressView

Collect = Callable[[Job, Any, Path], Mapping[str, object]]  # takes what the kind's program returns
Apply = Callable[[Job, Event, Path], None]
Notice = Callable[[], None]  # called after the commit


class Part(NamedTuple):
    """A stage of a job, as shares of the whole: where it begins, and how much of it the stage is."""

    share: float
    width: float


class Lane(NamedTuple):
    """Whose running jobs count together against a kind's places: those that are known to be slow have their own."""

    kind: str
    slow: bool = False


class CannotStart(Exception):
    """Raised by a kind's `spec`: the work cannot be done.

    Args:
        kind: the code of the failure.
    """

    def __init__(self, kind: str, error: str = "") -> None:
        super().__init__(error or kind)
        self.failure = Failed(kind, error)


class Record(Protocol):
    """A row of a service that follows its job: each change of the job is written into it in the same transaction."""

    def claimed(self, job: Job) -> Notice:
        """The job runs from now on; called in the transaction that claims it."""

    def waits(self, jobs: Sequence[Job]) -> Notice:
        """What these wait for, or that they start, has changed; called in the transaction that writes it."""

    def apply(
        self, job_id: int, attempt: int, envelopes: Sequence[tuple[int, Envelope]], output: OutputChunk | None
    ) -> None:
        """Record a child's events and output, and send them after the commit: (offset behind it, event) each.

        Idempotent; events of another attempt change nothing. A terminal event changes the status of the job.
        """

    def fail(self, job_id: int, attempt: int, failure: Failed) -> None:
        """The same for a child that ended, or could not start, without an event of its own."""

    def position(self, job_id: int) -> tuple[int, int]:
        """Up to which byte the events and the output of its present attempt are written down."""

    def progress(self, jobs: Sequence[Job]) -> Mapping[int, JobProgressView]:
        """How far each is, by its id, as the API shows it."""

    def disk_short(self, job_id: int, space: DiskSpace) -> None:
        """The disk fills while it runs."""

    def damaged(self, job_id: int, attempt: int) -> None:
        """Lines of the attempt's event file could not be read."""

    def process_ended(self, job_id: int) -> None:
        """Its process has ended, and its ending is recorded."""

    def stop(self, job: Job) -> None:
        """Somebody wants it stopped."""


def as_it_is(_job: Job, result: Mapping[str, object], _directory: Path) -> Mapping[str, object]:
    """The result as the program gave it."""
    return result


def requested_device(params: Mapping[str, Any]) -> Request:
    """As a training's parameters have it."""
    return str(params.get("device", "auto"))


def never_slow(_params: Mapping[str, Any]) -> bool:
    return False


def never(_job: Job, _failure: Failed) -> None:
    """It has failed."""


def no_environment(_job: Job) -> Mapping[str, str]:
    """The usual one."""
    return {}


@dataclass(frozen=True)
class JobKind:
    """One kind of background work.

    Args:
        name: in rows and in the API.
        program: the module below `app.worker.programs` whose `run(channel)` does the work in a child process.
        spec: the program's task, from the job and the directory of its attempt. May raise CannotStart.
        collect: takes what the program made out of the directory, before the row says `completed`, and returns the
            row's `result`. Called again where the server ended between the two. An OSError fails the job.
        apply: takes each event of the child that is not its last, in their order; all of them again where a later
            server follows it. None: progress is all that is heard.
        ended: called behind the commit of each ending: completed, failed or cancelled. Not for what a restart of the
            server interrupted.
        requeued: called behind the commit that sends a job back to the queue, to begin anew.
        ends: called with the ending that a child said, or that was found, before it is written down: for whoever waits
            and can be answered without the row. The job may still begin anew, see `restarts`.
        prewarm: the environment of a child that is begun before its job, see `JobService.prewarm`; None: none is.
        at_once: how many may run at the same time.
        long_s: seconds after which a run does not count for `at_once` any more: those behind it need not wait for its
            end; 0: it always counts.
        at_most: how many may run all the same; `at_once` at least.
        slow: whether a job is known to take far longer than others, by its params: such ones have a lane of their own,
            one at a time, and keep nobody else waiting.
        restarts: how often it begins anew after its process was lost.
        lasts: whether somebody can still use the result after a restart of the server; or what says so of a job's row.
        poll_s: seconds between two reads of the child's events.
        limit_s: seconds after which a run is given up; 0: none.
        idle_s: seconds after which a run whose last event was a `repeated` one is given up; 0: none.
        environment: of the child, on top of the usual one, once the job has its devices.
        use: what it does with devices; None: it needs none.
        request: which devices, from the job's params.
        stages: where each stage that the program says begins, as a share of the whole. By itself (Stage) one that is
            not here isn't shown; with what is done of it (Advanced) it is the whole.
        links: where the server asks questions of the children over a socket, see duplex.py: a job names its link in its
            params, and its program finds the number of its `socket` in the spec.
        again: the params to begin anew with after a failure; None: it has failed.
        disk: whether it starts only where there is free disk, and hears when that gets short.
        directory: where an attempt has its files, which then stay; None: below the folder of all jobs, until it ended.
        memory_limit: whether its children have one, so that a crash in a library means that memory ran out.
        beside_web: whether it runs on a web process's machine where workers run the others: somebody waits for it in a
            request, whose answer must not depend on a worker that is free.
        record: the row of a service that follows the job. What a child says is written down there, and it decides what
            follows from an ending.
        files: what its child reads and makes, for workers that share no volume; None: it runs beside the web process
            where there are none that do.
    """

    name: str
    program: str
    spec: Callable[[Job, Path], Mapping[str, Any]]
    collect: Collect = as_it_is
    apply: Apply | None = None
    ended: Callable[[Job], None] | None = None
    requeued: Callable[[Job], None] | None = None
    ends: Callable[[int, Event], None] | None = None
    prewarm: Mapping[str, str] | None = None
    at_once: int = 1
    long_s: float = 0.0
    at_most: int = 0
    slow: Callable[[Mapping[str, Any]], bool] = never_slow
    restarts: int = 1
    lasts: bool | Callable[[Any], bool] = True
    poll_s: float = 0.1
    limit_s: float = 0.0
    idle_s: float = 0.0
    environment: Callable[[Job], Mapping[str, str]] = no_environment
    use: Use | None = None
    request: Callable[[Mapping[str, Any]], Request] = requested_device
    stages: Mapping[str, float] = field(default_factory=dict)
    links: Links | None = None
    again: Callable[[Job, Failed], Mapping[str, object] | None] = never
    disk: bool = False
    directory: Callable[[Any], Path] | None = None
    memory_limit: bool = False
    beside_web: bool = False
    record: Record | None = None
    files: Callable[[Job], JobFiles] | None = None

    def part(self, stage: str) -> Part | None:
        """The part of the whole that a stage is; None: there are no parts."""
        begins = self.stages.get(stage)
        if begins is None:
            return None
        return Part(begins, min((other for other in self.stages.values() if other > begins), default=1.0) - begins)

    def directory_of(self, job: Any, root: Path) -> Path:
        """Where the present attempt of a job has its files; `job`: its row, or the columns of it."""
        return self.directory(job) if self.directory else root / job.token / str(job.attempt)

    def listener_of(self, job: Job) -> Callable[[Job], None] | None:
        """What is called after the commit that left the job like this."""
        if JobStatus(job.status).ended:
            return self.ended
        return self.requeued if job.status == JobStatus.PENDING and job.attempt else None

    def lane(self, params: Mapping[str, Any]) -> Lane:
        """Those that a job with these params counts with."""
        return Lane(self.name, self.slow(params))

    def has_free_slot(self, running: int, long: int, slow: bool = False) -> bool:
        """Whether another one may begin in its lane beside so many, of which so many run for long."""
        if slow:
            return not running
        return running - long < self.at_once and running < max(self.at_once, self.at_most)

    @property
    def for_workers(self) -> bool:
        """Whether workers run it, where there are some (DISPATCH=rq)."""
        return self.links is None and not self.beside_web

    def runs_long(self, started_at: datetime | None, time: datetime) -> bool:
        """Whether a run that began then does not count for `at_once` any more."""
        return bool(self.long_s) and started_at is not None and (time - started_at).total_seconds() > self.long_s

    def outlasts_server(self, row: Any) -> bool:
        """Whether a job goes on in a later server; its row, with `params`."""
        return self.lasts(row) if callable(self.lasts) else self.lasts


class Kinds:
    """The kinds that the services registered, by name.

    Args:
        shared: whether workers share a volume with the web processes.
    """

    def __init__(self, shared: bool = True) -> None:
        self.shared = shared
        self._kinds: dict[str, JobKind] = {}

    def register(self, kind: JobKind) -> None:
        alone = not self.shared and kind.files is None
        self._kinds[kind.name] = replace(kind, beside_web=True) if alone else kind

    def __getitem__(self, name: str) -> JobKind:
        return self._kinds[name]

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def names(self) -> list[str]:
        return sorted(self._kinds)
