"""Runs measurements as jobs, at most one per device."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from app.config import settings
from app.core.estimate import STAGES, EstimateResult, EstimateSpec
from app.core.failure import JobFailure
from app.database import writing
from app.events import Failed
from app.extensions import db
from app.jobs import Job, JobKind, JobStatus
from app.jobs.devices import Use
from app.jobs.files import DatasetFiles, JobFiles
from app.models import Estimate, now
from app.services.estimate.figures import LONGEST_S
from app.services.estimate.request import EstimateRequest
from app.services.trainer.job_files import dataset_files
from app.services.trainer.launch import environment

if TYPE_CHECKING:
    from app.jobs import JobService

logger = logging.getLogger("yolo.estimate")

KIND = "estimate"
PLANNED_S = 18.0  # an entire measurement, on a machine that is fast enough
# How long a failure is retained for the client that polls; after that, or once it was reported, the next request
# measures again.
FAILURE_LIFETIME_S = 30.0
AT_ONCE = 64  # limited by the devices


class Measurements:
    """The jobs of the kind `estimate`: one at a time per device.

    `params` of a job: `key` of the configuration, `devices`, and the `spec` of its program.
    """

    def __init__(self, jobs: "JobService") -> None:
        self.jobs = jobs
        kind = JobKind(
            KIND,
            "estimate",
            self.spec,
            self.collect,
            at_once=AT_ONCE,
            limit_s=LONGEST_S,
            environment=lambda job: environment(tuple(job.devices or ()), settings()),
            use=Use.MEASURE,
            request=requested_devices,
            stages=STAGES,
            memory_limit=True,
            again=smaller,
            files=self.files,
        )
        jobs.register(kind)

    def begin(self, request: EstimateRequest) -> Job:
        """Submit the measurement of a configuration."""
        spec = EstimateSpec(request.spec, PLANNED_S).values()
        configuration = {"key": request.key, "revision": request.configuration.revision}
        params = {**configuration, "devices": list(request.devices[:1]), "spec": spec}
        return self.jobs.submit(KIND, params, ("dataset", request.configuration.dataset_id))

    def going_on(self, device: str) -> Job | None:
        """The running measurement on a device, otherwise the waiting one."""
        unfinished = Job.status.in_([JobStatus.RUNNING, JobStatus.PENDING])
        rows = db.session.scalars(select(Job).where(Job.kind == KIND, unfinished).order_by(Job.status.desc(), Job.id))
        return next((row for row in rows if row.params["devices"] == [device]), None)

    def pop_failure(self, request: EstimateRequest) -> tuple[str, str] | None:
        """Code and error of a measurement that has just failed or was stopped; returned once."""
        without = Job.status.in_([JobStatus.FAILED, JobStatus.CANCELLED])
        recent = Job.ended_at > now() - timedelta(seconds=FAILURE_LIFETIME_S)
        about = (Job.kind == KIND, Job.subject_id == request.configuration.dataset_id)
        rows = db.session.scalars(select(Job).where(*about, without, recent).order_by(Job.id.desc()))
        ended = next((row for row in rows if row.params["key"] == request.key), None)
        if ended is None:
            return None
        failure: JobFailure = ended.error or {"code": "cancelled"}
        if failure.get("returned"):
            return None
        with writing() as session:
            session.get_one(Job, ended.id).error = {**failure, "returned": True}
        return failure["code"], failure.get("message", "")

    # Callbacks of the kind.

    def spec(self, job: Job, directory: Path) -> Mapping[str, object]:
        spec = job.params["spec"] | {"training_dir": str(directory / "run")}
        if settings().STORAGE_URL:  # the paths in the request are those of another machine
            folder = settings().DATA_ROOT / self.dataset(job).folder
            spec |= {"data": str(folder / "dataset.yaml"), "weights_dir": str(settings().WEIGHTS_DIR)}
        return spec

    def dataset(self, job: Job) -> DatasetFiles:
        return dataset_files(db.session, job.subject_id or 0, job.params.get("revision"))

    def files(self, job: Job) -> JobFiles:
        """For workers without a shared volume."""
        return JobFiles(self.dataset(job))

    def collect(self, job: Job, result: EstimateResult, _directory: Path) -> Mapping[str, object]:
        """Store the measurement, from which the next request is answered."""
        key = job.params["key"]
        with writing() as session:
            session.merge(Estimate(key=key, figures=result, created_at=now()))
        logger.info("estimated: %s", result)
        return result


def requested_devices(params: Mapping[str, object]) -> tuple[str, ...]:
    """The devices that a job's params name.

    Raises:
        TypeError: they are no list.
    """
    devices = params["devices"]
    if not isinstance(devices, list):
        raise TypeError("no list of devices")
    return tuple(devices)


def smaller(job: Job, failure: Failed) -> Mapping[str, object] | None:
    """The params with half the batch, if memory ran out so suddenly that the program could not halve it itself."""
    half = EstimateSpec.of(job.params["spec"]).halved() if failure.kind == "out_of_memory" else None
    return None if half is None else job.params | {"spec": half.values()}
