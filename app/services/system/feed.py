"""The figures for who asks, and every two seconds for who is in the room; while nobody is, nobody looks."""

import logging
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from app import notify, problems
from app.extensions import db, socketio
from app.services import system
from app.threads import off_loop

if TYPE_CHECKING:
    from app.jobs import JobService
    from app.services.estimate import EstimateService
    from app.services.trainer import TrainingService

logger = logging.getLogger("yolo.system")

EVERY_S = 2.0


class SystemFeed:
    """One for the application.

    Args:
        trainer: knows which training holds which device.
        estimates: knows where an estimate is being measured.
    """

    def __init__(self, trainer: "TrainingService", estimates: "EstimateService", jobs: "JobService") -> None:
        self.trainer, self.estimates, self.jobs = trainer, estimates, jobs
        self._looking = Lock()
        self._state = Lock()  # never held while something waits
        self._going = False

    def figures(self) -> dict[str, Any]:
        """As GET /api/system has them.

        Raises:
            NotFound: METRICS_ENABLED is off.
        """
        system.refuse_if_off()
        with self._looking:
            seen = off_loop(system.machine, Path(current_app.config["DATA_ROOT"]))
        dispatcher = self.trainer.dispatcher
        busy = dict(dispatcher.busy) if dispatcher else {}
        return system.figures(seen, busy, list(self.estimates.measuring)) | {"jobs": self.jobs.active()}

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
            notify.to_system("system_update", self.figures())
        except Exception as error:
            failure = error
            db.session.rollback()
            logger.warning("no figures of the system", exc_info=error)
            notify.to_system_readers("system_error", lambda: problems.told(failure))
