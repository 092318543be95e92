"""Requests and responses about datasets; about their versions see revisions.py."""

from collections.abc import Mapping
from typing import Any

from apiflask.fields import Boolean, Dict, Field, File, Float, Integer, List, Nested, String
from apiflask.validators import Length, Range
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError

from app import inputs
from app.core import formats
from app.core.readings import QUESTION_OF
from app.core.tasks import TASKS
from app.schemas.base import DateTime, Message, Page, PageQuery, Schema, StrictBoolean, between, name_field, one_of
from app.schemas.creators import CreatedBy, SharedOut, creator_filter, shared_field

FORMATS = formats.KEYS
EXPORTS = ("yolo", "coco", "voc")


class DatasetQuery(PageQuery):
    status = String(validate=one_of(["pending", "validating", "valid", "invalid"]))
    search = String(validate=Length(max=100))
    created_by = creator_filter()
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "total_images", "-total_images"]),
    )


def share() -> Range:
    """Without training and validation images nothing can be trained."""
    return Range(0, 1_000_000, min_inclusive=False, error=_l("Must be greater than 0, and at most 1,000,000."))


class SplitIn(Schema):
    """The shares of a new split; they need not sum up to anything."""

    train = Float(load_default=80.0, validate=share(), metadata={"exclusiveMinimum": 0})
    val = Float(load_default=15.0, validate=share(), metadata={"exclusiveMinimum": 0})
    test = Float(load_default=5.0, validate=between(0, 1_000_000))
    seed = Integer(strict=True, load_default=0, validate=between(0, 2**31 - 1))


class JSONField(Field):
    """A JSON value in a form field, loaded by another field."""

    def __init__(self, inner: Field, **options: Any) -> None:
        described = {"type": "string", "contentMediaType": "application/json", "example": ""}
        super().__init__(**options | {"metadata": described | options.get("metadata", {})})
        self.inner = inner

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> Any:
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


class DatasetForm(OptionFields):
    """The upload form of the specification, with our options."""

    file = File(required=True)
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))


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


class ImportIn(ChoicesIn):
    """A folder of the server as a dataset."""

    path = String(required=True, validate=Length(1, 2000), metadata={"description": "Below IMPORT_ROOT."})
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))


class ImportQuery(Schema):
    path = String(load_default="", validate=Length(max=600))  # so that it fits a line of a request


class FolderOut(Schema):
    name = String()
    path = String(metadata={"description": "Below IMPORT_ROOT."})
    images = Integer(metadata={"description": "Directly in it."})


class FoldersOut(Schema):
    path = String()
    parent = String(allow_none=True)
    images = Integer()
    folders = List(Nested(FolderOut))
    truncated = Boolean()


class OriginalOut(Schema):
    name = String()
    bytes = Integer()


class LeftOutOut(Schema):
    code = String()
    count = Integer()
    message = String()


class SummaryOut(Schema):
    used = Integer()
    total = Integer()
    left_out = List(Nested(LeftOutOut))


class ProgressOut(Schema):
    stage = String(metadata={"description": "reading, scanning, splitting, building or checking."})
    done = Integer()
    total = Integer()
    revision = Integer()


class DatasetOut(Schema):
    id = Integer()
    name = String()
    description = String(allow_none=True)
    classes = List(String())
    total_images = Integer()
    train_images = Integer()
    val_images = Integer()
    test_images = Integer()
    status = String()
    created_at = DateTime()
    updated_at = DateTime()
    task = String()
    size_bytes = Integer()
    error = String(allow_none=True)
    report = Dict()
    revision = Integer(allow_none=True)
    format = String(allow_none=True)
    original = Nested(OriginalOut, allow_none=True)
    samples = List(String())
    summary = Nested(SummaryOut, allow_none=True)
    needs_review = Boolean(metadata={"description": "Whether the import chose a reading that is not confirmed yet."})
    progress = Nested(ProgressOut, allow_none=True)
    trainings = Integer(
        metadata={"description": "Runs that use it. While there are any, the dataset can't be deleted."}
    )
    trashed = Integer(metadata={"description": "Runs in the trash that use it; they count as well."})
    damaged = List(String(), metadata={"description": "Files that could not be read and were set aside."})
    created_by = CreatedBy()
    shared = SharedOut()


class DatasetPatch(Schema):
    """What can be changed at any time; what is left out stays."""

    name = name_field()
    description = String(validate=Length(max=5000))
    shared = shared_field()


class SampleOut(Schema):
    """The sample dataset that is there; null: there is none."""

    dataset_id = Integer(allow_none=True)
    name = String(allow_none=True)
    status = String(allow_none=True)


class DatasetPage(Page):
    datasets = List(Nested(DatasetOut))


class DatasetCreated(Message):
    dataset_id = Integer()
    status = String()


class ExportQuery(Schema):
    format = String(required=True, validate=one_of(EXPORTS))
    revision = Integer(validate=between(1, 2**31 - 1))
