"""The job that draws the sample dataset."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from app.core.programs import SampleSpec
from app.errors import Unavailable
from app.jobs import Job, JobKind, JobService, JobStatus
from app.services.storage import StorageService

KIND = "draw_sample"
LIMIT_S = 120.0


class SampleDrawing:
    """Has the sample's ZIP drawn.

    Args:
        storage: where the ZIP lies until it is imported.
    """

    def __init__(self, storage: StorageService, jobs: JobService) -> None:
        self.storage, self.jobs = storage, jobs
        jobs.register(JobKind(KIND, "sample", self.spec, self.collect, limit_s=LIMIT_S, lasts=False))

    @contextmanager
    def drawn(self) -> Iterator[Path]:
        """The ZIP, which is gone afterwards.

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

    def spec(self, _job: Job, directory: Path) -> Mapping[str, Any]:
        return SampleSpec(str(directory / "sample.zip")).values()

    def collect(self, job: Job, result: dict[str, Any], directory: Path) -> dict[str, Any]:
        """Put it where it is waited for."""
        os.replace(directory / "sample.zip", job.params["output"])
        return {}
