"""What can be chosen about a dataset: as fields of a form, and as JSON."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Field, Float, Integer, List, Nested, String
from apiflask.validators import Length, Range
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError

from app import inputs
from app.core import formats
from app.core.readings import QUESTION_OF
from app.core.tasks import TASKS
from app.schemas.base import (
    Schema,
    StrictBoolean,
    between,
    one_of,
)

FORMATS = formats.KEYS


def share() -> Range:
    """Without training and validation images nothing can be trained."""
    return Range(0, 1_000_000, min_inclusive=False, error=_l("Must be greater than 0, and at most 1,000,000."))


class SplitIn(Schema):
    """The shares of a new split; they need not sum up to anything."""

    train = Float(load_default=80.0, validate=share(), metadata={"exclusiveMinimum": 0})
    val = Float(load_default=15.0, validate=share(), metadata={"exclusiveMinimum": 0})
    test = Float(load_default=5.0, validate=between(0, 1_000_000))
    seed = Integer(strict=True, load_default=0, validate=between(0, 2**31 - 1))


class SplitInValues(TypedDict):
    train: float
    val: float
    test: float
    seed: int


class JSONField(Field):
    """A JSON value in a form field, loaded by another field."""

    def __init__(self, inner: Field, **options: Any) -> None:
        described = {"type": "string", "contentMediaType": "application/json", "example": ""}
        super().__init__(**options | {"metadata": described | options.get("metadata", {})})
        self.inner = inner

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, object] | None, **options: Any) -> Any:
        if not value:
            return None
        try:
            value = inputs.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            raise ValidationError(_("Must be JSON.")) from error
        if messages := list(dict.fromkeys(message for _name, message in inputs.first(inputs.faults(value)))):
            raise ValidationError(messages)
        return self.inner.deserialize(value, attr, data, **options)


class Readings(Field):
    """Readings: a list, or one text with commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[str] | None:
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise ValidationError(_("Must be the name of a reading or a list of them."))
        names = [item.strip() for item in values if item.strip()]
        if wrong := [item for item in names if item not in QUESTION_OF]:
            text = _(
                "“%(name)s” isn't a reading. Available: %(known)s.", name=wrong[0][:40], known=", ".join(QUESTION_OF)
            )
            raise ValidationError(text)
        return names or None


def class_name(**options: Any) -> String:
    return String(validate=Length(1, 200), **options)


def names_list() -> List:
    return List(class_name(), validate=Length(1, 10_000))


def renamed() -> Dict:
    return Dict(keys=class_name(), values=class_name(), validate=Length(max=10_000))


ROOT = {"description": "Folder of the ZIP with the dataset; none: the outermost, largest complete dataset."}
MERGE = {"description": "Merge all datasets of the ZIP; classes are matched by name."}
NAMES = {"description": "Class names in class ID order; they take precedence over data.yaml."}
RENAME = {"description": 'New names by old ones, {"old": "new"}; classes that get the same name are merged.'}
SPLIT = {
    "description": "New split: shares of train, val and test, and a seed. Near-duplicates and images from "
    "one source stay together."
}
FORMAT = {"description": "Format to use if a folder has several."}
READING = {
    "description": "What numbers and texts of the annotations mean, where the import would choose otherwise: "
    "readings such as corners or one_based, of different questions; see `report.decisions`.",
    "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "enum": sorted(QUESTION_OF)}}],
}
TASK = {"description": "Task of the labels; auto: detected from the labels."}


class OptionFields(Schema):
    """What can be chosen at an import, as form fields."""

    task = String(load_default="auto", validate=one_of(["auto", *TASKS]), metadata=TASK)
    classes = String(
        load_default="",
        validate=Length(max=100_000),
        metadata={"description": "Class names, comma separated, in class ID order. data.yaml has precedence."},
    )
    root = String(validate=Length(max=2000), metadata=ROOT)
    merge = Boolean(load_default=False, metadata=MERGE)
    names = JSONField(names_list(), metadata=NAMES)
    rename = JSONField(renamed(), metadata=RENAME)
    split = JSONField(Nested(SplitIn), metadata=SPLIT)
    format = String(validate=one_of(FORMATS), metadata=FORMAT)
    reading = Readings(metadata=READING)


class OptionFieldsValues(TypedDict):
    task: str
    classes: str
    root: NotRequired[str]
    merge: bool
    names: NotRequired[list[str] | None]
    rename: NotRequired[dict[str, str] | None]
    split: NotRequired[SplitInValues | None]
    format: NotRequired[str]
    reading: NotRequired[list[str] | None]


class ChoicesIn(Schema):
    """What can be chosen about a dataset, as JSON."""

    root = String(validate=Length(max=2000), allow_none=True, metadata=ROOT)
    merge = StrictBoolean(metadata=MERGE)
    classes = String(validate=Length(max=100_000))
    names = List(class_name(), validate=Length(max=10_000), allow_none=True, metadata=NAMES)
    rename = Dict(keys=class_name(), values=class_name(), validate=Length(max=10_000), allow_none=True, metadata=RENAME)
    split = Nested(SplitIn, allow_none=True, metadata=SPLIT)
    task = String(validate=one_of(["auto", *TASKS]), metadata=TASK)
    format = String(validate=one_of(FORMATS), allow_none=True, metadata=FORMAT)
    reading = Readings(allow_none=True, metadata=READING)


class ChoicesInValues(TypedDict):
    root: NotRequired[str | None]
    merge: NotRequired[bool]
    classes: NotRequired[str]
    names: NotRequired[list[str] | None]
    rename: NotRequired[dict[str, str] | None]
    split: NotRequired[SplitInValues | None]
    task: NotRequired[str]
    format: NotRequired[str | None]
    reading: NotRequired[list[str] | None]
