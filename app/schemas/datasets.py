"""Requests and responses about datasets and their findings."""

from apiflask.fields import Dict, File, Integer, List, Nested, String
from apiflask.validators import Length

from app.schemas.base import DateTime, Message, Page, PageQuery, Schema, name_field, one_of

TASKS = ("detect", "segment", "pose", "obb", "classify")


class DatasetQuery(PageQuery):
    status = String(validate=one_of(["pending", "validating", "valid", "invalid"]))
    search = String(validate=Length(max=100))
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "total_images", "-total_images"]),
    )


class FindingQuery(PageQuery):
    severity = String(validate=one_of(["error", "warning", "info"]))


class DatasetForm(Schema):
    """The upload form of the specification."""

    file = File(required=True)
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))
    task = String(
        load_default="auto",
        validate=one_of(["auto", *TASKS]),
        metadata={"description": "What the labels are for; auto: as they show it."},
    )
    classes = String(
        load_default="",
        validate=Length(max=100_000),
        metadata={"description": "Class names, comma separated, in the order of their numbers. data.yaml comes first."},
    )


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


class DatasetPage(Page):
    datasets = List(Nested(DatasetOut))


class DatasetCreated(Message):
    dataset_id = Integer()
    status = String()


class FindingOut(Schema):
    id = Integer()
    severity = String()
    code = String()
    file = String(allow_none=True)
    line = Integer(allow_none=True)
    message = String()


class FindingPage(Page):
    findings = List(Nested(FindingOut))
