"""Types of the manifest of a model's backup."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from app.core.train import TrainingParams, TrainingStart


class BackupFile(TypedDict):
    """A file of a backup."""

    sha256: str
    bytes: int


class BackupSource(TypedDict):
    """The copied best.pt: its size and time distinguish it from a later one."""

    bytes: int
    mtime_ns: int


class BackupDataset(TypedDict):
    """The dataset of the training."""

    id: int
    name: str
    classes: list[str]


class DescribedTraining(TypedDict):
    """The columns of a training; `start`: not of earlier versions."""

    model_version: str
    architecture: str | None
    task: str
    epochs: int
    batch_size: int
    img_size: int
    learning_rate: float
    params: TrainingParams
    device: str | None
    weights: str | None
    dataset_revision: str | None
    current_epoch: int
    start: NotRequired[TrainingStart]


class TrainingDescription(TypedDict):
    """The data for restoring a training's row; `epochs`: the columns of each, with the metrics of core/metrics.py."""

    training_id: int
    name: str
    important: bool
    dataset: BackupDataset
    metrics: Mapping[str, float | None]
    best_epoch: int
    written: str
    training: DescribedTraining
    epochs: list[Mapping[str, object]]


class BackupManifest(TrainingDescription):
    """manifest.json of a backup; `files` by name."""

    source: BackupSource
    files: dict[str, BackupFile]
