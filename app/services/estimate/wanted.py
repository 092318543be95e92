"""A training that is asked about: checked as if it were to be created, and known by what its figures depend on."""

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import current_app

from app.models import Dataset, Training
from app.services import system
from app.services.dispatch import CPU, devices_for, gpus
from app.services.trainer.launch import spec

CLOSE_MOSAIC = 10  # ultralytics' default: so many last epochs have no mosaic
# What costs neither time nor memory: another value needs no other measurement.
FREE = {"seed", "patience", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr",
        "cos_lr", "box", "cls", "dfl", "save_period", "device", "close_mosaic"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """A training that was asked about, checked as if it were to be created."""

    key: str
    spec: dict[str, Any]
    devices: tuple[str, ...]
    row: dict[str, Any]  # the columns that the answer depends on


class Checked(Exception):
    """Takes what was learned out of the transaction of `TrainingService.create`, which is rolled back."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__("checked")
        self.wanted = wanted


def describe(row: Training, dataset: Dataset) -> Wanted:
    """The row of a training that is not kept, as a question."""
    config = current_app.config
    here = gpus(config["CUDA_VISIBLE_DEVICES"])
    devices = devices_for(row.params.get("device", "auto"), here, {}) or (CPU,)
    batch = max(1, row.batch_size // len(devices))
    values = spec(row, Path(config["MODELS_DIR"]), devices[:1], config) | {"batch_size": batch, "batch_now": batch}
    names = (
        "dataset_id",
        "revision",
        "model_version",
        "architecture",
        "task",
        "epochs",
        "batch_size",
        "img_size",
        "params",
    )
    facts = {name: getattr(row, name) for name in names}
    depends = {
        "images": [dataset.train_images, dataset.val_images, dataset.total_images],
        "params": {name: value for name, value in row.params.items() if name not in FREE},
        "mosaic": row.epochs > row.params.get("close_mosaic", CLOSE_MOSAIC),
        "start": row.start,
        "devices": devices,
        "machine": [os.cpu_count(), [gpu["name"] for gpu in system.gpus()] if devices != (CPU,) else []],
        "limit": config["TRAINING_MEMORY_LIMIT"],
        "versions": [version("torch"), version("ultralytics"), current_app.version],  # type: ignore[attr-defined]
    }
    same = {name: value for name, value in facts.items() if name not in {"epochs", "params"}}
    text = json.dumps(same | depends, sort_keys=True)
    return Wanted(hashlib.sha256(text.encode()).hexdigest(), values, devices, facts)
