"""The best weights of a run that was stopped are evaluated as those of a completed one.

Behind the end: the stop has been answered and the row is what it is. The device stays taken meanwhile. Whoever resumes
or deletes the run ends the evaluation at once; a server that is restarted leaves the child alone, which ends by itself.
"""

import logging
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy.exc import OperationalError

from app.database import writing
from app.extensions import db, socketio
from app.jobs.process import Child
from app.models import Training, TrainingStatus
from app.services.dispatch import Dispatcher, devices_for
from app.services.trainer.launch import environment, spec
from app.services.trainer.messages import Message, status_message

logger = logging.getLogger("yolo.training")

POLL_S = 0.5
LONGEST_S = 1800.0


class StoppedEvaluation:
    """One evaluation behind a stop.

    Args:
        app: for database sessions outside requests.
        training_id, folder: the training and its files.
        send: called with what was committed.
    """

    def __init__(self, app: Flask, training_id: int, folder: Path, send: Callable[[list[Message]], None]) -> None:
        self.app, self.training_id, self.folder, self.send = app, training_id, folder, send

    def when_free(self, dispatcher: Dispatcher) -> None:
        """Of a run that had no process when it was stopped: wait for the device that it would have, then evaluate."""
        with self.app.app_context():
            row = self.row()
            devices = devices_for(row.params.get("device", "auto"), dispatcher.gpus, {})[:1] if row else ()
            db.session.remove()
        while devices and any(device in held for held in dispatcher.busy.values() for device in devices):
            socketio.sleep(POLL_S)
        if not devices or self.training_id in dispatcher.busy:
            return
        dispatcher.hold(self.training_id, devices)
        try:
            self.run(devices)
        finally:
            dispatcher.release(self.training_id)

    def run(self, devices: tuple[str, ...]) -> None:
        """Until it is done, or not wanted any more. What goes wrong here is no matter of the run."""
        try:
            with self.app.app_context():
                child = self.start(devices[:1])
            if child is not None:
                self.watch(child)
                with self.app.app_context():
                    self.send(self.announce())
        except Exception:
            logger.exception("training %s: evaluation", self.training_id)

    def start(self, devices: tuple[str, ...]) -> Child | None:
        row = self.row()
        if row is None or not self.missing():
            return None
        values = spec(row, self.folder, devices, self.app.config) | {"resume": None}
        directory = self.folder / "attempts" / str(row.attempt) / "evaluation"
        db.session.remove()  # no transaction stays open while the process starts
        logger.info("training %s: evaluating its best weights", self.training_id)
        return Child.start("evaluate_best", directory, values, environment(devices, self.app.config))

    def row(self) -> Training | None:
        """The training, as long as it is one that was stopped."""
        row = db.session.get(Training, self.training_id)
        stopped = row is not None and row.status == TrainingStatus.CANCELLED and row.deleted_at is None
        return row if stopped else None

    def missing(self) -> bool:
        """Whether there are best weights that are newer than the evaluation."""
        best, done = self.folder / "run" / "weights" / "best.pt", self.folder / "evaluation" / "evaluation.json"
        return best.is_file() and (not done.is_file() or done.stat().st_mtime < best.stat().st_mtime)

    def watch(self, child: Child) -> None:
        until = time.monotonic() + LONGEST_S
        while child.alive():
            if time.monotonic() > until or not self.wanted():
                child.signal(signal.SIGKILL)
            socketio.sleep(POLL_S)
        if child.exit_code():
            logger.warning("training %s: no evaluation: %s", self.training_id, child.log_tail())
        child.sweep()
        shutil.rmtree(child.directory / "scratch", ignore_errors=True)

    def wanted(self) -> bool:
        try:
            with self.app.app_context():
                return self.row() is not None
        except OperationalError:  # asked again in a moment
            return True

    def announce(self) -> list[Message]:
        """The row shows from now on that there is an evaluation."""
        with writing() as session:
            row: Any = session.get(Training, self.training_id, with_for_update=True)
            return [status_message(row)] if row is not None else []
