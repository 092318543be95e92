"""The files of attempts on a worker without a shared volume: fetched before the child starts, stored as they appear."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask

from app.database import DATABASE_UNAVAILABLE
from app.extensions import db
from app.jobs.attempt import AttemptRow
from app.jobs.attempt_inputs import InputFetch
from app.jobs.attempt_outputs import OutputUpload
from app.jobs.files import AttemptFiles, JobFiles, SharedFiles, attempt_prefix
from app.jobs.kinds import CannotStart, JobKind
from app.jobs.model import Job
from app.jobs.outages import OutageLog
from app.object_store.bucket import Bucket, retrying
from app.object_store.cache import DiskTooFull, HostCache
from app.object_store.errors import Corrupted, NotStored, StoreAway

logger = logging.getLogger("yolo.storage")

CHECK_S = 5.0  # between two reads of the row while the store is unavailable


class WorkerExchange:
    """The exchange of a work-horse.

    Args:
        bucket: of this installation. data: this worker's own data folder. cache: of dataset versions on this host.
        tidy: removes what a killed attempt left in the data folder.
        pushed: called with a job's id when new files of it are stored.
    """

    def __init__(
        self,
        app: Flask,
        bucket: Callable[[], Bucket],
        data: Path,
        cache: HostCache,
        tidy: Callable[[], object],
        pushed: Callable[[int], object],
    ) -> None:
        self.app, self.data, self.cache, self.pushed = app, data, cache, pushed
        self.tidy = tidy
        self.open_bucket = bucket
        self.current: AttemptFiles = SharedFiles()

    @property
    def bucket(self) -> Bucket:
        return self.open_bucket()

    def of_attempt(self, job: Job, kind: JobKind, row: AttemptRow) -> AttemptFiles:
        if kind.files is None:
            return SharedFiles()
        self.current = WorkerFiles(self, job, kind.files(job), row)
        return self.current

    def deliver(self) -> None:
        """Deliver what this process's attempt has written."""
        self.current.deliver()

    def receive_last(self, job: Job, check: Callable[[], object]) -> None:
        """Nothing to receive: a worker supervises only its own attempts."""


class WorkerFiles:
    """The files of one attempt.

    Args:
        files: what the child reads and writes.
    """

    def __init__(self, exchange: WorkerExchange, job: Job, files: JobFiles, row: AttemptRow) -> None:
        job_id, prefix = job.id, attempt_prefix(job.token, job.attempt)
        self.data, self.row, self.roots = exchange.data, row, files.outputs

        def log_outage(error: StoreAway, pause: float) -> None:
            logger.warning("job %s: the store is unavailable, next attempt in %.0f s: %s", job_id, pause, error)

        self.outages = OutageLog(log_outage)
        self.outputs = OutputUpload(
            exchange.open_bucket,
            exchange.data,
            job_id,
            prefix,
            files.outputs,
            lambda: exchange.pushed(job_id),
            self.outages,
        )
        self.inputs = InputFetch(exchange, files, prefix, row, self.outputs)
        self._started = False  # whether there is a child
        self._checked_at = 0.0

    def fetch(self) -> Sequence[int]:
        try:
            retrying(self.inputs.fetch, self.inputs.check_startable, self.outages.note)
        except DiskTooFull as error:
            raise CannotStart("disk_full", str(error)) from error
        except (NotStored, Corrupted) as error:
            raise CannotStart("killed", f"the files of the job cannot be fetched: {error}") from error
        return [lock.handle for lock in self.inputs.locks if lock.handle is not None]

    def begin(self) -> None:
        self._started = True
        self.outputs.start()

    def deliver(self) -> None:
        if self._started:
            self.outputs.deliver(self.check_mine)

    def check_mine(self) -> None:
        """
        Raises:
            Superseded: the job has another attempt.
        """
        if time.monotonic() - self._checked_at < CHECK_S:
            return
        self._checked_at = time.monotonic()
        try:
            self.row.present()
        except DATABASE_UNAVAILABLE:
            pass
        finally:
            db.session.rollback()

    def close(self) -> None:
        self.stop()
        if not self._started:
            return
        try:
            self.outputs.push(last=True)
        except StoreAway as error:
            self.outages.note(error, 0.0)
        for name in self.roots:
            path = self.data / name
            if path.is_file():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path, ignore_errors=True)

    def stop(self) -> None:
        self.outputs.stop()
        self.inputs.release()


def bucket_of(bucket: Bucket, identity: Callable[[], str]) -> Callable[[], Bucket]:
    """The installation's own part of a bucket, which several may share.

    Args:
        identity: returns its id; called once.
    """
    cached: list[Any] = []

    def get() -> Bucket:
        if not cached:
            cached.append(bucket.below(identity()))
        part: Bucket = cached[0]
        return part

    return get
