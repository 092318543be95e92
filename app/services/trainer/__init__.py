"""TrainingService: creates, starts, stops and follows trainings."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from flask_babel import gettext as _
from sqlalchemy import select

from app import notify
from app.database import writing
from app.errors import Conflict, IllegalTransition, Unprocessable
from app.events import Failed
from app.extensions import db, socketio
from app.models import Dataset, DatasetStatus, Training, TrainingStatus, now
from app.services.dispatch import CPU, Claim, Dispatcher, gpus, known
from app.services.process import Child
from app.services.trainer import params, present
from app.services.trainer.apply import Message, end, message, remember_child
from app.services.trainer.files import TrainingFiles, missing
from app.services.trainer.launch import environment, recall, spec
from app.services.trainer.supervise import Supervisor

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.training")


class TrainingService(TrainingFiles):
    """The life of a training, from its row to its weights.

    `active_trainings` maps the id of each training that runs now to its supervisor, None while it starts.
    """

    def __init__(self, storage_service: "StorageService") -> None:
        super().__init__(storage_service)
        self.active_trainings: dict[int, Supervisor | None] = {}
        self.dispatcher: Dispatcher | None = None
        self._app: Flask | None = None

    # Requests.

    def create(self, values: dict[str, Any]) -> Training:
        """Make a training and queue it. `values` as TrainingIn loads them.

        Raises:
            Unprocessable: no such dataset, a parameter that does not fit, a device that is not here.
            Conflict: the dataset is not valid.
        """
        config = current_app.config
        given = params.checked(values["params"])
        if not known(given.get("device", "auto"), gpus(config["CUDA_VISIBLE_DEVICES"])):
            problem = _("This machine has no such GPU.")
            raise Unprocessable(problem, [{"field": "params.device", "message": problem}])
        given, rate = params.with_optimizer(given, values.get("learning_rate"))
        version = values.get("model_version") or Path(config["DEFAULT_MODEL"]).stem[-1]
        with writing() as session:
            dataset = usable(session.get(Dataset, values["dataset_id"]))
            row = Training(
                name=values.get("name") or f"{dataset.name[:80]} YOLOv8{version}",
                dataset_id=dataset.id,
                model_version=version,
                epochs=values.get("epochs", config["DEFAULT_EPOCHS"]),
                batch_size=values.get("batch_size", config["DEFAULT_BATCH_SIZE"]),
                img_size=values.get("img_size", config["DEFAULT_IMG_SIZE"]),
                learning_rate=rate,
                params=given,
                status=TrainingStatus.PENDING,
                seq=1,
            )
            row.total_epochs = row.epochs
            session.add(row)
        logger.info("training %s created", row.id)
        self.send_status(row.id)
        self.start_training(row.id)
        return row

    def start_training(self, training_id: int) -> None:
        """Let the queue look at it now; it starts as soon as its device is free."""
        self._row(training_id)
        if self.dispatcher is not None:
            self.dispatcher.wake()

    def cancel_training(self, training_id: int) -> str:
        """Stop it: at once when it waits, within a batch when it runs. Returns the status now.

        Raises:
            NotFound: no such training. IllegalTransition: it has ended.
        """
        with writing() as session:
            row = session.get(Training, training_id, with_for_update=True)
            if row is None:
                raise missing(training_id)
            if TrainingStatus(row.status).ended:
                raise IllegalTransition(row.status, TrainingStatus.CANCELLED)
            row.stop_requested = True
            messages = []
            if row.status == TrainingStatus.PENDING:
                row.become(TrainingStatus.CANCELLED)
                row.end_time = now()
                row.progress = {"stage": "cancelled"}
                messages.append(message("training_cancelled", row, downloadable=False))
            messages.append(message("training_status", row))
            status = str(row.status)
        logger.info("training %s: stop requested", training_id)
        self.send(messages)
        return status

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

    def metrics(self, training_id: int) -> dict[str, Any]:
        """Every epoch so far, as MetricsOut takes them."""
        self._row(training_id)
        return {"epochs": present.metrics(training_id)}

    def snapshot(self, training_id: int) -> dict[str, Any]:
        """Everything that a page needs to go on from live messages: those with a number up to `seq` are in it."""
        training = self.get_training_status(training_id)
        text, offset = self.log(training_id, None)
        return {
            "seq": training["seq"],
            "training": present.as_json(training),
            "metrics": present.metrics_as_json(training_id),
            "log": {"text": text, "offset": offset},
        }

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

    # Telling.

    def send(self, messages: list[Message]) -> None:
        """To the browsers, after the commit. Each `training_status` gets the training as it is now."""
        for item in messages:
            payload = item.payload
            if item.event == "training_status":
                found = present.one(payload["training_id"], self.models)
                if found is None:
                    continue
                payload = payload | {"training": present.as_json(found)}
            notify.to_training(item.event, payload["training_id"], payload)

    def send_status(self, training_id: int) -> None:
        """Tell the present state, whose number was committed before."""
        found = present.one(training_id, self.models)
        if found is not None:
            payload = {"seq": found["seq"], "training": present.as_json(found)}
            notify.to_training("training_status", training_id, payload)

    def _running_app(self) -> Flask:
        if self._app is None:
            raise RuntimeError("reconcile() comes first")
        return self._app


def usable(dataset: Dataset | None) -> Dataset:
    """A dataset that can be trained on."""
    if dataset is None:
        problem = _("There is no such dataset.")
        raise Unprocessable(problem, [{"field": "dataset_id", "message": problem}])
    if dataset.status == DatasetStatus.INVALID:
        raise Conflict(_("The dataset “%(name)s” is not valid. Read its findings, correct it and upload it again.",
                         name=dataset.name))  # fmt: skip
    if dataset.status != DatasetStatus.VALID:
        raise Conflict(_("The dataset “%(name)s” is still being checked. Start again when it is valid.",
                         name=dataset.name))  # fmt: skip
    return dataset
