"""Finds the checkpoints from which a training can resume."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ResumableCheckpoint:
    """A checkpoint with optimizer and epoch; `path` is relative to the training's folder, `epoch` from 1."""

    epoch: int
    path: str


def resumable(folder: Path) -> list[ResumableCheckpoint]:
    """The intact resumable copies in a training's folder, newest first.

    Only the directory of each archive is read: copies are written atomically, and the child that resumes verifies every
    byte.
    """
    return [checkpoint for checkpoint in checkpoints_by_name(folder) if is_archive(folder / checkpoint.path)]


def newest(folder: Path) -> ResumableCheckpoint | None:
    """The checkpoint to resume from; None: from the start. Older ones are not read, since this runs in transactions."""
    return next((item for item in checkpoints_by_name(folder) if is_archive(folder / item.path)), None)


def checkpoints_by_name(folder: Path) -> list[ResumableCheckpoint]:
    """Every resumable copy by its name, newest first."""
    checkpoints = [
        ResumableCheckpoint(int(match[1]), f"checkpoints/{path.name}")
        for path in (folder / "checkpoints").glob("epoch-*.pt")
        if (match := re.fullmatch(r"epoch-(\d+)\.pt", path.name))
    ]
    return sorted(checkpoints, key=lambda checkpoint: -checkpoint.epoch)


def is_archive(path: Path) -> bool:
    """Whether torch.save's archive can be opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(archive.namelist())
    except Exception:  # from a damaged directory of an archive
        return False
