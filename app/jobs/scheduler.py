"""The loop of the queue: claims what can start, and starts a supervisor for each attempt."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy.exc import OperationalError

from app.cluster import Cluster
from app.config import settings
from app.database import DATABASE_UNAVAILABLE
from app.extensions import db, socketio
from app.jobs import queue, restart, shared, workers
from app.jobs.devices import Holding, Pool, gpus
from app.jobs.disk import Disk, DiskSpace
from app.jobs.files import Exchange, SharedVolume
from app.jobs.holdings import Holdings
from app.jobs.kinds import Kinds
from app.jobs.live import Live
from app.jobs.model import Job
from app.jobs.prewarmed import PrewarmedWorker
from app.jobs.queue import Subject
from app.jobs.runner import LocalRunner, RQRunner, Runner
from app.jobs.supervise import Supervisor
from app.jobs.supervisor_context import OfWorker, SupervisorContext
from app.jobs.unwatched import Unwatched

if TYPE_CHECKING:
    from app.jobs.collecting import Collector
    from app.jobs.dispatch import Dispatcher

logger = logging.getLogger("yolo.jobs")

COMPARE_S = 10.0  # between two reads of the database's clock, to which several hosts synchronize
POLL_S = 2.0  # changes wake the queue at once; this is for unannounced ones


class Scheduler:
    """Starts jobs and has them supervised.

    Args:
        root: the folder of the jobs' files.
        devices: the holdings; its pool is set when the server starts.
        announce: called with a job after each committed change.
        prewarmed: by kind; its child may run before its job.
        cluster: this process among the others. One that does not lead runs only the jobs whose children it is connected
            to.
    """

    def __init__(
        self,
        kinds: Kinds,
        live: Live,
        root: Path,
        devices: Holdings,
        announce: Callable[[Job], None],
        prewarmed: Mapping[str, PrewarmedWorker],
        cluster: Cluster,
    ) -> None:
        self.kinds, self.live, self.root, self.devices = kinds, live, root, devices
        self.announce, self.prewarmed, self.cluster = announce, prewarmed, cluster
        self.lost_owners = shared.LostOwners(cluster.bus.present)
        self.devices.sources.append(lambda: list(self.process_holdings()))
        self.runner: Runner | None = None
        self.dispatcher: Dispatcher | None = None  # if workers run the jobs
        self.collector: Collector | None = None  # if workers share no volume
        self.exchange: Exchange = SharedVolume()
        self.of_worker: OfWorker = {}  # in a work-horse: its part of SupervisorContext
        self.disk: Disk | None = None
        self.running: dict[int, Supervisor | None] = {}  # None: the supervisor is being created
        self.unwatched = Unwatched()
        self.before_round: list[Callable[[DiskSpace | None], None]] = []  # called before each round, with the free disk
        self.closed = False
        self._compared_at = -COMPARE_S
        self._changed = threading.Event()  # eventlet replaces it by a cooperative one

    def start(self, app: Flask) -> None:
        """At the server's start: supervise what still runs, then open the queue."""
        self.root.mkdir(parents=True, exist_ok=True)
        config = settings(app)
        self.devices.pool = Pool(gpus(config.CUDA_VISIBLE_DEVICES), config.TRAININGS_PER_GPU)
        self.disk = Disk(config.MODELS_DIR, config.DISK_RESERVE)
        self.runner = LocalRunner(app, self.supervise)
        if self.cluster.dispatches:
            from app.jobs.dispatch import Dispatcher

            self.devices.pool = Pool()  # the GPUs belong to the workers
            options = {"is_ready": self.collector.publisher.is_ready} if self.collector is not None else {}
            self.dispatcher = Dispatcher(self.kinds, RQRunner(config.REDIS_URL), self.announce, **options)
        if self.collector is not None:
            self.collector.start(app, self.cluster)
        if self.cluster.leads:
            self.follow()
        socketio.start_background_task(self.run, app)

    def follow(self) -> None:
        """Supervise again what an earlier server left running."""
        if self.runner is None:
            return
        take_over = shared.take_over if self.cluster.on else restart.take_over
        for job_id, attempt in take_over(self.kinds, self.root, self.root.parent):
            self.begin(job_id, attempt, follows=True)

    def run(self, app: Flask) -> None:
        """The loop of the queue. The body of a background task."""
        while not self.closed:
            self._changed.clear()
            try:
                with app.app_context():
                    self.round()
            except OperationalError as error:  # the database is locked or read-only: the next round tries again
                logger.warning("the job queue: database: %s", error.orig)
            except Exception:
                logger.exception("a round of the job queue has failed")
            self._changed.wait(POLL_S)

    def round(self) -> None:
        """Start everything that can start now."""
        if self.runner is None or self.closed:
            return
        space = self.disk.space() if self.disk else None
        if self.cluster.on and time.monotonic() - self._compared_at >= COMPARE_S:
            workers.compare_clocks(db.session)
            self._compared_at = time.monotonic()
        if self.cluster.leads:
            self.run_hooks(space)
        for job_id, attempt in self.claim(space):
            self.begin(job_id, attempt)
        if self.dispatcher is not None and self.cluster.leads:
            for job_id, attempt in self.dispatcher.round(space):
                if job_id in self.running:
                    continue
                logger.error("job %s: the worker of attempt %s is lost", job_id, attempt)
                self.begin(job_id, attempt, follows=True)
        for job_id, attempt in self.unwatched.overdue(queue.running(self.kinds, self.is_mine), self.running):
            logger.error("job %s: attempt %s runs without a supervisor", job_id, attempt)
            self.begin(job_id, attempt, follows=True)

    def claim(self, space: DiskSpace | None) -> list[tuple[int, int]]:
        """Claim the jobs that start now: (id, attempt) of each."""
        if not self.cluster.on:
            return queue.claim(self.kinds, self.devices, space, self.running, self.busy())
        if self.cluster.leads:
            for job in self.lost_owners.end_jobs(self.kinds):
                self.announce(job)
        occupied = self.running, self.busy()
        return queue.claim(
            self.kinds,
            self.devices,
            space,
            *occupied,
            mine=self.is_mine,
            alone=shared.claim_alone,
            names=self.local_kinds() if self.cluster.dispatches else None,
        )

    def can_start_now(self, session: Any, kind: str) -> bool:
        """Whether a new job of this kind would start at once."""
        if self.cluster.dispatches:
            return workers.one_is_free(session)
        return queue.can_start_now(session, self.kinds[kind])

    def local_kinds(self) -> list[str]:
        """The kinds that workers do not run."""
        return [name for name in self.kinds.names() if not self.kinds[name].for_workers]

    def is_mine(self, row: Any) -> bool:
        """Whether this process starts and supervises a job: one with a link belongs to the process that has
        the link.
        """
        links = self.kinds[row.kind].links
        if links is None:
            return self.cluster.leads and not (self.cluster.dispatches and self.kinds[row.kind].for_workers)
        return links.owns(row.params)

    def run_hooks(self, space: DiskSpace | None) -> None:
        """Run the hooks of the kinds before a round; errors of one do not stop the others."""
        for hook in self.before_round:
            try:
                hook(space)
            except DATABASE_UNAVAILABLE as error:
                db.session.rollback()
                logger.warning("before a round of the queue: database: %s", getattr(error, "orig", error))
            except Exception:
                db.session.rollback()
                logger.exception("a step before a round of the queue has failed")

    def begin(self, job_id: int, attempt: int, follows: bool = False) -> None:
        """Start the supervision of an attempt."""
        if self.runner is None or job_id in self.running:
            return
        self.running[job_id] = None
        try:
            self.runner.start(job_id, attempt, follows)
        except Exception:  # for example, no thread can be started: a later round finds the row
            self.running.pop(job_id, None)
            logger.exception("job %s: its supervision cannot start", job_id)

    def supervise(self, app: Flask, job_id: int, attempt: int, follows: bool) -> None:
        """Supervise one attempt of a job until its end."""
        context = SupervisorContext(
            self.kinds,
            self.live,
            self.root,
            self.announce,
            self.disk,
            self.prewarmed,
            self.cluster.on,
            exchange=self.exchange,
            **self.of_worker,
        )
        supervisor = self.running[job_id] = Supervisor(context, job_id, attempt, follows)
        try:
            supervisor.run(app)
        finally:
            self.running.pop(job_id, None)
            self.wake()

    def supervisors(self) -> list[Supervisor]:
        """The supervisors that have read their job."""
        return [item for item in list(self.running.values()) if item is not None and item.loaded]

    def process_holdings(self) -> Iterator[Holding]:
        """Devices of jobs whose process has not ended yet, whatever their rows say."""
        for item in self.supervisors():
            if item.kind.use is not None and item.devices:
                yield Holding(item.job_id, item.kind.use, item.devices, item.subject)

    def busy(self) -> set[Subject]:
        """The subjects in whose folders a process works: an ended training that continues gets another job."""
        return {(item.kind.name, *item.subject) for item in self.supervisors() if item.kind.directory and item.subject}

    def wake(self) -> None:
        """Start the next round now, in every process."""
        self._changed.set()
        if not self.cluster.leads:
            self.cluster.bus.publish("wake", None)

    def wake_here(self, _payload: object = None) -> None:
        """Start the next round now, in this process."""
        self._changed.set()

    def close(self) -> None:
        """Start nothing more. Called from a signal handler too, so it acquires no lock and wakes nothing."""
        self.closed = True
