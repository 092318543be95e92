"""Answers with sensible values for a training, and with what is unusual about given ones."""

from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length

from app.schemas.base import Schema, one_of


class ReasonOut(Schema):
    field = String()
    message = String()


class ReasonOutValues(TypedDict):
    field: str
    message: str


class PresetValues(Schema):
    """As POST /api/trainings takes them; what is not here is left out there, too."""

    model_version = String()
    img_size = Integer()
    batch_size = Integer()
    epochs = Integer()


class PresetValuesValues(TypedDict):
    model_version: str
    img_size: int
    batch_size: int
    epochs: int


class DefaultsQuery(Schema):
    start = String(
        load_default="auto",
        validate=one_of(["auto", "official", "scratch", "training"]),
        metadata={"description": "What the run will start from: from scratch it needs more epochs."},
    )


class DefaultsQueryValues(TypedDict):
    start: str


class WeightsQuery(Schema):
    model = String(required=True, validate=Length(1, 40), metadata={"description": "Such as yolov8n or yolo11s-seg."})


class WeightsQueryValues(TypedDict):
    model: str


class WeightsOut(Schema):
    """Whether pretrained weights can be had."""

    name = String(metadata={"description": "Of the file."})
    state = String(metadata={"enum": ["cached", "available", "unavailable", "checking"]})
    cause = String(allow_none=True, metadata={"enum": ["off", "missing", "unreachable"]})
    size_bytes = Integer(allow_none=True)
    message = String()


class WeightsOutValues(TypedDict):
    name: str
    state: str
    cause: str | None
    size_bytes: int | None
    message: str


class PresetOut(Schema):
    name = String(metadata={"enum": ["quick", "balanced", "best"]})
    title = String()
    description = String()
    scratch = Boolean(metadata={"description": "It starts without pretrained weights: more epochs are proposed."})
    checking = Boolean(
        metadata={
            "description": "It isn't known yet whether pretrained weights can be had. `epochs` and `seconds` are those "
            "with them until then: ask again in a second."
        }
    )
    seconds = Float(allow_none=True, metadata={"description": "Of the whole run, once measured or done before."})
    values = Nested(PresetValues)
    reasons = List(Nested(ReasonOut))


class PresetOutValues(TypedDict):
    name: str
    title: str
    description: str
    scratch: bool
    checking: bool
    seconds: NotRequired[float | None]
    values: PresetValuesValues
    reasons: list[ReasonOutValues]


class FactsOut(Schema):
    """What the values were made from. Sizes of pictures and objects in px, null where they are not known."""

    train_images = Integer()
    val_images = Integer()
    classes = Integer()
    objects = Integer(allow_none=True)
    picture_size = Integer(allow_none=True, metadata={"description": "The median longer side."})
    small_object = Float(allow_none=True, metadata={"description": "A tenth of the objects has a smaller side."})
    device = String(metadata={"description": "cpu, or the number of a GPU."})
    device_name = String()
    memory = Integer(metadata={"description": "Bytes of the GPU; without one, of the machine."})
    cores = Integer()


class FactsOutValues(TypedDict):
    train_images: int
    val_images: int
    classes: int
    objects: int | None
    picture_size: int | None
    small_object: float | None
    device: str
    device_name: str
    memory: int
    cores: int


class DefaultsOut(Schema):
    recommended = String()
    presets = List(Nested(PresetOut))
    facts = Nested(FactsOut)


class DefaultsOutValues(TypedDict):
    recommended: str
    presets: list[PresetOutValues]
    facts: FactsOutValues


class ChangeOut(Schema):
    field = String()
    value = Raw()


class ChangeOutValues(TypedDict):
    field: str
    value: Any


class WarningOut(Schema):
    field = String()
    code = String()
    message = String()
    change = Nested(ChangeOut, allow_none=True, metadata={"description": "What would be usual."})


class WarningOutValues(TypedDict):
    field: str
    code: str
    message: str
    change: ChangeOutValues | None


class ChecksOut(Schema):
    warnings = List(Nested(WarningOut))


class ChecksOutValues(TypedDict):
    warnings: list[WarningOutValues]
