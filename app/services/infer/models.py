"""Lists the models that can be tested: trainings with weights, and their checkpoints."""

from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy import func, or_, select

from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Dataset, Training, TrainingStatus
from app.services.infer.read_models import ModelsView
from app.services.paging import page_numbers
from app.services.trainer import present
from app.services.trainer.files import TrainingFiles
from app.services.trainer.integrity import require_intact
from app.services.trainer.present import TrainingPresenter
from app.services.trainer.read_models import TrainingView

MAX_EXAMINED = 20  # newest trainings that are considered for the default


def usable(trainings: list[TrainingView]) -> list[TrainingView]:
    """The trainings whose weights exist."""
    return [item for item in trainings if item["downloadable"]]


class TestableModels:
    """Finds models and their files.

    Args:
        files: has the checkpoints of trainings.
        presenter: has them as they are shown.
    """

    def __init__(self, files: TrainingFiles, presenter: TrainingPresenter) -> None:
        self.files, self.storage, self.presenter = files, files.store.storage, presenter

    def list_models(self, page: int, per_page: int, search: str = "") -> ModelsView:
        """Trainings that should have weights, newest first; `downloadable`: whether the file exists.

        Args:
            search: a part of the training's or the dataset's name.
        """
        conditions = [~present.in_trash(), or_(Training.checkpoints.any(), Training.status == TrainingStatus.COMPLETED)]
        if search:
            parts = (column.icontains(search, autoescape=True) for column in (Training.name, Dataset.name))
            conditions.append(or_(*parts))
        counted = select(func.count()).select_from(Training).join(Dataset).where(*conditions)
        total = db.session.scalar(counted) or 0
        part = present.rows().where(*conditions).order_by(Training.id.desc())
        views = self.presenter.to_dicts(part.limit(per_page).offset((page - 1) * per_page))
        return {
            "models": views,
            "default": self.default_model(),
            **page_numbers({"page": page, "per_page": per_page}, total),
        }

    def default_model(self) -> TrainingView | None:
        """The model to test first: the newest completed one with a useful result, otherwise any with weights."""
        query = present.rows().where(~present.in_trash())
        ended = query.where(Training.status == TrainingStatus.COMPLETED).order_by(Training.end_time.desc().nulls_last())
        unfinished = query.where(Training.status != TrainingStatus.COMPLETED, Training.checkpoints.any())
        candidates = usable(self.presenter.to_dicts(ended.order_by(Training.id.desc()).limit(MAX_EXAMINED)))
        candidates += usable(self.presenter.to_dicts(unfinished.order_by(Training.id.desc()).limit(MAX_EXAMINED)))
        return next((item for item in candidates if item["level"] != "nothing"), candidates[0] if candidates else None)

    def model_of(self, training_id: int, checkpoint: str | None = None) -> Path:
        """The weights to test: the requested checkpoint, otherwise the best, otherwise the last.

        Args:
            checkpoint: `best`, `last`, or the number of an epoch.

        Raises:
            NotFound: there is no such training or checkpoint.
            Conflict: it is in the trash, or has no weights yet.
        """
        training = db.session.get(Training, training_id)
        if training is None:
            raise NotFound(_("Run %(id)s doesn't exist.", id=training_id))
        if training.deleted_at is not None:
            raise Conflict(_("This run is in the trash. Restore it first."))
        if checkpoint is None:
            return require_intact(self.storage.get_training_dir(training_id), self.weights_of(training))
        return self.files.checkpoint(training_id, checkpoint)[0]

    def weights_of(self, training: Training) -> Path:
        """The training's best weights, else its last.

        Raises:
            Conflict: it has none yet.
        """
        path = present.weights(self.storage.get_training_dir(training.id))
        if path is not None:
            return path
        raise Conflict(
            _(
                "The run “%(name)s” has no weights yet. Wait for its first epoch or choose another run.",
                name=training.name,
            )
        )
