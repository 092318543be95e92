"""Displaces background work from its worker in favor of waiting jobs of a higher use (DISPATCH=rq).

As on one machine (holdings.py): the displaced job ends at once, returns to the queue, and is last there.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from app.database import writing
from app.extensions import db
from app.jobs import workers
from app.jobs.devices import CPU, Use
from app.jobs.kinds import Kinds
from app.jobs.model import DISPLACED, Job, JobStatus
from app.jobs.work_queues import can_be_served, gpu_number, served, without_priority
from app.models.base import now

logger = logging.getLogger("yolo.jobs")

# On one machine, a job without a device neither waits for others nor displaces them. Here it needs a worker: it may
# displace spare work, and is not displaced itself.
WAITS_WITHOUT_DEVICE, RUNS_WITHOUT_DEVICE = Use.MEASURE, Use.WORK


@dataclass
class Seat:
    """A live worker, and what it runs.

    Args:
        gpus: how many it has. job_id: None: it is idle, or will be soon.
    """

    gpus: int
    job_id: int | None = None
    use: Use = Use.WORK
    began: float = 0.0  # when its job started, s


def displace_jobs(kinds: Kinds, due: Any) -> None:
    """End the jobs whose workers waiting jobs of a higher use need. Writes nothing if no job waits.

    Args:
        due: the SQL condition for a pending job that waits for a worker alone.
    """
    seats = list(read_seats(kinds))
    if not any(seat.job_id is not None and seat.use < Use.WORK for seat in seats):
        return
    ids = choose(waiting(kinds, due), seats)
    if not ids:
        return
    with writing() as session:
        still = Job.id.in_(ids) & (Job.status == JobStatus.RUNNING) & Job.stop_mode.is_(None)
        for row in session.scalars(select(Job).where(still).order_by(Job.id).with_for_update()):
            row.stop_mode, row.stop_requested_at = DISPLACED, now()
    logger.info("jobs %s are displaced from their workers", ", ".join(map(str, ids)))


def read_seats(kinds: Kinds) -> Iterable[Seat]:
    """The seats of all live workers. Read before the waiting jobs: a worker that claims one in between counts as idle
    for it.
    """
    table, worker = Job.__table__.c, workers.Worker.__table__.c
    there = ~workers.silent() & worker.state.in_([workers.IDLE, workers.BUSY])
    names = {row.name: row.devices for row in db.session.execute(select(worker.name, worker.devices).where(there))}
    columns = (table.id, table.kind, table.runner, table.stop_mode, table.started_at)
    rows = db.session.execute(select(*columns).where(table.status == JobStatus.RUNNING)).all()
    runs = {row.runner["name"]: row for row in rows if "name" in (row.runner or {}) and row.kind in kinds}
    for name, devices in names.items():
        row, gpus = runs.get(name), 0 if devices == [CPU] else len(devices)
        if row is None or row.stop_mode is not None:
            yield Seat(gpus)
        else:
            began = row.started_at.timestamp() if row.started_at else 0.0
            yield Seat(gpus, row.id, worth(kinds, row.kind, RUNS_WITHOUT_DEVICE), began)


def worth(kinds: Kinds, name: str, without_device: Use) -> Use:
    use = kinds[name].use
    return without_device if use is None else use


def waiting(kinds: Kinds, due: Any) -> list[tuple[str, Use, int]]:
    """(queue, use, number) of the jobs that wait for a worker, in the order in which they get one."""
    table = Job.__table__.c
    waits = (table.status == JobStatus.PENDING) & table.delivered_to.is_not(None)
    counts = select(table.delivered_to, table.kind, func.count().label("number")).where(waits, due)
    rows = db.session.execute(counts.group_by(table.delivered_to, table.kind)).all()
    most = max((gpu_number(without_priority(row.delivered_to)) for row in rows), default=0)
    order = {name: index for index, name in enumerate(served(most))}
    servable = [row for row in rows if row.kind in kinds and row.delivered_to in order]
    demand = [(row.delivered_to, worth(kinds, row.kind, WAITS_WITHOUT_DEVICE), int(row.number)) for row in servable]
    return sorted(demand, key=lambda item: (order[item[0]], -item[1]))


def choose(demand: Iterable[tuple[str, Use, int]], seats: Sequence[Seat]) -> list[int]:
    """The jobs to displace. Idle workers are used first, then those of the lowest use and the shortest run; of equal
    ones, the one with the fewest GPUs.
    """
    remaining, ids = list(seats), list[int]()
    for queue, use, number in demand:
        name = without_priority(queue)
        fits = [seat for seat in remaining if can_be_served(name, {seat.gpus} - {0}, not seat.gpus)]
        free = sorted((seat for seat in fits if seat.job_id is None), key=lambda seat: seat.gpus)
        less = [seat for seat in fits if seat.job_id is not None and seat.use < use]
        less.sort(key=lambda seat: (seat.use, seat.gpus, -seat.began))
        for seat in [*free, *less][:number]:
            remaining.remove(seat)
            if seat.job_id is not None:
                ids.append(seat.job_id)
    return ids
