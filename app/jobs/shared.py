"""What differs with several processes: none may end what another one still needs."""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.cluster.locks import CLAIMS
from app.database import writing
from app.extensions import db
from app.jobs.duplex import owner_of
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.process import Child, find_children, starter_lives
from app.jobs.restart import remove_leftovers
from app.jobs.transitions import change

logger = logging.getLogger("yolo.jobs")

MISSING_S, CHECK_S = 20.0, 5.0  # how long a process must have been missing; and between two checks
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


def claim_alone(session: Any) -> None:
    """Claim one process at a time, so that a free device is assigned once. SQLite has one writer anyway."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CLAIMS})")


def take_over(kinds: Kinds, root: Path, data: Path | None = None) -> list[tuple[int, int]]:
    """(id, attempt) of each job that the leading process supervises from now on; see restart.take_over. Requests of
    other processes may wait for any job, so all continue.
    """
    table = Job.__table__.c
    columns = (table.id, table.kind, table.subject_id, table.token, table.attempt, table.status, table.runner)
    followed, directories = [], set()
    for row in db.session.execute(select(*columns).where(table.status == JobStatus.RUNNING)).all():
        if row.kind not in kinds:
            continue
        directories.add(kinds[row.kind].directory_of(row, root))
        if kinds[row.kind].links is None and "name" not in (row.runner or {}):  # a worker supervises its own jobs
            followed.append((row.id, row.attempt))
    db.session.rollback()
    end_orphans(data or root, directories)
    remove_leftovers(root)
    return followed


def end_orphans(data: Path, directories: set[Path]) -> None:
    """Kill the children on this machine whose job does not run, and whose server has ended."""
    end_children(find_children(data), directories)


def end_children(children: Iterable[tuple[int, float, Path]], directories: set[Path]) -> None:
    """Kill the children outside these directories whose server has ended."""
    for pid, started, directory in children:
        if directory not in directories and not starter_lives(pid):
            logger.warning("process %s belongs to a job that has ended: killed", pid)
            child = Child(directory, pid, started)
            child.signal(9)
            child.sweep()


def end_lost_children(connection: Any, kinds: Kinds, root: Path) -> None:
    """Kill the children on a worker's host whose job does not run. Processes are read before rows: a process that was
    just started has a row by then.

    Args:
        root: the folder of the jobs' files; children work below its parent.
    """
    children = list(find_children(root.parent))
    table = Job.__table__.c
    columns = (table.id, table.kind, table.subject_id, table.token, table.attempt)
    rows = connection.execute(select(*columns).where(table.status == JobStatus.RUNNING)) if children else ()
    directories = {kinds[row.kind].directory_of(row, root) for row in rows if row.kind in kinds}
    end_children(children, directories)


class LostOwners:
    """Ends the jobs whose children were connected to a process that has ended.

    Args:
        present: the ids of the live processes; None: unknown.
    """

    def __init__(self, present: Callable[[], set[str] | None]) -> None:
        self.present = present
        self._missing: dict[str, float] = {}  # since when
        self._checked_at = 0.0

    def end_jobs(self, kinds: Kinds) -> list[Job]:
        """End the jobs of lost owners; returns them."""
        if time.monotonic() - self._checked_at < CHECK_S:
            return []
        self._checked_at = time.monotonic()
        talked_to = [name for name in kinds.names() if kinds[name].links is not None]
        condition = Job.kind.in_(talked_to) & Job.status.in_(UNFINISHED)
        rows = db.session.execute(select(Job.id, Job.params).where(condition))
        owners = {row.id: owner_of(row.params) for row in rows}
        lost = self.lost(set(owners.values())) if owners else set()
        return [job for job_id, owner in owners.items() if owner in lost and (job := end(job_id)) is not None]

    def lost(self, owners: set[str]) -> set[str]:
        """The owners that have been missing for long enough: a restarted Redis knows no process for a few seconds."""
        present = self.present()
        if present is None:
            self._missing.clear()
            return set()
        time_now = time.monotonic()
        self._missing = {owner: self._missing.get(owner, time_now) for owner in owners - present}
        return {owner for owner, since in self._missing.items() if time_now - since >= MISSING_S}


def end(job_id: int) -> Job | None:
    """Cancel a job whose child ended with its socket."""
    with writing() as session:
        job = session.get(Job, job_id, with_for_update=True)
        if job is None or job.status not in UNFINISHED:
            return None
        change(job, JobStatus.CANCELLED)
    logger.warning("job %s (%s) ended with the process that was connected to it", job.id, job.kind)
    return db.session.get(Job, job_id)
