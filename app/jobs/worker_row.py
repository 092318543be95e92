"""The row of this worker in the database: registration, heartbeats, and its jobs."""

import logging
import time
from pathlib import Path

from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import CLOCK
from app.jobs import workers
from app.jobs.kinds import Kinds
from app.jobs.model import Job, JobStatus
from app.jobs.shared import end_lost_children
from app.jobs.workers import WorkerAbout, WorkerName

logger = logging.getLogger("yolo.jobs")

RETRY_S = 1.0  # before a database that did not answer is tried again
# An unavailable database must not delay the heartbeat for long, nor may one whose answers get lost.
CONNECT_S, STATEMENT_MS = 5, 5000
KEEPALIVE = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 2}


class WorkerRow:
    """
    Args:
        uri: of the database, for SQLAlchemy.
        about: what the System page shows of the worker.
    """

    def __init__(self, uri: str, identity: WorkerName, about: WorkerAbout) -> None:
        self.identity, self.about = identity, about
        options = {"connect_timeout": CONNECT_S, "options": f"-c statement_timeout={STATEMENT_MS}"} | KEEPALIVE
        # No connection may be open when a work-horse is forked.
        self.engine = create_engine(uri, poolclass=NullPool, connect_args=options | {"application_name": "yolo-worker"})
        self.registered = False

    @property
    def name(self) -> str:
        return self.identity.name

    def register(self) -> None:
        """Replace the row of an earlier process of this name. Two workers of one name would follow each other's jobs:
        while one on another host, or in another container, sends heartbeats, this one waits.
        """
        while not self.registered:
            try:
                with self.engine.begin() as connection:
                    namesake = workers.namesake(connection, self.identity, self.about)
                    if namesake is None:
                        workers.register(connection, self.identity, self.about)
                if namesake is None:
                    self.registered = True
                    return
                logger.error("there is a worker %s on %s: set another WORKER_NAME here", self.name, namesake)
            except SQLAlchemyError as error:
                logger.warning("worker %s waits for the database: %s", self.name, reason(error))
            time.sleep(RETRY_S)

    def beat(self, state: str, works: bool) -> None:
        """Write a heartbeat, and set this process's clock by the database's.

        Args:
            works: whether a job's process may still run.
        """
        try:
            with self.engine.begin() as connection:
                database_time = workers.beat(connection, self.name, state, works)
                if database_time is None:
                    workers.register(connection, self.identity, self.about)
                else:
                    CLOCK.set(database_time)
        except SQLAlchemyError as error:
            logger.warning("worker %s: the heartbeat was not written: %s", self.name, reason(error))

    def running_jobs(self) -> list[tuple[int, int]]:
        """(id, attempt) of each running job of this worker; waits for a database that does not answer."""
        table = Job.__table__.c
        columns = select(table.id, table.attempt, table.runner).where(table.status == JobStatus.RUNNING)
        while True:
            try:
                with self.engine.connect() as connection:
                    rows = connection.execute(columns).all()
                return [(row.id, row.attempt) for row in rows if (row.runner or {}).get("name") == self.name]
            except SQLAlchemyError as error:
                logger.warning("worker %s waits for the database: %s", self.name, reason(error))
                time.sleep(RETRY_S)

    def end_lost_children(self, kinds: Kinds, root: Path) -> None:
        """Kill the processes on this host whose job is over.

        Args:
            root: the folder of the jobs' files.
        """
        try:
            with self.engine.connect() as connection:
                end_lost_children(connection, kinds, root)
        except SQLAlchemyError as error:
            logger.warning("worker %s: %s", self.name, reason(error))

    def remove(self) -> None:
        """Delete the row: the worker ends, and has no job."""
        if not self.registered:
            return
        try:
            with self.engine.begin() as connection:
                workers.remove(connection, self.name)
        except SQLAlchemyError as error:  # the heartbeat then stops, and the web process notices
            logger.warning("worker %s: its row was not deleted: %s", self.name, reason(error))


def reason(error: SQLAlchemyError) -> object:
    """The database's message, without statement and values."""
    return getattr(error, "orig", error)
