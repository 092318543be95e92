"""Lists of trainings: what they can be filtered by, and some of them side by side."""

from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError

from app.core.tasks import TASKS
from app.i18n import ngettext
from app.schemas.base import MAX_ID, PageQuery, PageQueryValues, Schema, between, one_of
from app.schemas.creators import creator_filter
from app.schemas.trainings import TrainingBrief

SORT_KEYS = ("created_at", "name", "status", "map50", "map95", "dataset", "model", "epochs")
MOST_COMPARED = 10


class IdList(Field):
    """Ids in an address, with commas between them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[int]:
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        if not parts or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            raise ValidationError(_l("Send run IDs separated by commas: 3,5,8."))
        ids = list(dict.fromkeys(map(int, parts)))
        if len(ids) > MOST_COMPARED:
            raise ValidationError(
                ngettext("You can compare up to %(num)s run.", "You can compare up to %(num)s runs.", MOST_COMPARED)
            )
        return ids


class TrainingQuery(PageQuery):
    status = String(validate=one_of(["pending", "running", "paused", "completed", "failed", "cancelled"]))
    trash = Boolean(load_default=False, metadata={"description": "Runs in the trash instead of the others."})
    dataset_id = Integer(validate=between(1, MAX_ID))
    task = String(validate=one_of(TASKS))
    created_by = creator_filter()
    model = String(validate=Length(max=40), metadata={"description": "yolov8n, or the name of an architecture."})
    search = String(validate=Length(max=100), metadata={"description": "Part of the run's or the dataset's name."})
    sort = String(
        load_default="-created_at",
        validate=one_of([f"{sign}{key}" for key in SORT_KEYS for sign in ("", "-")]),
    )


class TrainingQueryValues(PageQueryValues):
    status: NotRequired[str]
    trash: bool
    dataset_id: NotRequired[int]
    task: NotRequired[str]
    created_by: NotRequired[str]
    model: NotRequired[str]
    search: NotRequired[str]
    sort: str


class CompareQuery(Schema):
    ids = IdList(
        required=True,
        metadata={
            "type": "string",
            "description": "Up to 10 IDs, comma separated: 3,5,8.",
            "pattern": r"^[1-9]\d{0,17}(,[1-9]\d{0,17}){0,9}$",
        },
    )


class CompareQueryValues(TypedDict):
    ids: list[int]


class Counted(Schema):
    name = String()
    trainings = Integer(metadata={"description": "Number of runs."})


class CountedDataset(Counted):
    id = Integer()


class FilterChoices(Schema):
    """What the list can be filtered by."""

    datasets = List(Nested(CountedDataset))
    models = List(Nested(Counted))
    tasks = List(Nested(Counted))


class ComparedCurves(Schema):
    """One training's epochs, as columns of equal length."""

    training_id = Integer()
    epoch = List(Integer())
    time = List(Float(), metadata={"description": "Seconds of training until the end of the epoch, without pauses."})
    loss = List(Float(allow_none=True))
    val_loss = List(Float(allow_none=True))
    precision = List(Float(allow_none=True))
    recall = List(Float(allow_none=True))
    map50 = List(Float(allow_none=True))
    map95 = List(Float(allow_none=True))
    learning_rate = List(Float(allow_none=True))
    fitness = List(Float(allow_none=True))
    seconds = List(Float(allow_none=True))


class CompareOut(Schema):
    """Trainings side by side, in the order of the request."""

    trainings = List(Nested(TrainingBrief))
    curves = List(Nested(ComparedCurves))
    defaults = Dict(metadata={"description": "Values of the other runs for parameters that one run sets."})
    differs = List(
        String(),
        metadata={
            "description": "Why their metrics cannot be ranked: task, dataset, version (of the dataset); or their "
            "losses: model. Empty: they can."
        },
    )
    missing = List(Integer(), metadata={"description": "IDs of runs that don't exist."})
