"""Sends the figures on request, and every two seconds to their room while it has members."""

import logging
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask

from app import notify, problems
from app.access.principal import Principal, current
from app.access.private import is_limited, visible_ids, visible_to
from app.config import settings
from app.extensions import db, socketio
from app.jobs.devices import Use
from app.models import Training
from app.schemas.jobs import JobOut
from app.schemas.system import WorkerOut
from app.services import system
from app.services.system.database import QueryTimes
from app.services.system.read_models import DeviceView, ProcessView, SystemFigures
from app.services.system.workers import present_workers
from app.threads import run_blocking

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.system")

EVERY_S = 2.0
WAITING = 50  # listed waiting jobs


class SystemFeed:
    """One per application.

    Args:
        trainer: has the devices of running trainings.
        jobs: the running and waiting ones, and the devices of measurements.
        queries: the times of the latest ones.
    """

    def __init__(self, trainer: "TrainingService", jobs: "JobService", queries: QueryTimes) -> None:
        self.trainer, self.jobs, self.queries = trainer, jobs, queries
        self._looking = Lock()
        self._state = Lock()  # never held while waiting
        self._going = False
        self._watchers: dict[str, Principal | None] = {}

    def figures(self) -> SystemFigures:
        """The figures for GET /api/system.

        Raises:
            NotFound: METRICS_ENABLED is off.
        """
        system.refuse_if_off()
        with self._looking:
            machine = run_blocking(system.machine, settings().DATA_ROOT)
        busy = self.trainer.jobs.devices()
        measuring = [item.devices[0] for item in self.jobs.devices.read() if item.use == Use.MEASURE]
        jobs = self.jobs.views(self.jobs.active(waiting=WAITING))
        values: SystemFigures = {**system.figures(machine, busy, measuring, self.queries), "jobs": jobs}
        if settings().DISPATCH == "rq":
            values["workers"] = present_workers()
        return visible_part(values) if is_limited(current()) else values

    def as_json(self) -> dict[str, object]:
        """The figures as JSON of a message."""
        figures = self.figures()
        message: dict[str, object] = {**figures, "jobs": [JobOut().dump(job) for job in figures["jobs"]]}
        if "workers" in figures:
            message["workers"] = [WorkerOut().dump(worker) for worker in figures["workers"]]
        return message

    def start(self, app: Flask, room: str = notify.SYSTEM, principal: Principal | None = None) -> None:
        """Start publishing to a room, unless that is running.

        Args:
            room: for everyone, or for what `principal` may see.
        """
        with self._state:
            if room != notify.SYSTEM:
                self._watchers[room] = principal
            if self._going:
                return
            self._going = True
        socketio.start_background_task(self.run, app)

    def run(self, app: Flask) -> None:
        """Publish repeatedly. The body of a background task that ends with the room's last member."""
        socketio.sleep(EVERY_S)
        while self.has_readers():
            with app.app_context():
                self.publish()
            socketio.sleep(EVERY_S)

    def has_readers(self) -> bool:
        """Whether a room has members. A client that joins after a False starts the task again."""
        with self._state:
            here = {room: who for room, who in self._watchers.items() if notify.anyone_in([room], here=True)}
            self._watchers = here
            self._going = bool(here) or notify.anyone_in([notify.SYSTEM], here=True)
            return self._going

    def publish(self) -> None:
        """Measure once for everyone, and with PRIVATE_DATA once for each reader."""
        if not self._watchers or notify.anyone_in([notify.SYSTEM], here=True):
            self.publish_to(notify.SYSTEM)
        for room, principal in list(self._watchers.items()):
            with visible_to(principal):
                self.publish_to(room)

    def publish_to(self, room: str) -> None:
        """Send the figures to a room; an error in each reader's language."""
        try:
            notify.to_system("system_update", self.as_json(), room)
        except Exception as error:
            failure = error
            db.session.rollback()
            logger.warning("the figures of the system could not be sent", exc_info=error)
            notify.to_system_readers("system_error", lambda: problems.problem_summary(failure), room)


def visible_part(figures: SystemFigures) -> SystemFigures:
    """Without trainings that the current person may not see; jobs are already filtered."""
    named = {training["id"] for device in figures["devices"] for training in device["trainings"]}
    named |= {process["training_id"] for process in figures["processes"] if process["training_id"] is not None}
    visible = visible_ids(Training, named)
    devices: list[DeviceView] = [
        {**device, "trainings": [training for training in device["trainings"] if training["id"] in visible]}
        for device in figures["devices"]
    ]
    processes: list[ProcessView] = [
        {**process, "training_id": process["training_id"] if process["training_id"] in visible else None}
        for process in figures["processes"]
    ]
    part: SystemFigures = {**figures, "devices": devices, "processes": processes}
    if "workers" in figures:
        jobs = {job["id"] for job in figures["jobs"]}
        part["workers"] = [
            {**worker, "job_id": worker["job_id"] if worker["job_id"] in jobs else None}
            for worker in figures["workers"]
        ]
    return part
