"""The job that draws the sample dataset."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flask_babel import gettext as _

from app.core.file_lock import FileLock
from app.core.programs import SampleResult, SampleSpec
from app.errors import Unavailable
from app.extensions import db, socketio
from app.jobs import Job, JobKind, JobService, JobStatus
from app.services.storage import StorageService

KIND = "draw_sample"
LIMIT_S = 120.0
POLL_INTERVAL_S = 0.1  # between two checks while another request draws the sample


class SampleDrawing:
    """Draws the sample's ZIP.

    Args:
        storage: of the ZIP until it is imported.
    """

    def __init__(self, storage: StorageService, jobs: JobService) -> None:
        self.storage, self.jobs = storage, jobs
        jobs.register(JobKind(KIND, "sample", self.spec, self.collect, limit_s=LIMIT_S, lasts=False))

    @contextmanager
    def alone(self) -> Iterator[datetime | None]:
        """Lock the drawing of the sample: one request at a time, across all web processes on this data folder.

        Yields the start time of the request that this one has waited for, if any.

        Raises:
            Unavailable: the wait took too long.
        """
        lock, end, began = FileLock(self.storage.data_root / "sample.lock"), time.monotonic() + 2 * LIMIT_S, None
        while not lock.acquire():
            began = began or lock.path.stat().st_mtime
            if time.monotonic() > end:
                raise Unavailable(_("The sample dataset couldn't be created. See the server log for details."))
            socketio.sleep(POLL_INTERVAL_S)
        try:
            db.session.rollback()  # an open transaction does not see the other request's rows
            if began is None:
                now = time.time()
                os.utime(lock.path, (now, now))
            yield None if began is None else datetime.fromtimestamp(began, UTC)
        finally:
            lock.release()

    @contextmanager
    def drawn(self) -> Iterator[Path]:
        """The ZIP of the sample, removed at the end of the block.

        Raises:
            Unavailable: it could not be drawn.
        """
        folder = self.storage.new_tmp()
        folder.mkdir(parents=True)
        try:
            job = self.jobs.wait(self.jobs.submit(KIND, {"output": str(folder / "sample.zip")}).id, 2 * LIMIT_S)
            if job.status != JobStatus.COMPLETED:
                raise Unavailable(_("The sample dataset couldn't be created. See the server log for details."))
            yield folder / "sample.zip"
        finally:
            self.storage.remove(folder)

    def spec(self, _job: Job, directory: Path) -> Mapping[str, object]:
        return SampleSpec(str(directory / "sample.zip")).values()

    def collect(self, job: Job, result: SampleResult, directory: Path) -> Mapping[str, object]:
        """Move the ZIP to where the request expects it."""
        os.replace(directory / "sample.zip", job.params["output"])
        return {}
