"""Which models can be tried: the trainings that have weights, and their checkpoints."""

from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, or_, select

from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Dataset, Training, TrainingStatus
from app.services.infer.child import WarmChild
from app.services.trainer import present
from app.services.trainer.files import TrainingFiles

LOOK_AT = 20  # newest trainings that are looked through for the default


def usable(trainings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose weights are there."""
    return [item for item in trainings if item["downloadable"]]


class TriedModels(WarmChild):
    """Finds models and their files."""

    def list_models(self, page: int, per_page: int, search: str = "") -> dict[str, Any]:
        """Trainings that should have weights, the newest first; `downloadable` says whether the file is there.

        Args:
            search: a part of the training's or the dataset's name.
        """
        conditions = [
            ~present.deleted(), or_(Training.checkpoints.any(), Training.status == TrainingStatus.COMPLETED)
        ]  # fmt: skip
        if search:
            parts = (column.icontains(search, autoescape=True) for column in (Training.name, Dataset.name))
            conditions.append(or_(*parts))
        counted = select(func.count()).select_from(Training).join(Dataset).where(*conditions)
        total = db.session.scalar(counted) or 0
        part = present.rows().where(*conditions).order_by(Training.id.desc())
        shown = present.shown_all(part.limit(per_page).offset((page - 1) * per_page), self.storage.models)
        return {"models": shown, "default": self.default_model(), "total": total, "page": page, "per_page": per_page,
                "pages": -(-total // per_page)}  # fmt: skip

    def default_model(self) -> dict[str, Any] | None:
        """The model to try first: the newest completed one that learned something, else any that has weights."""
        wanted = present.rows().where(~present.deleted())
        ended = wanted.where(Training.status == TrainingStatus.COMPLETED).order_by(
            Training.end_time.desc().nulls_last()
        )
        others = wanted.where(Training.status != TrainingStatus.COMPLETED, Training.checkpoints.any())
        found = usable(present.shown_all(ended.order_by(Training.id.desc()).limit(LOOK_AT), self.storage.models))
        found += usable(present.shown_all(others.order_by(Training.id.desc()).limit(LOOK_AT), self.storage.models))
        return next((item for item in found if item["level"] != "nothing"), found[0] if found else None)

    def model_of(self, training_id: int, checkpoint: str | None = None) -> Path:
        """The weights to try: the best, else the last, or the checkpoint that is asked for.

        Args:
            checkpoint: `best`, `last`, or the number of an epoch.

        Raises:
            NotFound: no such training or checkpoint. Conflict: it is in the trash, or has no weights yet.
        """
        training = db.session.get(Training, training_id)
        if training is None:
            raise NotFound(_("Run %(id)s doesn't exist.", id=training_id))
        if training.deleted_at is not None:
            raise Conflict(_("This run is in the trash. Restore it first."))
        if checkpoint is None:
            return self.weights_of(training)
        return TrainingFiles(self.storage).checkpoint(training_id, checkpoint)[0]

    def weights_of(self, training: Training) -> Path:
        """The training's best weights, else its last.

        Raises:
            Conflict: there are none yet.
        """
        found = present.weights(self.storage.get_training_dir(training.id))
        if found is not None:
            return found
        raise Conflict(
            _("The run “%(name)s” has no weights yet. Wait for its first epoch or choose another run.",
              name=training.name)
        )  # fmt: skip
