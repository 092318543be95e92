"""Requests and responses: shapes, types and ranges. Pure: no database, no files."""

from typing import Any

from apiflask import Schema as BaseSchema
from apiflask.fields import Boolean, Dict, Field, File, Float, Integer, List, Nested, Raw, String
from apiflask.fields import DateTime as BaseDateTime
from apiflask.validators import Length, OneOf, Range, Regexp
from flask_babel import lazy_gettext as _l
from marshmallow import RAISE, pre_load

MODEL_VERSIONS = ("n", "s", "m", "l", "x")
MAX_ID = 2**63 - 1

Integer.default_error_messages = Integer.default_error_messages | {"invalid": _l("Not a whole number.")}
Float.default_error_messages = Float.default_error_messages | {
    "invalid": _l("Not a number."),
    "special": _l("Not a finite number."),
    "too_large": _l("The number is too large."),
}
String.default_error_messages = String.default_error_messages | {"invalid": _l("Not a text.")}
Field.default_error_messages = Field.default_error_messages | {
    "required": _l("This field is missing."),
    "null": _l("This field must not be null."),
}
Boolean.default_error_messages = Boolean.default_error_messages | {"invalid": _l("Not true or false.")}
File.default_error_messages = File.default_error_messages | {"invalid": _l("Not a file.")}


class Schema(BaseSchema):
    """Unknown keys are refused, so that a misspelt one is noticed."""

    error_messages = {  # noqa: RUF012 (marshmallow declares it so)
        "unknown": _l("Unknown field."),
        "type": _l("The body must be a JSON object."),
    }

    class Meta:
        unknown = RAISE


class DateTime(BaseDateTime):
    """UTC, ISO 8601 with Z, as the specification writes it."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        text = super()._serialize(value, attr, obj, **kwargs)
        return text.removesuffix("+00:00") + "Z" if isinstance(text, str) and text.endswith("+00:00") else text


def between(low: float, high: float) -> Range:
    """A range with a message that says it."""
    return Range(low, high, error=_l("Must be between %(low)s and %(high)s.", low=low, high=high))


def one_of(choices: Any) -> OneOf:
    """An allow-list with a message that lists it."""
    return OneOf(choices, error=_l("Must be one of: %(choices)s.", choices=", ".join(choices)))


def name_field(**options: Any) -> String:
    """A name of 1 to 100 visible characters."""
    return String(
        validate=[
            Length(1, 100, error=_l("Must have 1 to 100 characters.")),
            Regexp(r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$", error=_l("Must have visible characters only.")),
        ],
        **options,
    )


class PageQuery(Schema):
    """Which part of a list, and in which order."""

    page = Integer(load_default=1, validate=between(1, 1_000_000), metadata={"description": "From 1."})
    per_page = Integer(load_default=10, validate=between(1, 100))


class DatasetQuery(PageQuery):
    status = String(validate=one_of(["pending", "validating", "valid", "invalid"]))
    search = String(validate=Length(max=100))
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "total_images", "-total_images"]),
    )


class TrainingQuery(PageQuery):
    status = String(validate=one_of(["pending", "running", "completed", "failed", "cancelled"]))
    dataset_id = Integer(validate=between(1, MAX_ID))
    search = String(validate=Length(max=100))
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "status", "-status", "map50", "-map50"]),
    )


class TestQuery(PageQuery):
    training_id = Integer(validate=between(1, MAX_ID))


class FindingQuery(PageQuery):
    severity = String(validate=one_of(["error", "warning", "info"]))


class LogQuery(Schema):
    after = Integer(load_default=0, validate=between(0, MAX_ID), metadata={"description": "Byte position."})


class Page(Schema):
    total = Integer()
    page = Integer()
    per_page = Integer()
    pages = Integer()


class Message(Schema):
    message = String()


class DatasetForm(Schema):
    """The upload form of the specification."""

    file = File(required=True)
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))
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


class TrainingIn(Schema):
    """The payload of the specification; what is left out takes the server's default.

    `name` defaults to dataset and model, `learning_rate` to ultralytics' own choice of optimizer and rate.
    """

    name = name_field()
    dataset_id = Integer(required=True, strict=True, validate=between(1, MAX_ID))
    model_version = String(validate=one_of(MODEL_VERSIONS))
    epochs = Integer(strict=True, validate=between(1, 10_000))
    batch_size = Integer(strict=True, validate=between(1, 4096))
    img_size = Integer(strict=True, validate=between(32, 4096))
    learning_rate = Float(validate=between(1e-7, 1.0))
    params = Dict(keys=String(), values=Raw(allow_none=True), load_default=dict)

    @pre_load
    def refuse_numbers_in_text(self, data: Any, **_: Any) -> Any:
        """JSON has numbers; "0.01" is a mistake that marshmallow's Float would accept."""
        if isinstance(data, dict) and isinstance(data.get("learning_rate"), str | bool):
            return data | {"learning_rate": object()}
        return data


class MetricOut(Schema):
    """One epoch."""

    epoch = Integer()
    loss = Float(allow_none=True)
    precision = Float(allow_none=True)
    recall = Float(allow_none=True)
    map50 = Float(allow_none=True)
    map95 = Float(allow_none=True)
    val_loss = Float(allow_none=True)
    learning_rate = Float(allow_none=True)
    timestamp = DateTime()
    parts = Dict()
    seconds = Float(allow_none=True)


class MetricsOut(Schema):
    epochs = List(Nested(MetricOut))


class NoteOut(Schema):
    code = String()
    message = String()


class TrainingOut(Schema):
    id = Integer()
    name = String()
    dataset_id = Integer()
    dataset_name = String()
    model_version = String()
    epochs = Integer()
    batch_size = Integer()
    img_size = Integer()
    learning_rate = Float()
    status = String()
    current_epoch = Integer()
    total_epochs = Integer(allow_none=True)
    start_time = DateTime(allow_none=True)
    end_time = DateTime(allow_none=True)
    model_path = String(allow_none=True)
    config_path = String(allow_none=True)
    log_path = String(allow_none=True)
    created_at = DateTime()
    updated_at = DateTime()
    params = Dict()
    device = String(allow_none=True)
    weights = String(allow_none=True)
    notes = List(Nested(NoteOut))
    error = String(allow_none=True)
    error_kind = String(allow_none=True)
    eta = Float(allow_none=True)
    duration = Float(allow_none=True)
    stop_requested = Boolean()
    downloadable = Boolean()
    best = Nested(MetricOut, allow_none=True, metadata={"description": "The epoch with the best fitness so far."})
    progress = Dict()
    seq = Integer()


class TrainingPage(Page):
    trainings = List(Nested(TrainingOut))


class TrainingCreated(Message):
    training_id = Integer()
    status = String()


class CsvOut(Schema):
    """results.csv as ultralytics wrote it."""

    columns = List(String())
    rows = List(List(Raw(allow_none=True)))


class LogOut(Schema):
    text = String()
    offset = Integer(metadata={"description": "Send it as `after` to get what follows."})


class TestForm(Schema):
    """The test form of the specification."""

    file = File(required=True)
    training_id = Integer(required=True, validate=between(1, MAX_ID))
    confidence = Float(load_default=0.5, validate=between(0, 1))
    iou = Float(load_default=0.5, validate=between(0, 1))


class DetectionOut(Schema):
    class_ = String(data_key="class")
    confidence = Float()
    bbox = List(Float(), metadata={"description": "x1, y1, x2, y2 in pixels of the image."})
    center = List(Float())
    area = Float()


class TestCreated(Schema):
    test_id = Integer()
    detections = List(Raw(), metadata={"description": "class, confidence, bbox [x1, y1, x2, y2], center, area"})
    inference_time = Float(metadata={"description": "ms, the model alone"})
    total_time = Float(metadata={"description": "ms, with reading and drawing"})
    image_url = String()


class TestOut(TestCreated):
    id = Integer()
    training_id = Integer()
    training_name = String()
    confidence_threshold = Float()
    iou_threshold = Float()
    created_at = DateTime()


class TestPage(Page):
    tests = List(Nested(TestOut))
