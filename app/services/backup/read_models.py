"""Types of the manifest of a model's backup."""

from collections.abc import Mapping
from typing import Any, TypedDict


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


class TrainingDescription(TypedDict):
    """The data for restoring a training's row; `training`: its columns, `epochs`: their metrics."""

    training_id: int
    name: str
    important: bool
    dataset: BackupDataset
    metrics: Mapping[str, float | None]
    best_epoch: int
    written: str
    training: Mapping[str, Any]
    epochs: list[Mapping[str, Any]]


class BackupManifest(TrainingDescription):
    """manifest.json of a backup; `files` by name."""

    source: BackupSource
    files: dict[str, BackupFile]
