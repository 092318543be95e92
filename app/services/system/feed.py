"""The figures for who asks, and every two seconds for who is in the room; while nobody is, nobody looks."""

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import Flask

from app import notify, problems
from app.config import settings
from app.extensions import db, socketio
from app.jobs.devices import Use
from app.schemas.jobs import JobOut
from app.services import system
from app.services.system.read_models import Figures
from app.threads import off_loop

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.system")

EVERY_S = 2.0


class SystemFeed:
    """One for the application.

    Args:
        trainer: knows which training holds which device.
        jobs: what runs and waits, and where something is measured.
    """

    def __init__(self, trainer: "TrainingService", jobs: "JobService") -> None:
        self.trainer, self.jobs = trainer, jobs
        self._looking = Lock()
        self._state = Lock()  # never held while something waits
        self._going = False

    def figures(self) -> Figures:
        """As GET /api/system has them.

        Raises:
            NotFound: METRICS_ENABLED is off.
        """
        system.refuse_if_off()
        with self._looking:
            seen = off_loop(system.machine, settings().DATA_ROOT)
        busy = self.trainer.jobs.devices()
        measuring = [item.devices[0] for item in self.jobs.devices.read() if item.use == Use.MEASURE]
        return {**system.figures(seen, busy, measuring), "jobs": self.jobs.views(self.jobs.active())}

    def as_json(self) -> dict[str, Any]:
        """The same as a message can hold it."""
        figures = self.figures()
        return {**figures, "jobs": [JobOut().dump(job) for job in figures["jobs"]]}

    def start(self, app: Flask) -> None:
        """Someone has entered the room: tell it from now on, unless that is done already."""
        with self._state:
            if self._going:
                return
            self._going = True
        socketio.start_background_task(self.run, app)

    def run(self, app: Flask) -> None:
        """The loop; a background task that ends with the last one in the room."""
        socketio.sleep(EVERY_S)
        while self.wanted():
            with app.app_context():
                self.tell()
            socketio.sleep(EVERY_S)

    def wanted(self) -> bool:
        """Whether anyone is in the room. Who enters after a no finds that nothing is going."""
        with self._state:
            self._going = notify.anyone_in([notify.SYSTEM])
            return self._going

    def tell(self) -> None:
        """One look to everyone; what prevents it is said in each reader's language."""
        try:
            notify.to_system("system_update", self.as_json())
        except Exception as error:
            failure = error
            db.session.rollback()
            logger.warning("no figures of the system", exc_info=error)
            notify.to_system_readers("system_error", lambda: problems.problem_summary(failure))
