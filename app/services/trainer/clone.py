"""Clones trainings: creates new ones from the requests of existing ones."""

import re

from flask_babel import gettext as _
from marshmallow import ValidationError
from sqlalchemy import select

from app.access import private
from app.core.json_object import JsonObject
from app.errors import Unprocessable, field_errors
from app.extensions import db
from app.models import Training
from app.schemas import TrainingIn
from app.schemas.trainings import TrainingCreatedValues, TrainingInValues
from app.services.idempotency import RequestKey
from app.services.trainer.create import TrainingCreation
from app.services.trainer.store import TrainingStore, not_deleted

COUNTED = re.compile(r"(.*\S) \((\d{1,6})\)")
MAX_NAME = 100


class TrainingCloning:
    """Creates trainings from the requests of existing ones."""

    def __init__(self, store: TrainingStore, creation: TrainingCreation) -> None:
        self.store, self.creation = store, creation

    def clone(self, training_id: int, changes: JsonObject, key: RequestKey | None = None) -> TrainingCreatedValues:
        """Create a training from the same request with changes; all checks of a new one apply.

        Args:
            changes: fields of the create request, as sent. Those in `params` are merged one by one: null removes one.

        Raises:
            NotFound: there is no such training.
            Conflict: it is in the trash. Also what `create` raises.
            Unprocessable: it would start from a run that this person may not see.
        """
        row = not_deleted(self.store.row(training_id))
        values = request_of(row) | {name: value for name, value in changes.items() if name != "params"}
        params = merge_changes(row, changes)
        values["params"] = params
        if "name" not in changes:
            values["name"] = next_name(row.name)
        if "model_version" in changes and "architecture" not in changes:
            values.pop("architecture", None)
        if params.get("optimizer") == "auto" and "learning_rate" not in changes:
            values.pop("learning_rate", None)
        private.expect_start(values.get("start"))
        return self.creation.create_once(load_request(values), key, training_id)


def request_of(row: Training) -> JsonObject:
    """The request that creates such a training, without name and params; defaults are omitted."""
    values: JsonObject = {name: getattr(row, name) for name in ("dataset_id", "epochs", "batch_size", "img_size")}
    values |= {"architecture": row.architecture} if row.architecture else {"model_version": row.model_version}
    if row.params.get("optimizer") != "auto":
        values["learning_rate"] = row.learning_rate
    if row.priority:
        values["priority"] = row.priority
    kind = row.start.get("kind", "auto")
    if kind == "training":
        values["start"] = {"training_id": row.start["training_id"], "checkpoint": row.start["checkpoint"]}
    elif kind == "uploaded":
        values["start"] = {"training_id": row.id, "checkpoint": "best"}
    elif kind != "auto":
        values["start"] = kind
    return values


def load_request(values: JsonObject) -> TrainingInValues:
    """A complete request, validated like one that was sent."""
    try:
        request: TrainingInValues = TrainingIn().load(values)
        return request
    except ValidationError as error:
        message = _("Some fields are not valid. Correct them and send the request again.")
        raise Unprocessable(message, field_errors(error.messages)) from error


def merge_changes(row: Training, changes: JsonObject) -> JsonObject:
    """The params of the clone, not validated yet."""
    changed = changes.get("params")
    params = {**row.params, **(changed if isinstance(changed, dict) else {})}
    return {name: value for name, value in params.items() if value is not None}


def next_name(name: str) -> str:
    """ "Cars" → "Cars (2)", "Cars (2)" → "Cars (3)": the first unused number."""
    match = COUNTED.fullmatch(name)
    stem, number = (match[1], int(match[2])) if match else (name, 1)
    like = select(Training.name).where(Training.name.startswith(stem[: MAX_NAME - 9], autoescape=True))
    used = set(db.session.scalars(like))
    while True:
        number += 1
        tail = f" ({number})"
        candidate = stem[: MAX_NAME - len(tail)].rstrip() + tail
        if candidate not in used:
            return candidate
