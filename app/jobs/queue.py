"""Which job starts next: the queue is the pending rows, by priority, then position."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.transitions import change
from app.models.base import now


def plan(queue: Iterable[Any], running: Iterable[str], kinds: Kinds, time: datetime) -> list[int]:
    """The ids of the jobs that start now, in their order.

    Args:
        queue: rows with id, kind and not_before, in the order of the queue.
        running: the kind of each running job.
    """
    counts, chosen = Counter(running), []
    for row in queue:
        due = row.not_before is None or row.not_before <= time
        if due and row.kind in kinds and counts[row.kind] < kinds[row.kind].at_once:
            counts[row.kind] += 1
            chosen.append(row.id)
    return chosen


def pending() -> Sequence[Any]:
    """The queue in its order."""
    table = Job.__table__.c  # not the class: setting up the mappers would delay the server's first answer
    waits = select(table.id, table.kind, table.not_before).where(table.status == JobStatus.PENDING)
    return db.session.execute(waits.order_by(table.priority.desc(), table.position, table.id)).all()


def claim(kinds: Kinds) -> list[tuple[int, int]]:
    """Make the jobs that can start now running ones: (id, attempt) of each. Planned on a read: most rounds change
    nothing, and then nothing is locked."""
    queue = pending()
    if not queue:
        return []
    table = Job.__table__.c
    running = db.session.scalars(select(table.kind).where(table.status == JobStatus.RUNNING)).all()
    chosen = plan(queue, running, kinds, now())
    if not chosen:
        return []
    with writing() as session:
        still = Job.id.in_(chosen) & (Job.status == JobStatus.PENDING)
        rows = session.scalars(select(Job).where(still).with_for_update()).all()
        for row in rows:
            change(row, JobStatus.RUNNING)
        return [(row.id, row.attempt) for row in rows]
