"""Sensible values for a new training, with reasons, and what is unusual about given ones. Rules only: nothing is
measured here (services/estimate does), and nothing is refused (create.py does)."""

from typing import Any

from flask import current_app

from app.errors import Unprocessable
from app.models import Dataset
from app.services.trainer import choose
from app.services.trainer.advise.check import check
from app.services.trainer.advise.facts import facts_of
from app.services.trainer.advise.presets import defaults
from app.services.trainer.architectures import architectures, find

__all__ = ["check_request", "defaults"]


def check_request(values: dict[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    """What is unusual about a request for a training on this dataset; `values` as TrainingIn loads them."""
    architectures()  # read the first time, which lets others be served
    return check(complete(values, dataset), version_of(values, dataset), facts_of(dataset))


def complete(values: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """The values that the rules look at, with the server's defaults in place of what is left out."""
    config = current_app.config
    size = choose.CLASSIFY_SIZE if dataset.task == "classify" else config["DEFAULT_IMG_SIZE"]
    return {
        "epochs": values.get("epochs", config["DEFAULT_EPOCHS"]),
        "batch_size": values.get("batch_size", config["DEFAULT_BATCH_SIZE"]),
        "img_size": values.get("img_size", size),
        "learning_rate": values.get("learning_rate"),
        "params": values["params"],
    }


def version_of(values: dict[str, Any], dataset: Dataset) -> str:
    """The size of a YOLOv8; "" for another family, whose memory the rules do not know."""
    try:
        version, name, _task = choose.model(values, dataset, None)
    except Unprocessable:  # creating it says so
        return ""
    known = find(name) if name else None
    return version if known is None or known.family == "yolov8" else ""
