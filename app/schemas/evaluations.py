"""Requests and responses about evaluations of trained models."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length
from flask_babel import gettext as _
from marshmallow import ValidationError

from app.core.curves import F1Point
from app.core.evaluate import ClassResult, Metrics
from app.core.outcome_files import SizeRecall
from app.core.thresholds import ModelThresholds, Threshold
from app.schemas.base import MAX_ID, DateTime, Message, MessageValues, Schema, StrictFloat, between, one_of
from app.schemas.creators import CreatedBy
from app.schemas.jobs import JobError, JobErrorValues, JobProgress, JobProgressValues
from app.schemas.start import MAX_EPOCH, is_number
from app.schemas.training_views import ThresholdOut

SPLITS = ("val", "test", "train")
NAME = Length(max=200)


class CheckpointField(Raw):
    """`"best"`, `"last"` or the number of an epoch."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if value in ("best", "last") or is_number(value, MAX_EPOCH):
            return str(value)
        raise ValidationError(_("Must be best, last or an epoch number."))


class EvaluationIn(Schema):
    split = String(required=True, validate=one_of(SPLITS))
    dataset_id = Integer(
        strict=True,
        validate=between(1, MAX_ID),
        metadata={"description": "Another dataset than the run's. Its classes are mapped by name."},
    )
    revision = Integer(
        strict=True,
        validate=between(1, 10**9),
        metadata={"description": "Version of the dataset. Default: what the run used; of another one the current."},
    )
    checkpoint = CheckpointField(
        load_default="best", metadata={"description": "best, last or an epoch number.", "example": "best"}
    )
    img_size = Integer(
        strict=True, validate=between(32, 4096), metadata={"description": "px. Default: that of the run."}
    )
    classes = Dict(
        keys=String(validate=Length(1, 200)),
        values=String(allow_none=True, validate=Length(1, 200)),
        validate=Length(max=1000),
        metadata={"description": "The dataset's class: the model's, or null to ignore its objects."},
    )


class EvaluationInValues(TypedDict):
    split: str
    dataset_id: NotRequired[int]
    revision: NotRequired[int]
    checkpoint: str
    img_size: NotRequired[int]
    classes: NotRequired[dict[str, str | None]]


class EvaluationStarted(Message):
    evaluation_id = Integer()
    job_id = Integer()
    status = String()


class EvaluationStartedValues(MessageValues):
    evaluation_id: int
    job_id: int | None
    status: str


class EvaluationDeleted(Message):
    evaluation_id = Integer()


class EvaluationDeletedValues(MessageValues):
    evaluation_id: int


class ClassFigures(Schema):
    """What was measured of one class; only classes that have objects."""

    name = String()
    images = Integer()
    objects = Integer()
    precision = Float(allow_none=True)
    recall = Float(allow_none=True)
    map50 = Float(allow_none=True)
    map95 = Float(allow_none=True)
    best_confidence = Float(allow_none=True, metadata={"description": "Of the best F1; null: there is none."})


class EvaluationDetail(Schema):
    """One checkpoint of a run, measured on a split of a dataset. Figures are null until it is completed."""

    id = Integer()
    training_id = Integer()
    dataset_id = Integer(allow_none=True, metadata={"description": "null: the dataset was deleted."})
    dataset_name = String(allow_none=True)
    revision = Integer(allow_none=True)
    split = String(validate=one_of(SPLITS))
    checkpoint = String()
    created_by = CreatedBy()
    img_size = Integer()
    mapping = Dict(allow_none=True, metadata={"description": "The dataset's class: the model's; null: the same."})
    job_id = Integer(allow_none=True)
    status = String(metadata={"enum": ["pending", "running", "completed", "failed", "cancelled"]})
    progress = Nested(JobProgress)
    error = Nested(JobError, allow_none=True)
    images = Integer(allow_none=True)
    objects = Integer(allow_none=True)
    names = List(String(), metadata={"description": "The model's classes."})
    metrics = Dict(
        allow_none=True,
        metadata={
            "description": "precision, recall, map50, map95 and fitness as `yolo val` has them: of masks for segment, "
            "of keypoints for pose. Of a classification top1, top5 and fitness."
        },
    )
    intervals = Dict(
        allow_none=True,
        metadata={"description": "map50, map95: [low, high], 95% by bootstrap over the images. null: too few images."},
    )
    classes = List(Nested(ClassFigures))
    sizes = Dict(
        allow_none=True,
        metadata={"description": "small (< 32² px), medium, large (≥ 96² px): objects, correct, recall. null: none."},
    )
    best = Dict(allow_none=True, metadata={"description": "confidence, precision, recall, f1 at the best F1."})
    confidence = Float(allow_none=True, metadata={"description": "From here on a detection counts: the best F1."})
    iou = Float(allow_none=True)
    thresholds = List(Nested(ThresholdOut), metadata={"description": "Empty where nothing was detected."})
    speed_ms = Dict(allow_none=True, metadata={"description": "Of an image: preprocess, inference, postprocess."})
    weights_changed = Boolean(
        metadata={
            "description": "The run has another `best` or `last` checkpoint now, so the metrics are of older ones."
        }
    )
    created_at = DateTime()
    ended_at = DateTime(allow_none=True)


class EvaluationFiguresValues(TypedDict):
    """What was measured; None or empty: nothing yet."""

    images: int | None
    objects: int | None
    names: list[str]
    metrics: Metrics | None
    intervals: Mapping[str, list[float]] | None
    classes: list[ClassResult]
    sizes: Mapping[str, SizeRecall] | None
    best: F1Point | None
    confidence: float | None
    iou: float | None
    thresholds: list[Threshold]
    speed_ms: Mapping[str, float] | None


class EvaluationDetailValues(EvaluationFiguresValues):
    id: int
    training_id: int
    dataset_id: int | None
    dataset_name: str | None
    revision: int | None
    split: str
    checkpoint: str
    created_by: int | None
    img_size: int
    mapping: dict[str, str | None] | None
    job_id: int | None
    status: str
    progress: JobProgressValues
    error: JobErrorValues | None
    weights_changed: bool
    created_at: datetime
    ended_at: datetime | None


class ChosenThresholds(Schema):
    """What was chosen for the model of a run. The PUT replaces all of it."""

    confidence = StrictFloat(
        load_default=None,
        allow_none=True,
        validate=between(0, 1),
        metadata={"description": "The Test page and the code under Weights begin with it. Exports have their own."},
    )
    iou = StrictFloat(
        load_default=None,
        allow_none=True,
        validate=between(0, 1),
        metadata={"description": "Stored for clients of the API; the pages don't use it."},
    )
    classes = Dict(
        keys=String(validate=NAME),
        values=StrictFloat(validate=between(0, 1)),
        load_default=dict,
        validate=Length(max=1000),
        metadata={"description": "Confidence by class name; stored for clients of the API, the pages don't use it."},
    )


class ChosenThresholdsValues(ModelThresholds):
    """All of them."""


class EvaluationsOut(Schema):
    evaluations = List(Nested(EvaluationDetail))


class EvaluationsOutValues(TypedDict):
    evaluations: list[EvaluationDetailValues]
