"""Resolves the model and the initial weights of a request."""

from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from app.config import settings
from app.core.train import TrainingParams, TrainingStart
from app.errors import Unprocessable
from app.models import Dataset, Training
from app.schemas.trainings import TrainingInValues
from app.services.trainer.architectures import SUFFIXES, Architecture, architectures, examples, find
from app.services.trainer.checkpoints import is_archive
from app.services.trainer.launch import checkpoint_path
from app.texts import task_names

CLASSIFY_SIZE = 224  # pixels: the size of published classification models


def refuse(field: str, problem: str) -> Unprocessable:
    return Unprocessable(problem, [{"field": field, "message": problem}])


def model(values: TrainingInValues, dataset: Dataset, source: Training | None) -> tuple[str, str | None, str]:
    """Size, architecture (None: YOLOv8) and task of the model in a request.

    By default, it is that of the training it starts from, otherwise the default YOLOv8, for the dataset's task.

    Raises:
        Unprocessable: there is no such model, or it does not match the dataset, the request or the start.
    """
    size, name = values.get("model_version"), values.get("architecture")
    if name is None and size is None and source is not None:
        size, name = source.model_version, source.architecture
    if name is None:
        size = size or Path(settings().DEFAULT_MODEL).stem[-1]
        if dataset.task == "detect":
            fits_source(source, f"yolov8{size}")
            return size, None, "detect"
        name = f"yolov8{size}{SUFFIXES.get(dataset.task, '')}"
    chosen = require_architecture(name)
    if values.get("model_version") not in {None, chosen.size}:
        raise refuse(
            "model_version",
            _(
                "The architecture %(name)s has size “%(size)s”. Leave out model_version.",
                name=chosen.name,
                size=chosen.size,
            ),
        )
    if not chosen.fits(dataset.task):
        raise refuse(
            "architecture",
            _(
                "%(name)s is for the task “%(task)s”, but the dataset's task is “%(dataset_task)s”. Suitable models: "
                "%(names)s.",
                name=chosen.name,
                task=task_names(chosen.task),
                dataset_task=task_names(dataset.task),
                names=examples(dataset.task),
            ),
        )
    fits_source(source, chosen.name)
    return chosen.size, chosen.name, chosen.task


def require_architecture(name: str) -> Architecture:
    """The architecture with this name.

    Raises:
        Unprocessable: there is none.
    """
    architecture = find(name)
    if architecture is None:
        alike = [item for item in architectures() if item.startswith(name[:6])] or list(architectures())
        raise refuse(
            "architecture", _("This architecture doesn't exist. Available: %(names)s …", names=", ".join(alike[:8]))
        )
    return architecture


def fits_source(source: Training | None, name: str) -> None:
    """Check that the weights are of this architecture; the number of classes may differ."""
    if source is None:
        return
    architecture = source.architecture or f"yolov8{source.model_version}"
    if architecture != name:
        raise refuse(
            "start",
            _("The run %(id)s has the architecture %(own)s, not %(name)s.", id=source.id, own=architecture, name=name),
        )


def source(session: Any, start: TrainingStart) -> Training | None:
    """The training whose checkpoint a start names; None if it names none.

    Raises:
        Unprocessable: there is no such training or checkpoint.
    """
    if start["kind"] != "training":
        return None
    row = session.get(Training, start["training_id"])
    if row is None or row.deleted_at is not None:
        raise refuse(
            "start", _("The run %(id)s, whose weights should be used, doesn't exist.", id=start["training_id"])
        )
    path = settings().MODELS_DIR / str(row.id) / checkpoint_path(start["checkpoint"])
    if not path.is_file():
        raise refuse(
            "start", _("The run %(id)s has no checkpoint “%(checkpoint)s”.", id=row.id, checkpoint=start["checkpoint"])
        )
    # only the archive's directory, since this is in a transaction; the child verifies every byte
    if not is_archive(path):
        raise refuse(
            "start",
            _(
                "The checkpoint “%(checkpoint)s” of the run %(id)s is damaged. Choose another checkpoint or run.",
                checkpoint=start["checkpoint"],
                id=row.id,
            ),
        )
    return row


def check_freeze(params: TrainingParams, name: str) -> None:
    """Check that at least the last layer is trained."""
    architecture = find(name)
    if architecture and params.get("freeze", 0) >= architecture.layers:
        highest = architecture.layers - 1
        raise refuse("params.freeze", _("Must be between %(low)s and %(high)s.", low=0, high=highest))
