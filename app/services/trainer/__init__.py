"""TrainingService: creates, starts, stops and follows trainings."""

import logging
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.errors import Conflict
from app.events import Failed
from app.extensions import db, socketio
from app.jobs.process import Child
from app.models import Training, TrainingStatus, now
from app.services import about
from app.services.backup import start_backup
from app.services.datasets.described import mend_description
from app.services.dispatch import CPU, Claim, Dispatcher, Room, gpus
from app.services.trainer import compare, present, recover
from app.services.trainer.actions import TrainingActions
from app.services.trainer.apply import end, remember_child
from app.services.trainer.base import missing
from app.services.trainer.bundle import TrainingBundle
from app.services.trainer.create import refuse_missing
from app.services.trainer.files import TrainingFiles
from app.services.trainer.following import TrainingFollowing
from app.services.trainer.launch import environment, recall, spec
from app.services.trainer.stopped import StoppedEvaluation
from app.services.trainer.supervise import Supervisor
from app.services.trainer.views import TrainingViews

if TYPE_CHECKING:
    from app.services.revisions import RevisionHashes
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.training")


class TrainingService(TrainingActions, TrainingFiles, TrainingViews, TrainingBundle, TrainingFollowing):
    """The life of a training, from its row to its weights.

    `active_trainings` maps the id of each training that runs now to its supervisor, None while it starts.
    """

    def __init__(self, storage_service: "StorageService", revisions: "RevisionHashes") -> None:
        super().__init__(storage_service)
        self.revisions = revisions
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

    def filter_choices(self) -> dict[str, Any]:
        """What the list can be filtered by, as FilterChoices takes it."""
        return present.choices()

    def compare(self, ids: list[int]) -> dict[str, Any]:
        """Trainings side by side, as CompareOut takes them.

        Raises:
            NotFound: there is none of them.
        """
        return compare.compare(ids, self.models)

    # Running.

    def reconcile(self) -> None:
        """At the server's start: follow what still runs, finish what ended meanwhile, then open the queue."""
        app = self._app = current_app._get_current_object()  # type: ignore[attr-defined]
        present_gpus = gpus(app.config["CUDA_VISIBLE_DEVICES"])
        slots = app.config["TRAININGS_PER_GPU"]
        dispatcher = self.dispatcher = Dispatcher(present_gpus, self._start, self._let_go_on, self.send, slots)
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
            self.dispatcher.close()

    def cleanup_training(self, training_id: int) -> None:
        """Forget what was held for a training that has ended; its device is free again."""
        self.active_trainings.pop(training_id, None)
        if self.dispatcher is not None:
            self.dispatcher.release(training_id)

    def _let_go_on(self, room: Room) -> None:
        self.send(recover.after_disk(room))

    def _start(self, claim: Claim) -> None:
        self.active_trainings[claim.training_id] = None
        socketio.start_background_task(self._run_training, claim.training_id, claim.attempt, claim.devices)

    def _run_training(self, training_id: int, attempt: int = 1, devices: tuple[str, ...] = (CPU,)) -> None:
        """Start the child of a claimed training and watch it; a background task."""
        try:
            with self._running_app().app_context():
                child = self._start_child(training_id, attempt, devices)
        except Exception as error:
            logger.exception("training %s: start", training_id)
            self._not_started(training_id, attempt, error)
            return
        logger.info("training %s: attempt %s is process %s", training_id, attempt, child.pid)
        self._supervise(training_id, attempt, child, 0)

    def _start_child(self, training_id: int, attempt: int, devices: tuple[str, ...]) -> Child:
        config = self._running_app().config
        row = self._row(training_id)
        self.check_dataset(row)
        self.clear_way(row.id, attempt)
        values = spec(row, self.folder(training_id), devices, config)
        self.describe(row)
        db.session.remove()  # no transaction stays open while the process starts
        child = Child.start("train", self.attempt_dir(training_id, attempt), values, environment(devices, config))
        try:
            remember_child(training_id, attempt, child.pid, child.started)
        except OperationalError as error:  # it runs all the same; a later server finds it by its command line
            logger.warning("training %s: database: %s", training_id, error.orig)
        return child

    def check_dataset(self, row: Training) -> None:
        """
        Raises:
            Conflict: the files that it would read were removed from the server.
        """
        refuse_missing(row.dataset, row.revision)
        if mend_description(self.storage, row.dataset_id, row.revision):
            self.send(recover.note(row.id, "dataset_yaml_mended"))

    def clear_way(self, training_id: int, attempt: int) -> None:
        """No child starts in a folder that another one worked in: what that one said would be taken for its own."""
        taken = self.attempt_dir(training_id, attempt)
        if taken.exists():
            self.storage.set_aside(self.folder(training_id) if attempt == 1 else taken)

    def describe(self, row: Training) -> None:
        """Have the training's folder say what its row says, for a day without the database."""
        folder = self.folder(row.id)
        folder.mkdir(parents=True, exist_ok=True)
        about.write(folder, "training", row)

    def _not_started(self, training_id: int, attempt: int, error: Exception) -> None:
        kind = "disk_full" if isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT} else "code"
        why = Failed(kind, f"the process cannot be started: {error}")
        if isinstance(error, Conflict):
            why = Failed("files_missing", "")
        told = False
        while not told:
            try:
                with self._running_app().app_context():
                    self.send(end(training_id, attempt, why, now()))
                told = True
            except OperationalError:  # locked, or its disk is full: the row must not stay as if it ran
                socketio.sleep(2.0)
        self.cleanup_training(training_id)

    def _follow(self, training_id: int, attempt: int, child: Child, offset: int) -> None:
        self.active_trainings[training_id] = None
        socketio.start_background_task(self._supervise, training_id, attempt, child, offset)

    def _supervise(self, training_id: int, attempt: int, child: Child, offset: int) -> None:
        supervisor = Supervisor(self._running_app(), training_id, attempt, child, offset, self.send)
        self.active_trainings[training_id] = supervisor
        supervisor.run()
        logger.info("training %s: process %s is gone", training_id, child.pid)
        if self.dispatcher is not None:
            self._evaluation(training_id).run(self.dispatcher.busy.get(training_id, (CPU,)))
        self.cleanup_training(training_id)
        with self._running_app().app_context():
            if (row := db.session.get(Training, training_id)) is not None:
                self.describe(row)
            start_backup(training_id)

    def evaluate_stopped(self, training_id: int) -> None:
        """Of a run that had no process when it was stopped; a background task."""
        if self.dispatcher is not None:
            socketio.start_background_task(self._evaluation(training_id).when_free, self.dispatcher)

    def _evaluation(self, training_id: int) -> StoppedEvaluation:
        return StoppedEvaluation(self._running_app(), training_id, self.folder(training_id), self.send)

    def _running_app(self) -> Flask:
        if self._app is None:
            raise RuntimeError("reconcile() comes first")
        return self._app
