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

Collect = Callable[[Job, Any, Path], Mapping[str, object]]  # returns a job's `result` from what its program returned
Apply = Callable[[Job, Event, Path], None]
Notice = Callable[[], None]  # called after the commit


class Part(NamedTuple):
    """A stage of a job as a part of the entire work: the share done before it, and its own share."""

    share: float
    width: float


class Lane(NamedTuple):
    """Jobs that share the slots of a kind. Jobs known to be slow have a lane of their own."""

    kind: str
    slow: bool = False


class CannotStart(Exception):
    """Raised by a kind's `spec`: the job cannot be done.

    Args:
        kind: the code of the failure.
    """

    def __init__(self, kind: str, error: str = "") -> None:
        super().__init__(error or kind)
        self.failure = Failed(kind, error)


class Record(Protocol):
    """A service's row that follows its job: each change of the job is written to it in the same transaction."""

    def claimed(self, job: Job) -> Notice:
        """The job is running; called in the transaction that claims it."""

    def waits(self, jobs: Sequence[Job]) -> Notice:
        """The jobs' `waiting_for` has changed, or they start; called in the transaction that writes it."""

    def apply(
        self, job_id: int, attempt: int, envelopes: Sequence[tuple[int, Envelope]], output: OutputChunk | None
    ) -> None:
        """Record a child's events, each with the file offset behind it, and its output; send them after the commit.

        Idempotent; events of another attempt are ignored. A terminal event changes the status of the job.
        """

    def fail(self, job_id: int, attempt: int, failure: Failed) -> None:
        """Record the failure of a child that ended, or could not start, without a terminal event."""

    def position(self, job_id: int) -> tuple[int, int]:
        """The byte offsets up to which the events and the output of the present attempt are recorded."""

    def progress(self, jobs: Sequence[Job]) -> Mapping[int, JobProgressView]:
        """The progress of each job, by its id, as the API shows it."""

    def disk_short(self, job_id: int, space: DiskSpace) -> None:
        """Free disk is short while the job runs."""

    def damaged(self, job_id: int, attempt: int) -> None:
        """Lines of the attempt's event file could not be read."""

    def process_ended(self, job_id: int) -> None:
        """The job's process has ended, and its ending is recorded."""

    def stop(self, job: Job) -> None:
        """A stop of the job was requested."""


def as_it_is(_job: Job, result: Mapping[str, object], _directory: Path) -> Mapping[str, object]:
    """The program's result, unchanged."""
    return result


def requested_device(params: Mapping[str, object]) -> Request:
    """The device in a training's parameters."""
    return str(params.get("device", "auto"))


def never_slow(_params: Mapping[str, object]) -> bool:
    return False


def never(_job: Job, _failure: Failed) -> None:
    """The default of `again`: a failure is final."""


def no_environment(_job: Job) -> Mapping[str, str]:
    """The default of `environment`: no variables."""
    return {}


@dataclass(frozen=True)
class JobKind:
    """One kind of background work.

    Args:
        name: in rows and in the API.
        program: the module below `app.worker.programs` whose `run(channel)` does the work in a child process.
        spec: the program's task, from the job and the directory of its attempt. May raise CannotStart.
        collect: moves what the program wrote out of the directory, before the row becomes `completed`, and returns the
            row's `result`. Called again if the server ended in between. An OSError fails the job.
        apply: called with each event of the child except the terminal one, in order; with all of them again when a
            later server follows the job. None: only progress is processed.
        ended: called after the commit of each ending: completed, failed or cancelled. Not for a job that a restart of
            the server interrupted.
        requeued: called after the commit that returns a job to the queue.
        ends: called with the ending before it is recorded, so that waiting requests can be answered without the row.
            The job may still be restarted, see `restarts`.
        prewarm: the environment of a child that is started ahead of its job, see `JobService.prewarm`; None: never.
        at_once: how many may run at the same time.
        long_s: seconds after which a run no longer counts for `at_once`, so that others need not wait for its end; 0:
            it always counts.
        at_most: how many may run, those of `long_s` included; at least `at_once`.
        slow: whether a job will take far longer than others, judged by its params: these have a lane of their own, one
            at a time, and do not block others.
        restarts: how often the job starts again after its process was lost.
        lasts: whether the result is still of use after a restart of the server; or a function of the job's row.
        poll_s: seconds between two reads of the child's events.
        limit_s: seconds after which a run is killed and fails; 0: never.
        idle_s: seconds without an event after a `repeated` one, after which a run is killed and fails; 0: never.
        environment: of the child, besides the usual variables, once the job has its devices.
        use: how the job uses its devices; None: it needs none.
        request: the requested devices, from the job's params.
        stages: the share of the entire work done before each stage. A stage that is not listed here isn't shown when
            reported alone (Stage); reported with counts (Advanced), it counts as the entire work.
        links: the socket connections between the server and the children, see duplex.py: a job names its link in its
            params, and its spec has the descriptor of its `socket`.
        again: the params for another start after a failure; None: the failure is final.
        disk: whether it starts only with enough free disk, and its record is notified when that gets short.
        directory: the folder of an attempt, which then stays; None: a folder below that of all jobs, removed at the
            end.
        memory_limit: whether its children limit their memory, so that a crash in a library means out of memory.
        beside_web: whether it runs on the web process's machine even if workers run other kinds: a request waits for
            it, and its answer must not depend on an idle worker.
        record: the service's row that follows the job. It stores the child's events, and decides what an ending leads
            to.
        files: what its child reads and writes, for workers without a shared volume; None: with such workers, it runs
            beside the web process.
    """

    name: str
    program: str
    spec: Callable[[Job, Path], Mapping[str, object]]
    collect: Collect = as_it_is
    apply: Apply | None = None
    ended: Callable[[Job], None] | None = None
    requeued: Callable[[Job], None] | None = None
    ends: Callable[[int, Event], None] | None = None
    prewarm: Mapping[str, str] | None = None
    at_once: int = 1
    long_s: float = 0.0
    at_most: int = 0
    slow: Callable[[Mapping[str, object]], bool] = never_slow
    restarts: int = 1
    lasts: bool | Callable[[Any], bool] = True
    poll_s: float = 0.1
    limit_s: float = 0.0
    idle_s: float = 0.0
    environment: Callable[[Job], Mapping[str, str]] = no_environment
    use: Use | None = None
    request: Callable[[Mapping[str, object]], Request] = requested_device
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
        """A stage as a part of the entire work; None: the kind has no such stage."""
        begins = self.stages.get(stage)
        if begins is None:
            return None
        return Part(begins, min((other for other in self.stages.values() if other > begins), default=1.0) - begins)

    def directory_of(self, job: Any, root: Path) -> Path:
        """The folder of a job's present attempt; `job`: its row or the columns of it."""
        return self.directory(job) if self.directory else root / job.token / str(job.attempt)

    def listener_of(self, job: Job) -> Callable[[Job], None] | None:
        """The callback for the status that was committed."""
        if JobStatus(job.status).ended:
            return self.ended
        return self.requeued if job.status == JobStatus.PENDING and job.attempt else None

    def lane(self, params: Mapping[str, object]) -> Lane:
        """The lane of a job with these params."""
        return Lane(self.name, self.slow(params))

    def has_free_slot(self, running: int, long: int, slow: bool = False) -> bool:
        """Whether another job may start in its lane, beside `running` ones of which `long` have run for long."""
        if slow:
            return not running
        return running - long < self.at_once and running < max(self.at_once, self.at_most)

    @property
    def for_workers(self) -> bool:
        """Whether workers run it, if there are any (DISPATCH=rq)."""
        return self.links is None and not self.beside_web

    def runs_long(self, started_at: datetime | None, time: datetime) -> bool:
        """Whether a run that began then no longer counts for `at_once`."""
        return bool(self.long_s) and started_at is not None and (time - started_at).total_seconds() > self.long_s

    def outlasts_server(self, row: Any) -> bool:
        """Whether a job continues under a later server; `row`: its row, with `params`."""
        return self.lasts(row) if callable(self.lasts) else self.lasts


class Kinds:
    """The registered kinds, by name.

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
