"""Downloads of a training: log, results, weights."""

import re
from collections.abc import Iterator
from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy import select

from app.errors import NotFound
from app.extensions import db
from app.models import Checkpoint, Training, TrainingStatus
from app.schemas.training_actions import CheckpointsOutValues
from app.services.storage.damaged import damaged_in, set_file_aside
from app.services.trainer import present
from app.services.trainer.integrity import require_intact
from app.services.trainer.output import read_log
from app.services.trainer.results import Cell, DamagedResults, read, recorded_table
from app.services.trainer.store import TrainingStore

LOG_PAGE = 256 * 1024
LOG_TAIL = 64 * 1024


class TrainingFiles:
    """Finds a training's files."""

    def __init__(self, store: TrainingStore) -> None:
        self.store = store

    def log(self, training_id: int, after: int | None) -> tuple[str, int]:
        """Lines of the latest attempt's output from byte `after` on; None: only its end."""
        row = self.store.row(training_id)
        directory = self.store.attempt_dir(training_id, row.attempt)
        if after is not None:
            return read_log(directory, after, LOG_PAGE)
        path = directory / "worker.log"
        size = path.stat().st_size if path.exists() else 0
        text, offset = read_log(directory, max(0, size - LOG_TAIL), LOG_TAIL)
        return (text.partition("\n")[2] if size > LOG_TAIL else text), offset

    def results(self, training_id: int) -> tuple[list[str], list[list[Cell]], Path | None]:
        """ultralytics' results.csv: (columns, rows, the file); if it is damaged, the same table from the recorded
        epochs, and no file.

        Raises:
            NotFound: there is no such training, or no epoch has ended.
        """
        row = self.store.row(training_id)
        path = self.store.folder(training_id) / "run" / "results.csv"
        try:
            return *read(path), path
        except FileNotFoundError:
            if "results.csv" not in damaged_in([path.parent]):
                raise NotFound(_("No results yet: the first epoch isn't finished.")) from None
        except DamagedResults as error:
            if row.status != TrainingStatus.RUNNING:  # otherwise its process still writes to the file
                set_file_aside(path, error)
        columns, rows = recorded_table(present.metrics(training_id))
        if not rows:
            raise NotFound(_("No results yet: the first epoch isn't finished."))
        return columns, rows, None

    def weights(self, training_id: int) -> tuple[Path, str]:
        """The best weights and their download name.

        Raises:
            NotFound: there is no such training, or nothing was saved.
            Conflict: the file is damaged.
        """
        row = self.store.row(training_id)
        path = present.weights(self.store.folder(training_id))
        if path is None:
            raise NotFound(_("This run has no weights: none were saved before it ended, or it has just started."))
        return require_intact(self.store.folder(training_id), path), download_name(row, path.name)

    def checkpoints(self, training_id: int) -> CheckpointsOutValues:
        """The checkpoints whose files exist, newest first, as CheckpointsOut."""
        row = self.store.row(training_id)
        address = f"/api/trainings/{training_id}/checkpoints"
        return {
            "checkpoints": [
                {
                    "epoch": file.epoch,
                    "is_best": file.is_best,
                    "periodic": file.periodic,
                    "metrics": file.metrics,
                    "created_at": file.created_at,
                    "resumable": file.resumable and not file.is_best,
                    "size_bytes": path.stat().st_size,
                    "url": f"{address}/{'best' if file.is_best else file.epoch}/download",
                }
                for file, path in self._checkpoint_files(row)
            ]
        }

    def checkpoint(self, training_id: int, which: str) -> tuple[Path, str]:
        """The file of a checkpoint, and its download name.

        Args:
            which: `best`, `last`, or the number of an epoch.

        Raises:
            NotFound: there is no such training or checkpoint.
            Conflict: its file is damaged.
        """
        folder = self.store.folder(training_id)
        row = self.store.row(training_id)
        if which in {"best", "last"}:
            path = folder / "run" / "weights" / f"{which}.pt"
            if path.is_file():
                return require_intact(folder, path), download_name(row, path.name)
        else:
            by_name = {
                str(file.epoch): path
                for file, path in sorted(self._checkpoint_files(row), key=lambda item: not item[0].is_best)
            }
            if which in by_name:
                return require_intact(folder, by_name[which]), download_name(row, f"epoch-{which}.pt")
        raise NotFound(_("This run doesn't have this checkpoint. Its list of checkpoints shows what is available."))

    def _checkpoint_files(self, row: Training) -> Iterator[tuple[Checkpoint, Path]]:
        """The rows whose files exist in the training's own folder."""
        query = select(Checkpoint).where(Checkpoint.training_id == row.id)
        for file in db.session.scalars(query.order_by(Checkpoint.epoch.desc(), Checkpoint.is_best, Checkpoint.id)):
            path = self.store.storage.data_root / file.model_path
            if path.is_relative_to(self.store.folder(row.id)) and ".." not in path.parts and path.is_file():
                yield file, path


def download_name(row: Training, name: str) -> str:
    """A file name with the training's id and name, safe for every file system."""
    stem = re.sub(r"[^\w.-]+", "-", row.name).strip("-.") or "training"
    return f"{stem}-{row.id}-{name}"
