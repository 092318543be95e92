"""The configuration of an estimate: validated like a new training, and identified by the columns that affect
its speed.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.metadata import version
from typing import Self

from app import __version__
from app.config import settings
from app.core.train import TrainingParams, TrainSpec
from app.jobs.devices import CPU, Pool, Use
from app.jobs.workers import gpus_for_jobs
from app.models import Dataset, Training
from app.services import system
from app.services.trainer.launch import spec_of
from app.services.trainer.learning import iterations

CLOSE_MOSAIC = 10  # ultralytics' default: number of final epochs without mosaic
AUTO_STEPS = 10_000  # above this, ultralytics' automatic optimizer is another, slower one
NBS = 64  # ultralytics' default
# Parameters that affect neither time nor memory, and need no other measurement.
FREE = {
    "seed",
    "patience",
    "lrf",
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "warmup_momentum",
    "warmup_bias_lr",
    "cos_lr",
    "box",
    "cls",
    "dfl",
    "save_period",
    "device",
    "close_mosaic",
    "val",
}


@dataclass(frozen=True)
class Configuration:
    """The columns of a training that its estimate depends on."""

    dataset_id: int
    revision: int | None
    model_version: str
    architecture: str | None
    task: str
    epochs: int
    batch_size: int
    img_size: int
    params: TrainingParams

    @classmethod
    def of(cls, row: Training) -> Self:
        """The configuration of a row."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class EstimateRequest:
    """A training whose estimate was requested, validated like a new training."""

    key: str
    spec: TrainSpec
    devices: tuple[str, ...]
    configuration: Configuration


def describe(row: Training, dataset: Dataset) -> EstimateRequest:
    """The request for a training that is not stored."""
    config = settings()
    here = gpus_for_jobs(config)
    devices = Pool(here).resolve(row.params.get("device", "auto"), Use.WORK, []) or (CPU,)
    batch = max(1, row.batch_size // len(devices))
    configuration = Configuration.of(row)
    depends = {
        "images": [dataset.train_images, dataset.val_images, dataset.total_images],
        "params": {name: value for name, value in row.params.items() if name not in FREE},
        "optimizer": automatic(row, dataset),
        "devices": devices,
        "machine": [os.cpu_count(), [gpu["name"] for gpu in system.gpus()] if devices != (CPU,) else []],
        "limit": config.TRAINING_MEMORY_LIMIT,
        "versions": [installed_version("torch"), installed_version("ultralytics"), __version__],
    }
    same = {name: value for name, value in asdict(configuration).items() if name not in {"epochs", "params"}}
    text = json.dumps(same | depends, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    return EstimateRequest(key, to_measure(row, devices, batch), devices, configuration)


@cache
def installed_version(package: str) -> str:
    """The version of a package, read once: parsing its metadata costs as much as a query, and the form of a new run
    asks for the estimates of three presets.
    """
    return version(package)


def automatic(row: Training, dataset: Dataset) -> str | None:
    """Which optimizer ultralytics will choose; None if the request names one."""
    if row.params.get("optimizer", "auto") != "auto":
        return None
    steps = iterations(dataset.train_images, max(row.batch_size, row.params.get("nbs", NBS)), row.params) * row.epochs
    return "long" if steps > AUTO_STEPS else "short"


def to_measure(row: Training, devices: tuple[str, ...], batch: int) -> TrainSpec:
    """The spec of the child. It needs no weights, which affect neither time nor memory, and might have to be
    downloaded.
    """
    config = settings()
    spec = spec_of(row, config.MODELS_DIR, devices[:1], config)
    return replace(
        spec,
        batch_size=batch,
        batch_now=batch,
        start={"kind": "scratch"},
        resume=None,
        # the child disables mosaic itself, once it has measured enough batches
        params={**spec.params, "close_mosaic": 0},
    )
