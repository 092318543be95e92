"""The resumable checkpoints in a training's folder: `checkpoints/epoch-N.pt`, N from 1."""

import re
import shutil
from pathlib import Path

from app.core.files import atomic_write
from app.events import RETAINED_CHECKPOINTS


def copies(folder: Path) -> dict[int, Path]:
    """The copies by epoch, oldest first."""
    paths = {
        int(match[1]): path
        for path in (folder / "checkpoints").glob("epoch-*.pt")
        if (match := re.fullmatch(r"epoch-(\d+)\.pt", path.name))
    }
    return dict(sorted(paths.items()))


def last_epoch(folder: Path) -> int:
    """The last epoch with a resumable checkpoint; 0 without one."""
    return max(copies(folder), default=0)


def save_checkpoint(folder: Path, epoch: int, source: Path, period: int) -> Path:
    """Copy `source` as the checkpoint of this epoch; older ones are deleted, except every `period`-th (0: none).

    Copies, not links: at the end, ultralytics strips its own files of what resuming needs.
    """
    path = folder / "checkpoints" / f"epoch-{epoch}.pt"
    atomic_write(path, lambda draft: shutil.copyfile(source, draft))
    for number, old in list(copies(folder).items())[:-RETAINED_CHECKPOINTS]:
        if not periodic(number, period):
            old.unlink(missing_ok=True)
    return path


def periodic(epoch: int, period: int) -> bool:
    return period > 0 and epoch % period == 0


def drop_after(folder: Path, epoch: int) -> None:
    """Delete the copies of later epochs, since the run resumes from this one."""
    for number, path in copies(folder).items():
        if number > epoch:
            path.unlink(missing_ok=True)


def start_over(folder: Path) -> None:
    """Remove the files of an earlier attempt, since the run starts from the beginning."""
    drop_after(folder, 0)
    for name in ("last.pt", "best.pt"):
        (folder / "run" / "weights" / name).unlink(missing_ok=True)
