"""Resolves a request for an evaluation: checkpoint, dataset, classes. Reads only."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from flask_babel import gettext as _

from app.core.image_size import rounded
from app.errors import Conflict, FieldError, NotFound, Unprocessable
from app.extensions import db
from app.models import Dataset, DatasetRevision, Training
from app.schemas.evaluations import EvaluationInValues
from app.services.trainer import present
from app.services.trainer.architectures import FITTING
from app.services.trainer.create import refuse_missing, usable
from app.services.trainer.store import model_classes, not_deleted
from app.texts import task_names

if TYPE_CHECKING:
    from app.services.datasets import DatasetService
    from app.services.storage import StorageService
    from app.services.trainer import TrainingService

MAX_NAMES = 10  # names in a message


class EvaluationColumns(TypedDict):
    """The columns of an evaluation; `classes`: from the dataset's names to the model's, None: ignored."""

    dataset_id: int
    revision: int | None
    split: str
    checkpoint: str
    img_size: int
    classes: dict[str, str | None] | None


class Checker:
    """Converts a request to the columns of a row.

    Args:
        storage: has the weights. trainer: finds checkpoints. datasets: finds versions.
    """

    def __init__(self, storage: "StorageService", trainer: "TrainingService", datasets: "DatasetService") -> None:
        self.storage, self.trainer, self.datasets = storage, trainer, datasets

    def columns(self, training_id: int, values: EvaluationInValues) -> EvaluationColumns:
        """The columns of a new evaluation, from a checked request.

        Raises:
            NotFound: there is no such training.
            Conflict: it has no such weights, or the dataset is not ready.
            Unprocessable: dataset, split or classes do not match the model.
        """
        training = not_deleted(self.training(training_id))
        checkpoint = str(values.get("checkpoint") or "best")
        self.refuse_without_weights(training, checkpoint)
        dataset = self.dataset(training, values)
        number = self.revision(training, dataset, values)
        data = self.data(dataset, number)
        refuse_different_task(training, data)
        refuse_empty(data, values["split"])
        return {
            "dataset_id": dataset.id,
            "revision": number,
            "split": values["split"],
            "checkpoint": checkpoint,
            "img_size": rounded(values.get("img_size") or training.img_size),
            "classes": self.classes(training, data, values.get("classes")),
        }

    def training(self, training_id: int) -> Training:
        """The training whose model is evaluated.

        Raises:
            NotFound: no such training.
        """
        return self.trainer.store.row(training_id)

    def refuse_without_weights(self, training: Training, checkpoint: str) -> None:
        """Check that the training has intact weights of this checkpoint.

        Raises:
            Conflict: there are none, or they are damaged.
        """
        if present.weights(self.storage.get_training_dir(training.id)) is None:
            problem = _(
                "The run “%(name)s” has no weights yet. Wait for its first epoch or choose another run.",
                name=training.name,
            )
            raise Conflict(problem)
        try:
            self.trainer.files.checkpoint(training.id, checkpoint)
        except NotFound as error:
            raise Conflict(error.detail) from error

    def dataset(self, training: Training, values: EvaluationInValues) -> Dataset:
        row = db.session.get(Dataset, values.get("dataset_id") or training.dataset_id)
        if row is not None and row.id == training.dataset_id:
            return row
        return usable(row)

    def revision(self, training: Training, dataset: Dataset, values: EvaluationInValues) -> int | None:
        """The requested version, otherwise the training's, otherwise the current one."""
        if values.get("revision"):
            return int(values["revision"])
        return training.revision if dataset.id == training.dataset_id else dataset.revision

    def data(self, dataset: Dataset, number: int | None) -> Dataset | DatasetRevision:
        """The row with classes, task and numbers of images.

        Raises:
            Unprocessable: there is no such revision.
            Conflict: it is not ready, or its files are missing.
        """
        version: Dataset | DatasetRevision = dataset
        if number is not None:
            try:
                version = self.datasets.store.get_revision(dataset.id, number)
            except NotFound as error:
                raise refuse("revision", error.detail) from error
        refuse_missing(self.storage, dataset, number)
        return version

    def classes(
        self, training: Training, data: Dataset | DatasetRevision, class_map: Mapping[str, str | None] | None
    ) -> dict[str, str | None] | None:
        """The class map for the column; a model with a single class maps every object to it.

        Raises:
            Unprocessable: a class has no counterpart.
        """
        if not training.params.get("single_cls"):
            return mapping(model_classes(training), data.classes, class_map)
        if class_map:
            raise refuse("classes", _("This model has a single class (single_cls), so classes can't be mapped."))
        return None


def refuse(field: str, problem: Any) -> Unprocessable:
    return Unprocessable(problem, [{"field": field, "message": str(problem)}])


def refuse_different_task(training: Training, data: Dataset | DatasetRevision) -> None:
    """Check that the model's task can be evaluated on the dataset.

    Raises:
        Unprocessable: the dataset's labels are for another task.
    """
    if data.task not in FITTING[training.task]:
        problem = _(
            "The model's task is “%(task)s”, but the dataset's task is “%(dataset_task)s”. Choose another dataset.",
            task=task_names(training.task),
            dataset_task=task_names(data.task),
        )
        raise refuse("dataset_id", problem)


def refuse_empty(data: Dataset | DatasetRevision, split: str) -> None:
    """Check that the split has images.

    Raises:
        Unprocessable: the split has no images.
    """
    if getattr(data, f"{split}_images"):
        return
    texts = {
        "train": _("The dataset has no training images. Choose another set."),
        "val": _("The dataset has no validation images. Choose another set."),
        "test": _("The dataset has no test images. Choose another set."),
    }
    raise refuse("split", texts[split])


def mapping(
    ours: Sequence[str], theirs: Sequence[str], class_map: Mapping[str, str | None] | None
) -> dict[str, str | None] | None:
    """The dataset's class → the model's; None if they are the same in the same order.

    Raises:
        Unprocessable: a class of the dataset has no counterpart, or a name is unknown; `missing` lists them.
    """
    class_map = class_map or {}
    unknown = [name for name in class_map if name not in theirs]
    unknown += [name for name in class_map.values() if name is not None and name not in ours]
    if unknown:
        raise refuse("classes", _("These classes don't exist: %(names)s.", names=join_names(unknown)))
    if list(ours) == list(theirs) and not class_map:
        return None
    lacking = [name for name in theirs if name not in class_map and name not in ours]
    if lacking:
        problem = _(
            "The model doesn't know these classes of the dataset: %(names)s. Map each of them to a class of the model "
            "in `classes`, or to null to ignore its objects.",
            names=join_names(lacking),
        )
        errors: list[FieldError] = [{"field": "classes", "message": str(problem)}]
        raise Unprocessable(problem, errors, members={"missing": lacking, "classes": list(ours)})
    return {name: class_map.get(name, name) for name in theirs}


def join_names(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
