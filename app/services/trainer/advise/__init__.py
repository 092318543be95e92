"""Sensible values for a new training, with reasons, and what is unusual about given ones. Rules only: measuring is
services/estimate's, refusing is create.py's."""

from typing import Any

from app.models import Dataset
from app.services.trainer.advise.check import RequestWarning, RunValues, check
from app.services.trainer.advise.facts import facts_of
from app.services.trainer.advise.presets import defaults
from app.services.trainer.architectures import find

__all__ = ["RequestWarning", "check_request", "defaults"]


def check_request(row: dict[str, Any], dataset: Dataset, scratch: bool) -> list[RequestWarning]:
    """What is unusual about a training on this dataset.

    Args:
        row: its columns, with `learning_rate` None where the request has none.
        scratch: whether it starts without pretrained weights.
    """
    values: RunValues = {
        "epochs": row["epochs"],
        "batch_size": row["batch_size"],
        "img_size": row["img_size"],
        "learning_rate": row.get("learning_rate"),
        "params": row["params"],
        "scratch": scratch,
    }
    return check(values, version_of(row), facts_of(dataset))


def version_of(row: dict[str, Any]) -> str:
    """The size of a YOLOv8; "" for another family, for which the rules have no memory figures."""
    architecture = find(row["architecture"]) if row["architecture"] else None
    return row["model_version"] if architecture is None or architecture.family == "yolov8" else ""
