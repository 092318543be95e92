"""Creates a training from a request."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from flask_babel import gettext as _
from sqlalchemy import select

from app.config import settings
from app.core.train import TrainingParams, TrainingStart
from app.database import writing
from app.errors import Conflict
from app.extensions import db
from app.jobs.devices import Pool
from app.jobs.scheduler import Scheduler
from app.jobs.workers import gpus_for_jobs
from app.models import Dataset, DatasetRevision, DatasetStatus, Training, TrainingStatus
from app.schemas.trainings import TrainingCreatedValues, TrainingInValues
from app.services import idempotency
from app.services.idempotency import RequestKey
from app.services.trainer import advise, choose, params
from app.services.trainer.architectures import SUFFIXES, architectures
from app.services.trainer.feed import TrainingFeed
from app.services.trainer.messages import status_message
from app.services.trainer.store import TrainingStore
from app.services.trainer.transitions import follow

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.training")


class UsedRevision(TypedDict):
    """The version of a dataset that a training uses, and its hash; None for a dataset without versions."""

    revision: int | None
    dataset_revision: str | None


class ConfigColumns(UsedRevision):
    """The columns that define a training."""

    name: str
    dataset_id: int
    model_version: str
    architecture: str | None
    task: str
    start: TrainingStart
    epochs: int
    total_epochs: int
    batch_size: int
    img_size: int
    learning_rate: float
    params: TrainingParams


class NewTraining(ConfigColumns):
    """The columns from a request."""

    priority: int
    start_not_before: datetime | None


class TrainingCreation:
    """Creates and queues new trainings.

    Args:
        store: of the folders of datasets and trainings.
        feed: sends messages to the browsers.
        scheduler: starts trainings as soon as their device is free.
    """

    def __init__(self, store: TrainingStore, feed: TrainingFeed, scheduler: Scheduler) -> None:
        self.store, self.feed, self.scheduler = store, feed, scheduler

    def create_once(
        self, values: TrainingInValues, key: RequestKey | None = None, cloned_from: int | None = None
    ) -> TrainingCreatedValues:
        """Call `create` once for each key; returns the response."""
        answer: TrainingCreatedValues = {
            "message": _("Training started"),
            "training_id": 0,
            "status": str(TrainingStatus.PENDING),
        }

        def within(session: Any, row: Training) -> None:
            row.cloned_from = cloned_from
            session.flush()
            answer["training_id"] = row.id
            idempotency.store_answer(session, key, answer)

        def work() -> TrainingCreatedValues:
            self.create(values, within)
            return answer

        return idempotency.run_idempotent(key, work)

    def create(self, values: TrainingInValues, within: Callable[[Any, Training], None] | None = None) -> Training:
        """Create and queue a training. `values` as loaded by TrainingIn.

        Args:
            within: called with the session and the new row, in the transaction.

        Raises:
            Unprocessable: there is no such dataset, a parameter is invalid, or the device does not exist here.
            Conflict: the dataset is not valid.
        """
        architectures()  # the first read yields to other clients, so it is done outside of the transaction
        with writing() as session:
            row = Training(**columns(session, self.store.storage, values), status=TrainingStatus.PENDING)
            session.add(row)
            session.flush()  # its number is needed
            follow(row)
            messages = [status_message(row)]
            if within is not None:
                within(session, row)
        logger.info("training %s created", row.id)
        self.feed.send(messages)
        self.scheduler.wake()
        return row

    def check(
        self, values: TrainingInValues, starts_from: Callable[[str, str], bool] = lambda _start, _model: True
    ) -> list[advise.RequestWarning]:
        """Warnings about a request for a training, as WarningOut. Nothing is created.

        Args:
            starts_from: whether a start ("auto", "scratch" …) of a model uses weights.

        Raises:
            Unprocessable: `create` would refuse it.
            Conflict: likewise.
        """
        architectures()
        row = columns(db.session, self.store.storage, values)
        model = row["architecture"] or f"yolov8{row['model_version']}{SUFFIXES.get(row['task'], '')}"
        scratch = not starts_from(row["start"]["kind"], model)
        requested: advise.RunValues = {
            "epochs": row["epochs"],
            "batch_size": row["batch_size"],
            "img_size": row["img_size"],
            "learning_rate": values.get("learning_rate"),
            "params": values["params"],
            "scratch": scratch,
        }
        dataset = db.session.get_one(Dataset, row["dataset_id"])
        return advise.check_request(requested, row["architecture"], row["model_version"], dataset)


def columns(session: Any, storage: "StorageService", values: TrainingInValues) -> NewTraining:
    """The request as columns of a training, complete and validated. Reads only.

    Args:
        storage: has the dataset's images.
        values: as TrainingIn loads them.

    Raises:
        Unprocessable: there is no such dataset, model, start or device, or a parameter is invalid.
        Conflict: the dataset is not valid.
    """
    config = settings()
    checked = params.check_params(values["params"])
    if not Pool(gpus_for_jobs(config)).has(checked.get("device", "auto")):
        raise choose.refuse("params.device", _("This machine doesn't have this GPU."))
    dataset = usable(session.get(Dataset, values["dataset_id"]))
    refuse_missing(storage, dataset)
    start: TrainingStart = values.get("start") or {"kind": "auto"}
    version, architecture, task = choose.model(values, dataset, choose.source(session, start))
    model = architecture or f"yolov8{version}"
    params.check_params(checked, task)
    choose.check_freeze(checked, model)
    checked, rate = params.with_optimizer(checked, values.get("learning_rate"))
    epochs = values.get("epochs", config.DEFAULT_EPOCHS)
    return {
        "name": values.get("name") or f"{dataset.name[:80]} {architecture or f'YOLOv8{version}'}"[:100],
        "dataset_id": dataset.id,
        **revision_of(session, dataset),
        "model_version": version,
        "architecture": architecture,
        "task": task,
        "start": start,
        "epochs": epochs,
        "total_epochs": epochs,
        "batch_size": values.get("batch_size", config.DEFAULT_BATCH_SIZE),
        "img_size": values.get("img_size", choose.CLASSIFY_SIZE if task == "classify" else config.DEFAULT_IMG_SIZE),
        "learning_rate": rate,
        "params": checked,
        "priority": values.get("priority", 0),
        "start_not_before": values.get("start_not_before"),
    }


def revision_of(session: Any, dataset: Dataset) -> UsedRevision:
    """The columns of the revision that a training uses: the current one; None for a dataset without revisions."""
    current = (DatasetRevision.dataset_id == dataset.id) & (DatasetRevision.number == dataset.revision)
    hash_of_version = session.scalar(select(DatasetRevision.hash).where(current)) if dataset.revision else None
    return {"revision": dataset.revision, "dataset_revision": hash_of_version}


def refuse_missing(storage: "StorageService", dataset: Dataset, number: int | None = None) -> None:
    """Check that the dataset's images are on the server.

    Args:
        number: of the revision; None: the current one.

    Raises:
        Conflict: the files that a training would read were removed from the server.
    """
    if not dataset.path or storage.has_images(dataset.id, number or dataset.revision):
        return
    raise Conflict(
        _(
            "The files of dataset “%(name)s” are missing on the server. Restore them, or upload the dataset again.",
            name=dataset.name,
        )
    )


def usable(dataset: Dataset | None) -> Dataset:
    """The dataset, if it can be used for training."""
    if dataset is None:
        raise choose.refuse("dataset_id", _("This dataset doesn't exist."))
    if dataset.status == DatasetStatus.INVALID:
        raise Conflict(
            _("The dataset “%(name)s” isn't valid. View its issues, correct it and upload it again.", name=dataset.name)
        )
    if dataset.status != DatasetStatus.VALID:
        raise Conflict(
            _(
                "The dataset check of “%(name)s” isn't finished. Start the run once the dataset is ready.",
                name=dataset.name,
            )
        )
    return dataset
