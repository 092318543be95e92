"""Decides which job starts next: the queue is the pending rows, by priority, then position."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.database import DATABASE_UNAVAILABLE, writing
from app.extensions import db
from app.jobs.devices import Placement, Plan
from app.jobs.disk import DiskSpace
from app.jobs.holdings import Holdings
from app.jobs.kinds import JobKind, Kinds, Lane, Notice
from app.jobs.model import Job, JobStatus, WaitingFor
from app.jobs.transitions import change
from app.models.base import now

logger = logging.getLogger("yolo.jobs")

DISK_STEP = 256 * 1024**2  # bytes: free disk is rounded to this, or each round would change the rows
Subject = tuple[str, str, int]  # of a job: kind, type and id
Mine = Callable[[Any], bool]  # whether this process starts and supervises a job; its row has kind and params


@dataclass
class QueuePlan:
    """The decisions of one round of the queue.

    Args:
        chosen: the devices of each job that starts now, in order; () if it needs none.
        reasons: what each other job waits for.
    """

    chosen: dict[int, tuple[str, ...]] = field(default_factory=dict)
    reasons: dict[int, WaitingFor] = field(default_factory=dict)


class Planner:
    """Decides about the jobs of the queue, one after the other.

    Args:
        running: the lane of each running job. long: of each that exceeds `long_s`, see JobKind.
        devices: assigns devices to the jobs that need them.
        space: the free disk; None: not checked.
        leaving: jobs whose previous process has not ended yet.
        busy: subjects in whose folders the process of another of their jobs still works.
    """

    def __init__(
        self,
        kinds: Kinds,
        running: Iterable[Lane],
        devices: Plan,
        space: DiskSpace | None = None,
        leaving: Collection[int] = (),
        busy: Collection[Subject] = (),
        long: Iterable[Lane] = (),
    ) -> None:
        self.kinds, self.devices, self.space = kinds, devices, space
        self.leaving, self.busy = leaving, busy
        self.counts, self.long = Counter(running), Counter(long)

    def plan(self, queue: Iterable[Any], time: datetime) -> QueuePlan:
        """Which jobs start, and what the others wait for.

        Args:
            queue: rows with id, kind, params, subject_type, subject_id and not_before, in the order of the queue.
        """
        plan = QueuePlan()
        for row in queue:
            if row.kind not in self.kinds:
                continue
            if row.not_before is not None and row.not_before > time:
                until = row.not_before.isoformat().replace("+00:00", "Z")
                plan.reasons[row.id] = {"code": "schedule", "until": until}
                continue
            kind = self.kinds[row.kind]
            devices, reason = self.decide(row, kind)
            if reason is None:
                self.counts[kind.lane(row.params)] += 1
                plan.chosen[row.id] = devices
            else:
                plan.reasons[row.id] = reason
        return plan

    def decide(self, row: Any, kind: JobKind) -> tuple[tuple[str, ...], WaitingFor | None]:
        """The devices of a job, or what it waits for."""
        placement = Placement(())
        lane = kind.lane(row.params)
        full = not kind.has_free_slot(self.counts[lane], self.long[lane], lane.slow)
        short = kind.disk and self.space is not None and not self.space.enough
        leaves = row.id in self.leaving or (row.kind, row.subject_type, row.subject_id) in self.busy
        if kind.use is not None and not full:
            subject = (row.subject_type, row.subject_id) if row.subject_type else None
            blocked = short or leaves
            placement = self.devices.assign(row.id, kind.use, kind.request(row.params), subject, blocked=blocked)
        if placement.waits_for == "missing_device":
            return (), {"code": "missing_device", "device": str(kind.request(row.params))}
        if short and self.space is not None:
            free = self.space.free // DISK_STEP * DISK_STEP
            return (), {"code": "disk", "free": free, "needed": self.space.needed}
        if full or leaves:
            return (), {"code": "turn", "ahead": 0}
        if placement.waits_for == "turn":
            return (), {"code": "turn", "ahead": placement.ahead}
        if placement.waits_for == "device" and placement.holder is not None:
            holder = placement.holder
            subject_type, subject_id = holder.subject or (None, None)
            return (), {"code": "device", "job_id": holder.job_id, "type": subject_type, "id": subject_id}
        return placement.devices, None


def pending(names: Collection[str] | None = None) -> Sequence[Any]:
    """The pending jobs in queue order.

    Args:
        names: kinds to include; None: all.
    """
    table = Job.__table__.c  # not the class: setting up the mappers would delay the server's first answer
    columns = (table.id, table.kind, table.params, table.subject_type, table.subject_id, table.not_before)
    waits = select(*columns, table.waiting_for).where(table.status == JobStatus.PENDING)
    if names is not None:
        waits = waits.where(table.kind.in_(names))
    return db.session.execute(waits.order_by(table.priority.desc(), table.position, table.id)).all()


def anyones(_row: Any) -> bool:
    """The default of `mine`, without other processes."""
    return True


def running(kinds: Kinds, mine: Mine = anyones) -> list[tuple[int, int]]:
    """(id, attempt) of each job whose row is running."""
    table = Job.__table__.c
    columns = select(table.id, table.attempt, table.kind, table.params)
    rows = db.session.execute(columns.where(table.status == JobStatus.RUNNING))
    return [(row.id, row.attempt) for row in rows if row.kind in kinds and mine(row)]


def at_work_now(kinds: Kinds, time: datetime, mine: Mine = anyones) -> tuple[list[Lane], list[Lane]]:
    """The lane of each running job, and of each that has run for long."""
    table = Job.__table__.c
    columns = select(table.kind, table.params, table.started_at)
    rows = db.session.execute(columns.where(table.status == JobStatus.RUNNING)).all()
    pairs = [(kinds[row.kind], row) for row in rows if row.kind in kinds and mine(row)]
    long = [kind.lane(row.params) for kind, row in pairs if kind.runs_long(row.started_at, time)]
    return [kind.lane(row.params) for kind, row in pairs], long


def same_job(session: Any, kind: str, params: Mapping[str, object], subject: tuple[str, int] | None) -> Job | None:
    """An unfinished job with the same result."""
    subject_type, subject_id = subject or (None, None)
    same = (Job.kind == kind) & (Job.subject_type == subject_type) & (Job.subject_id == subject_id)
    waits = Job.status.in_([JobStatus.PENDING, JobStatus.RUNNING]) & Job.stop_mode.is_(None)
    rows = session.scalars(select(Job).where(same & waits))
    return next((row for row in rows if row.params == dict(params)), None)


def can_start_now(session: Any, kind: JobKind) -> bool:
    """Whether a new job of this kind would start at once; those that wait already come first."""
    unfinished = Job.status.in_([JobStatus.RUNNING, JobStatus.PENDING])
    running = session.execute(select(Job.started_at, Job.params).where(unfinished & (Job.kind == kind.name))).all()
    rows, time = [row for row in running if not kind.slow(row.params)], now()
    return kind.has_free_slot(len(rows), sum(kind.runs_long(row.started_at, time) for row in rows))


def claim(
    kinds: Kinds,
    holdings: Holdings,
    space: DiskSpace | None = None,
    leaving: Collection[int] = (),
    busy: Collection[Subject] = (),
    mine: Mine = anyones,
    alone: Callable[[Any], None] = lambda _session: None,
    names: Collection[str] | None = None,
) -> list[tuple[int, int]]:
    """Claim the jobs that can start now: (id, attempt) of each; record what the others wait for.

    Planned without a lock, since most rounds change nothing.

    Args:
        alone: called first in the transaction: until its end, no other process claims.
        names: of the kinds that start here; None: all.
    """
    queue = [row for row in pending(names) if row.kind in kinds and mine(row)]
    if not queue:
        return []
    time = now()
    at_work, long = at_work_now(kinds, time, mine)
    planner = Planner(kinds, at_work, Plan(holdings.pool, holdings.read()), space, leaving, busy, long)
    plan = planner.plan(queue, time)
    changed = [row.id for row in queue if differs(row, plan)]
    if not plan.chosen and not changed:
        return []
    with writing() as session:
        alone(session)
        still = Job.id.in_([*plan.chosen, *changed]) & (Job.status == JobStatus.PENDING)
        rows = session.scalars(select(Job).where(still).with_for_update()).all()
        claimed: list[Job] = []
        notices: list[Notice] = []
        for row in rows:
            if row.id in plan.chosen and claim_or_fail(row, kinds, plan, holdings, notices):
                claimed.append(row)
        notices += announce(rows, kinds, plan)
        started = [(row.id, row.attempt) for row in claimed]
    for notice in notices:
        send_notice(notice)
    return started


def send_notice(notice: Notice) -> None:
    """Call a notice; its errors are logged, since the change is committed."""
    try:
        notice()
    except Exception:
        db.session.rollback()
        logger.exception("a decision of the queue could not be announced")


def differs(row: Any, plan: QueuePlan) -> bool:
    """Whether what a waiting job waits for has changed."""
    return row.id not in plan.chosen and row.waiting_for != plan.reasons.get(row.id)


def claim_row(row: Job, kinds: Kinds, plan: QueuePlan, holdings: Holdings) -> bool:
    """Make it a running job on its devices, in the caller's write transaction; False if they are not free any more."""
    use, devices = kinds[row.kind].use, plan.chosen[row.id]
    if use is not None:
        if holdings.pool.blocker(use, devices, holdings.read()) is not None:
            return False
        holdings.displace(use, devices)
    change(row, JobStatus.RUNNING, devices=list(devices) or None)
    return True


def claim_or_fail(row: Job, kinds: Kinds, plan: QueuePlan, holdings: Holdings, notices: list[Notice]) -> bool:
    """Claim a row and update its record. A row that cannot be claimed fails: it must not block the queue."""
    job_id, record = row.id, kinds[row.kind].record
    try:
        with db.session.begin_nested():
            if not claim_row(row, kinds, plan, holdings):
                return False
            if record is not None:
                notices.append(record.claimed(row))
    except DATABASE_UNAVAILABLE:
        raise
    except Exception as error:
        logger.exception("job %s cannot be claimed", job_id)
        change(row, JobStatus.FAILED, error={"code": "code", "message": f"cannot be claimed: {type(error).__name__}"})
        return False
    return True


def announce(rows: Sequence[Job], kinds: Kinds, plan: QueuePlan) -> list[Notice]:
    """Record what each job waits for now; the notices to send after the commit."""
    for row in rows:
        if row.status == JobStatus.PENDING:
            row.waiting_for = plan.reasons.get(row.id)
    return notices_of_waiting(rows, kinds)


def notices_of_waiting(rows: Sequence[Job], kinds: Kinds) -> list[Notice]:
    """Update the records of these rows with what each waits for; the notices to send after the commit."""
    notices: list[Notice] = []
    for name in {row.kind for row in rows}:
        record = kinds[name].record
        if record is None:
            continue
        try:
            with db.session.begin_nested():
                mine = [row for row in rows if row.kind == name and not JobStatus(row.status).ended]
                notices.append(record.waits(mine))
        except DATABASE_UNAVAILABLE:
            raise
        except Exception:  # one kind's error must not block the others
            logger.exception("what jobs of the kind %s wait for could not be announced", name)
    return notices
