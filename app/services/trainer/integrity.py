"""Detects damaged weights, so that they are never served."""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from flask_babel import gettext as _

from app.errors import Conflict
from app.services.trainer.checkpoints import checkpoints_by_name
from app.threads import run_blocking

OFFERED = 3  # other checkpoints named in an error


def is_intact(path: Path) -> bool:
    """Whether the file's contents match the archive's checksums; cached by its time and size."""
    try:
        stat = path.stat()
    except OSError:
        return False
    return run_blocking(has_right_sums, str(path), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=512)
def has_right_sums(path: str, _changed_ns: int, _size: int) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(archive.namelist()) and archive.testzip() is None
    except Exception:  # from a damaged archive
        return False


def require_intact(folder: Path, path: Path) -> Path:
    """The file, if it is intact.

    Args:
        folder: of the training.

    Raises:
        Conflict: it is damaged; the error names it, and intact checkpoints (`whole`: their names in addresses).
    """
    if is_intact(path):
        return path
    alternatives = list(intact_alternatives(folder, path))
    raise Conflict(damaged_text(path.name, alternatives), members={"file": path.name, "whole": alternatives})


def intact_alternatives(folder: Path, path: Path) -> Iterator[str]:
    """`best`, `last` or the epoch's number, for the first few intact checkpoints."""
    candidates = [(name, folder / "run" / "weights" / f"{name}.pt") for name in ("best", "last")]
    candidates += [(str(checkpoint.epoch), folder / checkpoint.path) for checkpoint in checkpoints_by_name(folder)]
    remaining = OFFERED
    for name, other in candidates:
        if remaining and other != path and is_intact(other):
            remaining -= 1
            yield name


def damaged_text(name: str, alternatives: list[str]) -> str:
    if alternatives:
        return _(
            "The file %(file)s of this run is damaged. Whole checkpoints of this run: %(others)s. Use one of them, or "
            "try again if the run is in progress.",
            file=name,
            others=", ".join(alternatives),
        )
    return _(
        "The file %(file)s of this run is damaged, and the run has no whole checkpoint. Restore the file from a "
        "backup or rerun the training.",
        file=name,
    )
