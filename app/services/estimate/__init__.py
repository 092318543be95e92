"""Estimates a training's time, memory and disk from a few real batches on its device before it starts."""

from datetime import timedelta
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from app.config import settings
from app.core.estimate import EstimateResult
from app.errors import AppError
from app.extensions import db
from app.jobs import Job, JobStatus
from app.jobs.devices import Use
from app.jobs.disk import free_disk
from app.models import Dataset, Estimate, Training, now
from app.schemas.estimate import EstimateOutValues
from app.schemas.trainings import TrainingInValues
from app.services.estimate.answers import behind_another, under_way
from app.services.estimate.figures import history, measured, reason, unavailable
from app.services.estimate.measuring import PLANNED_S, Measurements
from app.services.estimate.request import EstimateRequest, describe
from app.services.trainer.create import columns

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.storage import StorageService

RETENTION = timedelta(days=30)


class EstimateService:
    """Answers from the table `estimate`, and starts missing measurements, one at a time on each device.

    Args:
        jobs: runs the measurements, and has the devices in use.
        storage: where datasets have their images.
    """

    def __init__(self, jobs: "JobService", storage: "StorageService") -> None:
        self.jobs, self.storage, self.measurements = jobs, storage, Measurements(jobs)

    def estimate(self, values: TrainingInValues) -> EstimateOutValues:
        """The estimate, or the progress of its measurement; `values` as TrainingIn loads them.

        Raises:
            AppError: what creating this training would raise.
        """
        request = self.check(values)
        device = request.devices[0]
        # before the table is read: a measurement that ends meanwhile is then in the table
        going_on = self.measurements.going_on(device)
        figures = self.figures(request)
        if figures is not None:
            return measured(request, figures)
        in_use = self.jobs.devices.used(request.devices, Use.WORK)
        if going_on is not None and in_use and going_on.status == JobStatus.PENDING:
            self.withdraw(going_on)
        elif going_on is not None:
            return self.progress(going_on, request)
        if in_use:
            return history(request) or unavailable(
                _("A run is using the device, and no previous run has the same configuration.")
            )
        if failure := self.measurements.pop_failure(request):
            return unavailable(reason(*failure))
        if free_disk(self.jobs.root) < settings().DISK_RESERVE:
            return unavailable(_("Not enough disk space for a trial run (DISK_RESERVE). Free some space."))
        return self.progress(self.measurements.begin(request), request)

    def progress(self, job: Job, request: EstimateRequest) -> EstimateOutValues:
        """The progress of a measurement, for the pages that show its configuration."""
        if job.params["key"] != request.key:
            return behind_another(request.devices[0])
        return under_way(request.devices[0], self.jobs.live.meters.get(job.id), PLANNED_S)

    def withdraw(self, job: Job) -> None:
        """End a measurement that a training has overtaken; does not wait for its end."""
        try:
            self.jobs.stop(job.id)
        except AppError:  # it has already ended
            return

    def cached(self, values: TrainingInValues) -> EstimateOutValues | None:
        """The stored estimate, without measuring anything; None: there is none.

        Raises:
            AppError: what creating this training would raise.
        """
        request = self.check(values)
        figures = self.figures(request)
        return history(request) if figures is None else measured(request, figures)

    def cached_seconds(self, values: TrainingInValues) -> float | None:
        """The stored duration of the run; None also if such a run could not be created."""
        try:
            answer = self.cached(values)
        except AppError:
            return None
        return answer.get("seconds") if answer else None

    def figures(self, request: EstimateRequest) -> EstimateResult | None:
        """The measurements of this configuration."""
        row = db.session.get(Estimate, request.key)
        return row.figures if row is not None and row.created_at > now() - RETENTION else None

    def check(self, values: TrainingInValues) -> EstimateRequest:
        """Validate a request as creating the training would; nothing is stored."""
        with db.session.no_autoflush:
            row = Training(**columns(db.session, self.storage, values), extensions=[])
            return describe(row, db.session.get_one(Dataset, row.dataset_id))
