"""At the server's start: re-attaches, restarts or fails every job that an earlier server left running."""

import logging
import shutil
from functools import partial
from pathlib import Path

from sqlalchemy import select

from app.database import retry_until_writable, writing
from app.extensions import db
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.process import Child, find_children
from app.jobs.transitions import change

logger = logging.getLogger("yolo.jobs")


def take_over(kinds: Kinds, root: Path, data: Path | None = None) -> list[tuple[int, int]]:
    """(id, attempt) of each job to be supervised again; removes children and folders without a job.

    `root` has the folders of jobs, `data` those of all children; by default they are the same.

    A job whose result only a request of the earlier server could use fails.
    """
    table = Job.__table__.c  # not the class: setting up the mappers would delay the server's first answer
    unfinished = table.status.in_([JobStatus.PENDING, JobStatus.RUNNING])
    columns = (
        table.id,
        table.kind,
        table.params,
        table.subject_id,
        table.token,
        table.attempt,
        table.status,
        table.runner,
    )
    rows = db.session.execute(select(*columns).where(unfinished))
    followed, folders = [], set()
    for row in rows.all():
        if row.kind not in kinds or not kinds[row.kind].outlasts_server(row):
            # its child talked to that server, and ended with it
            talks = row.kind in kinds and kinds[row.kind].links is not None
            retry_until_writable(partial(cancel if talks else fail, row.id))
        elif row.status == JobStatus.RUNNING:
            followed.append((row.id, row.attempt))
            kind = kinds[row.kind]
            if row.runner or kind.directory:  # else the process was never recorded, and another one will be started
                folders.add(kind.directory_of(row, root))
        else:
            folders.add(root / row.token)
    end_orphans(data or root, folders)
    remove_leftovers(root)
    return followed


def fail(job_id: int) -> None:
    """Mark a job as interrupted by the restart."""
    with writing() as session:
        job = session.get_one(Job, job_id)
        error = {"code": "interrupted", "message": "the server was restarted"}
        change(job, JobStatus.FAILED, error=error)
    logger.warning("job %s (%s) was interrupted by a restart", job_id, job.kind)


def cancel(job_id: int) -> None:
    with writing() as session:
        change(session.get_one(Job, job_id), JobStatus.CANCELLED)


def end_orphans(root: Path, folders: set[Path]) -> None:
    """Kill the children below `root` whose job does not run."""
    for pid, started, directory in find_children(root):
        if directory not in folders:
            logger.warning("process %s belongs to a job that has ended: killed", pid)
            child = Child(directory, pid, started)
            child.signal(9)
            child.sweep()


def remove_leftovers(root: Path) -> None:
    """Remove the folders of ended jobs, except those of failures, and of tokens without a row."""
    folders = {path.name: path for path in root.iterdir() if path.is_dir()}
    if not folders:
        return
    table = Job.__table__.c
    retained = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.FAILED)
    tokens = db.session.scalars(select(table.token).where(table.status.in_(retained)))
    for name in folders.keys() - set(tokens):
        shutil.rmtree(folders[name], ignore_errors=True)
