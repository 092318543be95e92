"""Making a training from a request."""

import logging
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from app.database import writing
from app.errors import Conflict, Unprocessable
from app.models import Dataset, DatasetStatus, Training, TrainingStatus
from app.services.dispatch import gpus, known
from app.services.trainer import params
from app.services.trainer.base import TrainingBase
from app.services.trainer.messages import status_message

logger = logging.getLogger("yolo.training")


class TrainingCreation(TrainingBase):
    """New trainings."""

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
            )
            row.total_epochs = row.epochs
            session.add(row)
            session.flush()
            messages = [status_message(row)]
        logger.info("training %s created", row.id)
        self.send(messages)
        self.start_training(row.id)
        return row


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
