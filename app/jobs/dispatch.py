"""Delivers pending jobs to the workers through RQ, and detects lost workers (DISPATCH=rq).

RQ delivers; the row decides. An entry of an RQ queue is a ticket: the worker that pops it claims the first row
delivered to that queue, in a transaction. A surplus ticket matches no row; lost tickets (after a Redis restart without
its data) are created again. No state depends on Redis. Only the leader dispatches.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import func, or_, select, update

from app.database import DATABASE_UNAVAILABLE, writing
from app.extensions import db
from app.jobs import workers
from app.jobs.devices import Use
from app.jobs.disk import DiskSpace
from app.jobs.displacing import displace_jobs
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus, WaitingFor
from app.jobs.queue import DISK_STEP, notices_of_waiting, send_notice
from app.jobs.runner import RQRunner
from app.jobs.work_queues import can_be_served, requirement, with_priority

logger = logging.getLogger("yolo.jobs")

AT_ONCE = 500  # rows in one transaction
COUNT_S = 3.0  # between two counts of tickets
CHECK_S = 1.0  # shortest time between two checks for lost workers; each is part of a scheduler round
PAUSE_S = 30.0  # after this long without a check, it is unknown whether heartbeats could be written


class Dispatcher:
    """The leader's part of every round for the workers.

    Args:
        announce: called with a job after each committed change.
        is_ready: whether workers can read the files of a job (its id, its attempt).
    """

    def __init__(
        self,
        kinds: Kinds,
        runner: RQRunner,
        announce: Callable[[Job], None],
        is_ready: Callable[[int, int], bool] = lambda _job_id, _attempt: True,
    ) -> None:
        self.is_ready = is_ready
        self.kinds, self.runner, self.announce = kinds, runner, announce
        self.lost = LostRuns()
        self.capabilities: workers.Capabilities | None = None
        self.unreadable: set[int] = set()  # jobs whose request this version cannot read
        self._missing, self._counted_at = Counter[str](), 0.0

    def names(self) -> list[str]:
        """The kinds that run on workers."""
        return [name for name in self.kinds.names() if self.kinds[name].for_workers]

    def round(self, space: DiskSpace | None) -> list[tuple[int, int]]:
        """Deliver what can run now; (id, attempt) of each job whose worker is lost, so that the caller records its
        ending.
        """
        capabilities = workers.capabilities()
        if capabilities != self.capabilities:
            self.withdraw_all()
            self.capabilities = capabilities
        lost = self.lost.check()
        try:
            self.deliver(space, capabilities)
            displace_jobs(self.kinds, due())
            self.count_tickets()
        except DATABASE_UNAVAILABLE:
            raise
        except Exception:  # the endings of lost runs must not depend on delivery
            db.session.rollback()
            logger.exception("delivering jobs to the workers has failed")
        return lost

    def withdraw_all(self) -> None:
        """Withdraw all waiting jobs from their queues: the devices have changed, and the queues are chosen again."""
        waits = (Job.status == JobStatus.PENDING) & Job.delivered_to.is_not(None)
        if db.session.scalar(select(Job.id).where(waits).limit(1)) is not None:
            with writing() as session:
                session.execute(update(Job).where(waits).values(delivered_to=None))

    def undelivered(self, names: Collection[str], without: Collection[int] = ()) -> Sequence[Any]:
        """The due jobs of these kinds, in queue order.

        Args:
            without: ids of jobs that keep their queue.
        """
        table = Job.__table__.c
        columns = (table.id, table.kind, table.params, table.priority, table.waiting_for, table.attempt)
        waits = (table.status == JobStatus.PENDING) & table.delivered_to.is_(None) & table.kind.in_(names)
        waits &= table.id.not_in(self.unreadable.union(without))
        order = (table.priority.desc(), table.position, table.id)
        return db.session.execute(select(*columns).where(waits, due()).order_by(*order).limit(AT_ONCE)).all()

    def deliver(self, space: DiskSpace | None, capabilities: workers.Capabilities) -> None:
        """Record the queue of each job, then enqueue as many tickets."""
        self.note_schedules()
        full = space is not None and not space.enough
        names = [name for name in self.names() if not (full and self.kinds[name].disk)]
        if full and space is not None:
            self.note_disk(space)
        without_files: set[int] = set()
        while rows := self.undelivered(names, without_files):
            queues: dict[int, str] = {}
            reasons: dict[int, WaitingFor] = {}
            for row in rows:
                kind = self.kinds[row.kind]
                if not self.is_ready(row.id, row.attempt):
                    reasons[row.id] = {"code": "files"}
                    without_files.add(row.id)
                    continue
                try:
                    request = kind.request(row.params)
                    name = requirement(kind.use, request, capabilities.gpus, capabilities.cpu)
                except Exception:  # a job that cannot be delivered must not block those behind it
                    logger.exception("job %s cannot be delivered", row.id)
                    self.unreadable.add(row.id)
                    continue
                queues[row.id] = with_priority(name, row.priority - (kind.use == Use.SPARE))
                if not can_be_served(name, capabilities.gpus, capabilities.cpu):
                    reasons[row.id] = {"code": "missing_device", "device": device_of(request)}
                else:
                    reasons[row.id] = {"code": "turn", "ahead": 0}
            self.write(queues, reasons, {row.id: row.waiting_for for row in rows})
            if len(rows) < AT_ONCE:
                return

    def note_disk(self, space: DiskSpace) -> None:
        """Record that the jobs that need free disk wait for it."""
        names = [name for name in self.names() if self.kinds[name].disk]
        rows = [row for row in self.undelivered(names) if (row.waiting_for or {}).get("code") != "disk"]
        self.write({}, {row.id: disk_reason(space) for row in rows}, {})

    def note_schedules(self) -> None:
        """Record that scheduled jobs wait for their time."""
        later = (Job.status == JobStatus.PENDING) & (Job.not_before > workers.clock()) & Job.waiting_for.is_(None)
        rows = db.session.execute(select(Job.id, Job.not_before).where(later, Job.kind.in_(self.names()))).all()
        until = {row.id: row.not_before.isoformat().replace("+00:00", "Z") for row in rows}
        if rows:
            self.write({}, {key: {"code": "schedule", "until": text} for key, text in until.items()}, {})

    def write(
        self, queues: dict[int, str], reasons: dict[int, WaitingFor], before: dict[int, WaitingFor | None]
    ) -> None:
        """Commit, then enqueue the tickets and announce what each job waits for."""
        changed = [key for key, reason in reasons.items() if before.get(key) != reason]
        if not queues and not changed:
            return
        delivered = Counter[str]()
        with writing() as session:
            still = Job.id.in_({*queues, *changed}) & (Job.status == JobStatus.PENDING)
            rows = session.scalars(select(Job).where(still).order_by(Job.id).with_for_update()).all()
            for row in rows:
                row.waiting_for = reasons[row.id]
                if row.id in queues:
                    row.delivered_to = queues[row.id]
                    delivered[queues[row.id]] += 1
            notices = notices_of_waiting(rows, self.kinds)
        for queue, number in delivered.items():
            self.runner.deliver(queue, number)
        for notice in notices:
            send_notice(notice)

    def count_tickets(self) -> None:
        """Create missing tickets and withdraw surplus ones. Only differences that two counts in a row agree on: a
        ticket that was just popped still has a waiting row.
        """
        if time.monotonic() - self._counted_at < COUNT_S:
            return
        self._counted_at = time.monotonic()
        table = Job.__table__.c
        waits = (table.status == JobStatus.PENDING) & table.delivered_to.is_not(None)
        counts = select(table.delivered_to, func.count()).where(waits, due()).group_by(table.delivered_to)
        rows = {queue: int(number) for queue, number in db.session.execute(counts)}
        tickets = self.runner.tickets()
        if tickets is None:
            return
        missing = {name: rows.get(name, 0) - tickets.get(name, 0) for name in rows.keys() | tickets.keys()}
        for name, number in missing.items():
            again = smaller_of(number, self._missing[name])
            if again > 0:
                logger.warning("%s jobs are delivered to the workers again: %s", again, name)
                self.runner.deliver(name, again)
            elif again < 0:
                self.runner.withdraw(name, -again)
            missing[name] = number - again
        self._missing = Counter(missing)


def smaller_of(first: int, second: int) -> int:
    """What both differences have in common: of two numbers of the same sign, the one nearer to 0."""
    if first > 0 and second > 0:
        return min(first, second)
    return max(first, second) if first < 0 and second < 0 else 0


def due() -> Any:
    """The SQL condition for jobs that are due, by the database's clock: a host's clock may be wrong."""
    return or_(Job.__table__.c.not_before.is_(None), Job.__table__.c.not_before <= workers.clock())


def disk_reason(space: DiskSpace) -> WaitingFor:
    return {"code": "disk", "free": space.free // DISK_STEP * DISK_STEP, "needed": space.needed}


def device_of(request: Any) -> str:
    return ",".join(request) if isinstance(request, tuple) else str(request)


class LostRuns:
    """Finds running jobs whose worker is lost: no heartbeat for a minute, by the database's clock.

    A worker is judged only after this process has checked for a minute without a gap: while the database was
    unavailable, or this process was suspended, heartbeats could be neither written nor read.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._checked_at = 0.0

    def check(self) -> list[tuple[int, int]]:
        """(id, attempt) of each job of a lost worker."""
        present = time.monotonic()
        if present - self._checked_at < CHECK_S:
            return []
        if self._since is None or present - self._checked_at > PAUSE_S:
            self._since = present
        self._checked_at = present
        try:
            return self.runs_without() if present - self._since >= workers.LOST_S else []
        except Exception:
            self._since = None
            raise

    def mark(self) -> Collection[str]:
        """The names of the live workers."""
        table = workers.Worker.__table__.c
        if db.session.scalar(select(table.name).where(workers.to_mark()).limit(1)) is not None:
            with writing():
                for name in workers.mark_lost():
                    logger.error("worker %s has sent no heartbeat for %.0f s", name, workers.LOST_S)
        return set(db.session.scalars(select(table.name).where(table.state != workers.LOST)))

    def runs_without(self) -> list[tuple[int, int]]:
        """Runs without a worker. Runs are read before workers: one that registers and claims in between is not lost."""
        table = Job.__table__.c
        rows = db.session.execute(
            select(table.id, table.attempt, table.runner).where(table.status == JobStatus.RUNNING)
        )
        workers_of = [(row, (row.runner or {}).get("name")) for row in rows.all()]
        names = self.mark()
        lost = [(row, name) for row, name in workers_of if name is not None and name not in names]
        workers.end_sessions({name for _row, name in lost})
        return [(row.id, row.attempt) for row, _name in lost]
