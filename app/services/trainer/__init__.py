"""TrainingService: creates, starts, stops and follows trainings."""

import logging
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from sqlalchemy import select

from app.events import Failed
from app.extensions import db, socketio
from app.models import Training, TrainingStatus, now
from app.services.dispatch import CPU, Claim, Dispatcher, gpus
from app.services.process import Child
from app.services.trainer import present
from app.services.trainer.actions import TrainingActions
from app.services.trainer.apply import end, remember_child
from app.services.trainer.base import missing
from app.services.trainer.create import TrainingCreation
from app.services.trainer.files import TrainingFiles
from app.services.trainer.following import TrainingFollowing
from app.services.trainer.launch import environment, recall, spec
from app.services.trainer.supervise import Supervisor

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.training")


class TrainingService(TrainingCreation, TrainingActions, TrainingFiles, TrainingFollowing):
    """The life of a training, from its row to its weights.

    `active_trainings` maps the id of each training that runs now to its supervisor, None while it starts.
    """

    def __init__(self, storage_service: "StorageService") -> None:
        super().__init__(storage_service)
        self.active_trainings: dict[int, Supervisor | None] = {}
        self._app: Flask | None = None

    # Reading.

    def get_training_status(self, training_id: int) -> dict[str, Any]:
        """The training as TrainingOut takes it.

        Raises:
            NotFound: no such training.
        """
        found = present.one(training_id, self.models)
        if found is None:
            raise missing(training_id)
        return found

    def list_active_trainings(self) -> list[dict[str, Any]]:
        """What runs, then what waits, as TrainingOut takes them."""
        return present.active(self.models)

    def list_trainings(self, query: dict[str, Any]) -> dict[str, Any]:
        """A page of trainings; `query` as TrainingQuery loads it."""
        return present.page(query, self.models)

    # Running.

    def reconcile(self) -> None:
        """At the server's start: follow what still runs, finish what ended meanwhile, then open the queue."""
        app = self._app = current_app._get_current_object()  # type: ignore[attr-defined]
        dispatcher = self.dispatcher = Dispatcher(gpus(app.config["CUDA_VISIBLE_DEVICES"]), self._start)
        for row in self._running_rows():
            directory = self.attempt_dir(row.id, row.attempt)
            child, devices = recall("train", directory, row.pid, row.pid_started)
            dispatcher.hold(row.id, devices)
            logger.info("training %s: following process %s again", row.id, child.pid)
            self._follow(row.id, row.attempt, child, row.event_offset)
        dispatcher.begin(app)

    def _running_rows(self) -> list[Training]:
        table = Training.__table__.c  # not the class: setting up the mappers would delay the server's first answer
        found = db.session.scalars(select(table.id).where(table.status == TrainingStatus.RUNNING)).all()
        return [db.session.get_one(Training, training_id) for training_id in found]

    def close(self) -> None:
        """Start nothing any more; what runs goes on."""
        if self.dispatcher is not None:
            self.dispatcher.closed = True
            self.dispatcher.wake()

    def cleanup_training(self, training_id: int) -> None:
        """Forget what was held for a training that has ended; its device is free again."""
        self.active_trainings.pop(training_id, None)
        if self.dispatcher is not None:
            self.dispatcher.release(training_id)

    def _start(self, claim: Claim) -> None:
        self.active_trainings[claim.training_id] = None
        socketio.start_background_task(self._run_training, claim.training_id, claim.attempt, claim.devices)

    def _run_training(self, training_id: int, attempt: int = 1, devices: tuple[str, ...] = (CPU,)) -> None:
        """Start the child of a claimed training; a background task."""
        app = self._running_app()
        try:
            with app.app_context():
                self.send_status(training_id)
                row = self._row(training_id)
                values = spec(row, self.folder(training_id), devices, app.config)
                directory = self.attempt_dir(training_id, attempt)
                db.session.remove()  # no transaction stays open while the process starts
                child = Child.start("train", directory, values, environment(devices, app.config))
                remember_child(training_id, attempt, child.pid, child.started)
        except Exception as error:
            logger.exception("training %s: start", training_id)
            with app.app_context():
                kind = "disk_full" if isinstance(error, OSError) and error.errno == 28 else "code"
                self.send(end(training_id, attempt, Failed(kind, f"the process cannot be started: {error}"), now()))
            self.cleanup_training(training_id)
            return
        logger.info("training %s: attempt %s is process %s", training_id, attempt, child.pid)
        self._supervise(training_id, attempt, child, 0)

    def _follow(self, training_id: int, attempt: int, child: Child, offset: int) -> None:
        self.active_trainings[training_id] = None
        socketio.start_background_task(self._supervise, training_id, attempt, child, offset)

    def _supervise(self, training_id: int, attempt: int, child: Child, offset: int) -> None:
        supervisor = Supervisor(self._running_app(), training_id, attempt, child, offset, self.send)
        self.active_trainings[training_id] = supervisor
        supervisor.run()
        logger.info("training %s: process %s is gone", training_id, child.pid)
        self.cleanup_training(training_id)

    def _running_app(self) -> Flask:
        if self._app is None:
            raise RuntimeError("reconcile() comes first")
        return self._app
