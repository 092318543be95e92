"""Presets for a new training, with reasons, and warnings about unusual values. Rules only: services/estimate measures,
create.py refuses.
"""

from app.models import Dataset
from app.services.trainer.advise.check import RequestWarning, RunValues, check
from app.services.trainer.advise.facts import facts_of
from app.services.trainer.advise.presets import defaults
from app.services.trainer.architectures import find

__all__ = ["RequestWarning", "RunValues", "check_request", "defaults"]


def check_request(
    values: RunValues, architecture: str | None, model_version: str, dataset: Dataset
) -> list[RequestWarning]:
    """Warnings about a training on this dataset.

    Args:
        values: of the request, with defaults; `learning_rate` None if it has none.
        architecture, model_version: columns of a training.
    """
    return check(values, version_of(architecture, model_version), facts_of(dataset))


def version_of(name: str | None, model_version: str) -> str:
    """The size of a YOLOv8; "" for another family, for which the rules have no memory figures."""
    architecture = find(name) if name else None
    return model_version if architecture is None or architecture.family == "yolov8" else ""
