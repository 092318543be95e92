"""The workers of DISPATCH=rq: one row each, with its last heartbeat by the database's clock."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from sqlalchemy import Integer, String, bindparam, delete, func, insert, literal, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.config import Settings
from app.core.clock import CLOCK
from app.extensions import db
from app.jobs.devices import CPU, gpus
from app.jobs.model import Job, JobStatus
from app.models.base import JSONText, Model, UTCDateTime

LOST_S = 60.0  # without a heartbeat
RETENTION = timedelta(days=1)  # of rows of lost workers

IDLE, BUSY, DRAINING, LOST = "idle", "busy", "draining", "lost"


class WorkerGpu(TypedDict):
    """A GPU of a worker; `memory` in bytes."""

    name: str
    memory: int | None


class WorkerAbout(TypedDict):
    """A worker's machine, for the System page.

    `memory`: bytes; `versions`: app, python, torch, ultralytics, rq; `place`: the id of its locks' folder.
    """

    cpu_count: int | None
    memory: int
    gpus: list[WorkerGpu]
    versions: dict[str, str | None]
    place: str


class Worker(Model):
    """A process that runs jobs, one at a time, on its own device: `python -m scripts.worker`."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    devices: Mapped[list[str]] = mapped_column(JSONText)  # ["cpu"], ["0"], ["0", "1"]: as its host numbers them
    about: Mapped[WorkerAbout] = mapped_column(JSONText)
    state: Mapped[str] = mapped_column(String(10), default=IDLE)  # idle, busy, draining, lost
    job_id: Mapped[int | None] = mapped_column(Integer, index=True)  # whose process may still run
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UTCDateTime)


@dataclass(frozen=True)
class WorkerName:
    """A worker's identity and devices.

    Args:
        devices: as its host numbers them.
    """

    name: str
    host: str
    pid: int
    devices: tuple[str, ...]

    @property
    def gpus(self) -> int:
        return 0 if self.devices == (CPU,) else len(self.devices)


def clock() -> Any:
    """The database's time, the same for all hosts: UTC without a zone, as in the columns."""
    return func.timezone("utc", func.clock_timestamp())


def compare_clocks(session: Any) -> None:
    """Use the database's clock from now on, if it has its own."""
    if session.connection().dialect.name == "postgresql":
        CLOCK.set(session.scalar(select(clock())).replace(tzinfo=UTC))


def register(connection: Any, worker: WorkerName, about: WorkerAbout) -> None:
    """Insert a worker's row, replacing an earlier one of its name, whose job it may have to follow."""
    table = Worker.__table__
    job_id = connection.execute(select(table.c.job_id).where(table.c.name == worker.name)).scalar()
    connection.execute(delete(Worker).where(table.c.name == worker.name))
    values = {"name": worker.name, "host": worker.host, "pid": worker.pid, "devices": list(worker.devices)}
    times = {"started_at": clock(), "heartbeat_at": clock()}
    connection.execute(insert(Worker).values(**values, **times, about=about, state=IDLE, job_id=job_id))


def beat(connection: Any, name: str, state: str, works: bool) -> datetime | None:
    """Write a heartbeat; its time, or None if the worker has no row any more.

    Args:
        works: whether a job's process may still run.
    """
    table = Worker.__table__
    values = {"heartbeat_at": clock(), "state": state} | ({} if works else {"job_id": None})
    written = update(Worker).where(table.c.name == name).values(**values).returning(table.c.heartbeat_at)
    time: datetime | None = connection.execute(written).scalar()
    return time


def session_name(worker: str) -> str:
    """The application_name of a worker's PostgreSQL sessions; PostgreSQL cuts it at 63 bytes."""
    return f"yolo {worker[-50:]}"


def end_sessions(names: Collection[str]) -> None:
    """End the sessions of lost workers: a suspended or disconnected one may hold locks on its job's rows in an open
    transaction, and would block whoever resumes the job.
    """
    sessions = [session_name(name) for name in names]
    ours = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name IN :names AND usename = current_user AND datname = current_database()"
    )
    if sessions:
        db.session.execute(ours.bindparams(bindparam("names", sessions, expanding=True))).all()
        db.session.rollback()


def remove(connection: Any, name: str) -> None:
    """Delete the row of a worker that ends without a job."""
    connection.execute(delete(Worker).where(Worker.__table__.c.name == name))


def assign(session: Any, name: str, job_id: int) -> None:
    """Record the job of a worker, in the transaction that claims it; counts as a heartbeat, since the last
    may be old.
    """
    values = {"job_id": job_id, "state": BUSY, "heartbeat_at": clock()}
    session.execute(update(Worker).where(Worker.name == name).values(**values))


def is_registered(session: Any, name: str) -> bool:
    """Whether it has a row: the jobs of a worker without one count as lost."""
    return session.scalar(select(Worker.name).where(Worker.name == name)) is not None


def namesake(connection: Any, worker: WorkerName, about: WorkerAbout) -> str | None:
    """The host of another live worker of this name. A lock of its folder excludes one in the same place."""
    table = Worker.__table__.c
    row = connection.execute(select(table.host, table.about).where(table.name == worker.name, ~silent())).first()
    same = row is None or (row.host, row.about.get("place")) == (worker.host, about.get("place"))
    return None if same else row.host


def silent() -> Any:
    """The SQL condition for rows without a heartbeat for too long."""
    return Worker.__table__.c.heartbeat_at < clock() - text(f"interval '{LOST_S} seconds'")


@dataclass(frozen=True)
class Capabilities:
    """What the live workers can run together.

    Args:
        gpus: the numbers of GPUs that workers have. cpu: whether one has none.
    """

    gpus: frozenset[int] = frozenset()
    cpu: bool = False


def capabilities() -> Capabilities:
    """The capabilities of the live workers that are not draining."""
    table = Worker.__table__.c
    rows = db.session.execute(select(table.devices).where(~silent(), table.state.in_([IDLE, BUSY])))
    numbers = [0 if row.devices == [CPU] else len(row.devices) for row in rows]
    return Capabilities(frozenset(number for number in numbers if number), 0 in numbers)


def gpus_for_jobs(config: Settings) -> tuple[str, ...]:
    """The GPUs that a job can request: those of this machine, or with DISPATCH=rq, as many as the largest
    worker has.
    """
    if config.DISPATCH != "rq":
        return gpus(config.CUDA_VISIBLE_DEVICES)
    return tuple(map(str, range(max(capabilities().gpus, default=0))))


def one_is_free(session: Any) -> bool:
    """Whether a new job would start at once: there are more idle workers than pending jobs."""
    free = select(func.count()).select_from(Worker).where(Worker.state == IDLE, ~silent()).scalar_subquery()
    waiting = select(func.count()).select_from(Job).where(Job.status == JobStatus.PENDING).scalar_subquery()
    return bool(session.scalar(select(free > waiting)))


def to_mark() -> Any:
    """The SQL condition for rows that `mark_lost` changes or deletes."""
    table = Worker.__table__.c
    return silent() & ((table.state != LOST) | is_old())


def is_old() -> Any:
    """The SQL condition for rows that are deleted."""
    return Worker.__table__.c.heartbeat_at < clock() - literal(RETENTION)


def mark_lost() -> list[str]:
    """Mark silent workers as lost, and delete those that were lost long ago; the names of the newly lost ones. In the
    caller's write transaction.
    """
    table = Worker.__table__
    names = select(table.c.name).where(silent(), table.c.state != LOST)
    lost = list(db.session.scalars(names))
    if lost:
        db.session.execute(update(Worker).where(table.c.name.in_(lost), silent()).values(state=LOST))
    db.session.execute(delete(Worker).where(is_old()))
    return lost
