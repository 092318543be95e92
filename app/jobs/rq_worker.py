"""RQ's worker for DISPATCH=rq: it survives outages of Redis and the database, and updates its row.

RQ's own recovery of lost work is off, see dispatch.py. Commands of RQ's tools, which would stop and kill jobs, are
ignored: stop requests are columns.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis import TimeoutError as RedisTimeoutError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Worker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from app.core.file_lock import FileLock
from app.jobs import workers
from app.jobs.horse_pulse import STOPPED_S
from app.jobs.runner import is_ticket
from app.jobs.work_queues import gpu_number, served, without_priority
from app.jobs.worker_row import WorkerRow
from app.jobs.workers import WorkerAbout, WorkerName
from app.jobs.workhorse import WorkHorse

logger = logging.getLogger("yolo.jobs")

TTL_S = 25  # RQ waits 15 s less than this for a ticket, and its tools drop a worker a minute after it
MONITOR_S = 5  # between two heartbeats while a job runs
CONNECT_S = 5
REDIS_RETRY_S = 30.0  # before a heartbeat tries Redis again after it did not answer
SWEEP_S = 60.0  # between two checks for processes whose job is over
AGAIN_S = 1.0  # before a killed work-horse is replaced
KILLED_S = 15.0  # in which a killed work-horse has ended, unless the system blocks it


class DeviceWorker(Worker):
    """A worker for one device, or for all the GPUs of a group.

    Args:
        url: of Redis. uri, about: see WorkerRow.
        pauses: whether SIGTERM pauses the running job, which resumes elsewhere; otherwise the worker waits for its end.
    """

    max_connection_wait_time = 2.0

    def __init__(
        self, url: str, uri: str, identity: WorkerName, horse: WorkHorse, about: WorkerAbout, pauses: bool
    ) -> None:
        self.identity, self.horse, self.pauses = identity, horse, pauses
        self.row = WorkerRow(uri, identity, about)
        # Reconnects once after a lost connection, but never repeats a request without an answer: RQ waits 20 s for
        # each.
        once = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        self.draining = False
        self._beat_at = self._swept_at = self._redis_retry_at = 0.0
        super().__init__(
            served(identity.gpus),
            name=identity.name,
            connection=Redis.from_url(url, socket_connect_timeout=CONNECT_S, retry=once),
            worker_ttl=TTL_S,
            job_monitoring_interval=MONITOR_S,
            serializer=JSONSerializer,
        )

    def beat(self) -> None:
        """Write a heartbeat to the database."""
        state = workers.BUSY if self.horse_pid else workers.IDLE
        self.row.beat(workers.DRAINING if self.draining else state, bool(self.horse_pid))

    def resume_jobs(self) -> None:
        """Give a new work-horse to each job of this worker whose own was killed, or which an earlier process of this
        name ran, before any other job is claimed.
        """
        while jobs := self.row.running_jobs():
            self.await_horse(partial(self.horse.follow, *jobs[0]))
            time.sleep(AGAIN_S)
        self.beat()  # only now: until here, the row must say that a job's process may still run

    def await_horse(self, work: Callable[[], None]) -> None:
        """Fork without a ticket, call `work` in the child, and wait for its end."""
        self.horse.pulse.reset()
        pid = os.fork()
        if pid == 0:
            os.setpgrp()
            self.setup_work_horse_signals()
            try:
                work()
            except BaseException:
                logger.exception("worker %s: a work-horse has failed", self.name)
                os._exit(1)
            os._exit(0)
        self._horse_pid = pid
        self.set_state(WorkerStatus.BUSY)
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(0.2)
            self.heartbeat()
        self._horse_pid = 0
        self.set_state(WorkerStatus.IDLE)

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        self.horse.pulse.reset()
        super().fork_work_horse(job, queue)

    def horse_is_stopped(self) -> bool:
        """Whether a work-horse is frozen and even KILL does not end it. One that KILL ends is replaced, and the new one
        follows the job's process, which still runs.
        """
        if not self.horse_pid or (silent_s := self.horse.pulse.silent_s()) < STOPPED_S:
            return False
        logger.error("worker %s: its work-horse has been frozen for %.0f s: killed", self.name, silent_s)
        self.kill_horse()
        return silent_s >= STOPPED_S + KILLED_S

    # Overrides of RQ.

    def prepare(self, locks: Sequence[FileLock]) -> None:
        """Before the first ticket: resume the jobs of an earlier process of this name, then lock the devices.

        Args:
            locks: of the devices. A process whose job was given up may still hold one.

        Raises:
            StopRequested: SIGTERM was received.
        """
        self._install_signal_handlers()
        self.row.register()
        self.resume_jobs()
        while not all(lock.held or lock.acquire() for lock in locks):
            self.end_lost_children()
            self.heartbeat()
            time.sleep(AGAIN_S)

    def end_lost_children(self) -> None:
        """Kill the processes on this host whose job is over."""
        self._swept_at = time.monotonic()
        self.row.end_lost_children(self.horse.jobs.kinds, self.horse.jobs.root)

    def work(self, *arguments: Any, **options: Any) -> bool:
        """Run until SIGTERM. RQ's loop ends on some errors of Redis and is then started again."""
        worked = False
        while not self.draining:
            try:
                worked = super().work(*arguments, **options) or worked
            except RedisError as error:
                logger.warning("worker %s: Redis: %s", self.name, error)
            if not self.draining:
                time.sleep(AGAIN_S)
        self.row.remove()
        return worked

    def execute_job(self, job: Any, queue: Any) -> None:
        try:
            if is_ticket(job):
                super().execute_job(job, queue)
            else:
                logger.error("worker %s: an entry of queue %s is not a ticket: deleted", self.name, queue.name)
                job.delete()
        except RedisError as error:  # the ticket is lost; the row remains
            logger.warning("worker %s: Redis: %s", self.name, error)
        self.resume_jobs()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's heartbeat and the row's; registers this worker again if Redis was restarted without its data.

        Raises:
            StopRequested: SIGTERM was received, and nothing runs. RQ misses one between the end of a job and the wait
                for the next ticket: it checks before that, and not again until a ticket comes.
        """
        if self.draining and not self._is_horse and self.get_state() == WorkerStatus.IDLE:
            raise StopRequested
        if not self._is_horse and time.monotonic() - self._beat_at >= MONITOR_S / 2:
            self._beat_at = time.monotonic()
            if not self.horse_is_stopped():  # else this worker counts as lost, and its job continues elsewhere
                self.beat()
            if self._beat_at - self._swept_at >= SWEEP_S:
                self.end_lost_children()
            with self.tolerant():
                if not self.redis_unavailable and not self.connection.hexists(self.key, "birth"):
                    self.register_birth()
                    self.set_state(self.get_state())
        with self.tolerant():
            if not self.redis_unavailable:
                super().heartbeat(timeout, pipeline)

    def maintain_heartbeats(self, job: Any, execution: Any) -> None:
        self.heartbeat()
        with self.tolerant():
            if not self.redis_unavailable:
                super().maintain_heartbeats(job, execution)

    @property
    def redis_unavailable(self) -> bool:
        """Whether Redis did not answer recently; asking it now would delay the row's heartbeat."""
        return time.monotonic() < self._redis_retry_at

    def reorder_queues(self, reference_queue: Any) -> None:
        """Next time, jobs for another number of GPUs come first, so that no number blocks the others."""
        turn = gpu_number(without_priority(reference_queue.name))
        if turn:
            order = {name: index for index, name in enumerate(served(self.identity.gpus, turn))}
            self._ordered_queues.sort(key=lambda queue: order[queue.name])

    def register_birth(self) -> None:
        """Replace an earlier registration: a lock on the host excludes another worker of this name."""
        self.connection.delete(self.key)
        super().register_birth()

    def set_state(self, state: str, pipeline: Any = None) -> None:
        with self.tolerant():
            super().set_state(state, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        with self.tolerant():
            super().check_for_suspension(burst)

    def run_maintenance_tasks(self) -> None:
        with self.tolerant():
            super().run_maintenance_tasks()

    def teardown(self) -> None:
        with self.tolerant():
            super().teardown()

    def subscribe(self) -> None:
        """No commands, and no thread that a fork could interrupt."""

    def unsubscribe(self) -> None:
        """Nothing to end."""

    def handle_warm_shutdown_request(self) -> None:
        """The first SIGTERM: no further job is claimed."""
        self.draining = True
        super().handle_warm_shutdown_request()
        if self.pauses:
            self.ask_horse_to_leave()

    def request_force_stop(self, signum: int, frame: Any) -> None:
        """The second SIGTERM: the running job pauses, and resumes elsewhere."""
        self.ask_horse_to_leave()

    def ask_horse_to_leave(self) -> None:
        if self.horse_pid:
            try:
                os.kill(self.horse_pid, 15)
            except ProcessLookupError:
                return

    def set_shutdown_requested_date(self) -> None:
        with self.tolerant():
            super().set_shutdown_requested_date()

    @contextmanager
    def tolerant(self) -> Any:
        """Ignore errors of Redis for data that only RQ's tools show."""
        try:
            yield
        except RedisError as error:
            if isinstance(error, RedisTimeoutError):
                self._redis_retry_at = time.monotonic() + REDIS_RETRY_S
            logger.warning("worker %s: Redis: %s", self.name, error)
