"""Requests and responses of a model's predict endpoint."""

import json
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Dict, File, Float, Integer, List, Raw, String
from apiflask.validators import Length
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError
from werkzeug.datastructures import FileStorage

from app.core.shapes import Detection
from app.schemas.base import Schema, between, one_of
from app.schemas.tests import DETECTIONS

FORMATS = ("json", "yolo")


class ThresholdMap(Dict):
    """Confidence by class name; as text, in a form or a query string, it is JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise ValidationError(str(_l("Must be a JSON object of class names and confidences."))) from None
        return super()._deserialize(value, attr, data, **more)


class PredictQuery(Schema):
    """What is not given is as it was chosen for the model."""

    confidence = Float(
        validate=between(0, 1), metadata={"description": "For all classes. Default: the model's, or 0.5."}
    )
    iou = Float(validate=between(0, 1), metadata={"description": "Of NMS. Default: the model's, or 0.5."})
    classes = ThresholdMap(
        keys=String(validate=Length(1, 200)),
        values=Float(validate=between(0, 1)),
        validate=Length(max=1000),
        metadata={
            "type": "string",
            "description": "Confidence by class name, as JSON. Default: the model's, unless `confidence` is given.",
        },
    )
    format = String(
        load_default="json", validate=one_of(FORMATS), metadata={"description": "yolo: also return `labels`."}
    )


class RequestedLimits(TypedDict):
    """From where on a detection counts, where a request says so; `classes`: confidence by class name."""

    confidence: NotRequired[float]
    iou: NotRequired[float]
    classes: NotRequired[dict[str, float]]


class PredictQueryValues(RequestedLimits):
    format: str


class PredictForm(Schema):
    """The image as a form's file; the query's parameters may be fields of the form."""

    file = File(metadata={"description": "The image."})
    confidence = Float(validate=between(0, 1))
    iou = Float(validate=between(0, 1))
    classes = ThresholdMap(
        keys=String(validate=Length(1, 200)),
        values=Float(validate=between(0, 1)),
        validate=Length(max=1000),
        metadata={"type": "string"},
    )
    format = String(validate=one_of(FORMATS))


class PredictFormValues(RequestedLimits):
    file: NotRequired[FileStorage]
    format: NotRequired[str]


class PredictionOut(Schema):
    training_id = Integer()
    detections = List(Raw(), metadata={"description": DETECTIONS})
    labels = List(String(), metadata={"description": "With `format=yolo`: a label line for each detection."})
    width = Integer(metadata={"description": "Pixels of the upright image."})
    height = Integer()
    task = String()
    confidence = Float(metadata={"description": "The thresholds that were used."})
    iou = Float()
    classes = Dict(metadata={"description": "Confidence by class name, where it is another one."})
    engine = String(metadata={"description": "What ran the model: pytorch or openvino."})
    engine_note = String(allow_none=True, metadata={"description": "Why a faster engine could not be used."})
    device = String()
    precision = String(
        metadata={"description": "single, half on a GPU, or bfloat16 of a CPU on which the export was verified so."}
    )
    batch = Integer(metadata={"description": "Images that ran together."})
    speed_ms = Dict(metadata={"description": "preprocess, inference, postprocess; total: from reading the image on."})


class PredictionOutValues(TypedDict):
    training_id: int
    detections: list[Detection]
    labels: NotRequired[list[str]]
    width: int
    height: int
    task: str
    confidence: float
    iou: float
    classes: dict[str, float]
    engine: str
    engine_note: str | None
    device: str
    precision: str
    batch: int
    speed_ms: dict[str, float]
