"""What a training leaves in its folder: log, results, weights."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from app.errors import NotFound
from app.services.trainer import present
from app.services.trainer.base import TrainingBase
from app.services.trainer.output import read_log

if TYPE_CHECKING:
    pass

LOG_PAGE = 256 * 1024
LOG_TAIL = 64 * 1024


class TrainingFiles(TrainingBase):
    """Finds a training's files."""

    def log(self, training_id: int, after: int | None) -> tuple[str, int]:
        """Output of the latest attempt from byte `after` on, in whole lines; None: its end."""
        row = self._row(training_id)
        directory = self.attempt_dir(training_id, row.attempt)
        if after is not None:
            return read_log(directory, after, LOG_PAGE)
        path = directory / "worker.log"
        size = path.stat().st_size if path.exists() else 0
        text, offset = read_log(directory, max(0, size - LOG_TAIL), LOG_TAIL)
        return (text.partition("\n")[2] if size > LOG_TAIL else text), offset

    def results_csv(self, training_id: int) -> Path:
        """The results.csv of ultralytics.

        Raises:
            NotFound: no such training, or no epoch has ended.
        """
        self._row(training_id)
        path = self.folder(training_id) / "run" / "results.csv"
        if not path.is_file():
            raise NotFound(_("There are no results yet: the first epoch has not ended."))
        return path

    def weights(self, training_id: int) -> tuple[Path, str]:
        """The best weights and the name to save them under.

        Raises:
            NotFound: no such training, or nothing was saved.
        """
        row = self._row(training_id)
        path = present.weights(self.folder(training_id))
        if path is None:
            raise NotFound(_("This training has no weights: none were saved before it ended, or it has only begun."))
        name = re.sub(r"[^\w.-]+", "-", row.name).strip("-.") or "training"
        return path, f"{name}-{row.id}-{path.name}"
