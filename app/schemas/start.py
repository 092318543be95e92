"""What a training starts from, as a request says it."""

from typing import Any, TypeGuard

from apiflask.fields import Raw
from flask_babel import gettext as _
from marshmallow import ValidationError

from app.core.train import TrainingStart
from app.schemas.base import MAX_ID

KINDS = ("auto", "official", "scratch")
MAX_EPOCH = 1_000_000


class Start(Raw):
    """`"auto"`, `"official"`, `"scratch"`, or `{"training_id": 5, "checkpoint": "best" | "last" | 7}`.

    Loaded as the column holds it: {"kind": "auto"} or {"kind": "training", "training_id": 5, "checkpoint": "best"}.
    """

    def __init__(self, **options: Any) -> None:
        text = (
            "auto, official (pretrained), scratch, or a previous run: {training_id, checkpoint: best, last or an "
            "epoch}."
        )
        super().__init__(metadata={"description": text, "example": "auto"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> TrainingStart:
        if isinstance(value, str) and value in KINDS:
            return {"kind": value}
        if isinstance(value, dict) and set(value) <= {"training_id", "checkpoint"}:
            training_id, checkpoint = value.get("training_id"), value.get("checkpoint", "best")
            if is_number(training_id, MAX_ID) and (checkpoint in ("best", "last") or is_number(checkpoint, MAX_EPOCH)):
                return {"kind": "training", "training_id": training_id, "checkpoint": checkpoint}
        raise ValidationError(
            _("Must be auto, official, scratch, or a training_id with a checkpoint: best, last or an epoch number.")
        )


def is_number(value: Any, highest: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= highest
