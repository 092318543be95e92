"""The requests and answers about exports of models."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length
from flask_babel import gettext as _
from marshmallow import ValidationError

from app.core.exports import ExportArguments, ExportOptions, Verification
from app.core.image_size import STRIDE
from app.core.thresholds import Threshold
from app.schemas.base import DateTime, Message, MessageValues, Schema, StrictBoolean, between
from app.schemas.creators import CreatedBy
from app.schemas.jobs import STATUSES, JobProgress, JobProgressValues
from app.schemas.training_views import ThresholdOut


def multiple_of_stride(value: int) -> None:
    if value % STRIDE:
        raise ValidationError(_("Must be a multiple of 32."))


class ExportFormatOut(Schema):
    format = String()
    label = String()
    available = Boolean()
    reason = String(allow_none=True, metadata={"description": "Why this server can't make and verify it."})
    arguments = List(String(), metadata={"description": "What a request of this format may have."})
    int8_reason = String(allow_none=True, metadata={"description": "Why there is no INT8, where only that is missing."})


class ExportFormatOutValues(TypedDict):
    format: str
    label: str
    available: bool
    reason: str | None
    arguments: list[str]
    int8_reason: str | None


class ExportFormatsOut(Schema):
    formats = List(Nested(ExportFormatOut))


class ExportFormatsOutValues(TypedDict):
    formats: list[ExportFormatOutValues]


class ModelExportIn(Schema):
    format = String(required=True, validate=Length(1, 30), metadata={"description": "Of GET /api/export-formats."})
    img_size = Integer(
        strict=True,
        validate=[between(32, 4096), multiple_of_stride],
        metadata={"description": "Of the input, px. Default: that of the run."},
    )
    half = StrictBoolean(metadata={"description": "FP16."})
    int8 = StrictBoolean(metadata={"description": "INT8, calibrated on images of the training split."})
    dynamic = StrictBoolean(metadata={"description": "Input of any size."})
    nms = StrictBoolean(metadata={"description": "With non-maximum suppression inside."})
    batch = Integer(strict=True, validate=between(1, 64))
    opset = Integer(strict=True, validate=between(11, 22), metadata={"description": "Of ONNX."})


class ModelExportInValues(ExportOptions):
    format: str
    img_size: NotRequired[int]


class ModelExportStarted(Message):
    export_id = Integer()
    job_id = Integer(allow_none=True)
    status = String()


class ModelExportDeleted(Message):
    export_id = Integer()


class ModelExportDeletedValues(MessageValues):
    export_id: int


class ExportErrorOut(Schema):
    code = String()
    message = String()


class ExportErrorOutValues(TypedDict):
    code: str
    message: str


class VerificationOut(Schema):
    """What was measured of the export and of the .pt, on the same validation images."""

    images = Integer()
    precision = Float(allow_none=True)
    recall = Float(allow_none=True)
    map50 = Float(allow_none=True)
    map95 = Float(allow_none=True)
    top1 = Float(metadata={"description": "Of a classification, in the place of the others."})
    top5 = Float()
    reference = Dict(metadata={"description": "The same of the .pt, with its latency_ms."})
    at_threshold = Dict(
        allow_none=True,
        metadata={
            "description": "confidence, precision, recall, f1 at the threshold that is shipped; moved: it is not that "
            "of the .pt, whose own is in reference. null: a classification, or nothing was detected."
        },
    )
    confidence_shift = Float(
        allow_none=True, metadata={"description": "Median change of a detection's confidence, against the .pt."}
    )
    agreement = Float(allow_none=True, metadata={"description": "Share of the .pt's detections that it has, too."})
    loss = Float(metadata={"description": "Of mAP50-95 (of top1), against the .pt."})
    allowed_loss = Float()
    conclusive = Boolean(
        metadata={"description": "false: the .pt detects almost nothing in these images, so its figures prove little."}
    )
    latency_ms = Dict(
        metadata={"description": "p50, p95 and least of the model alone, `batch` images at once, on `device`."}
    )
    busy = Boolean(
        metadata={"description": "Other work used the CPU meanwhile: latency_ms is too high, and can't be compared."}
    )
    batch = Integer(metadata={"description": "Images that it takes at once; the .pt is measured with one."})
    device = String()


class ModelExportOut(Schema):
    id = Integer()
    training_id = Integer()
    format = String()
    label = String()
    arguments = Dict()
    status = String(metadata={"enum": list(STATUSES)})
    progress = Nested(JobProgress, allow_none=True)
    job_id = Integer(allow_none=True)
    error = Nested(
        ExportErrorOut,
        allow_none=True,
        metadata={"description": "accuracy_lost: it was measured, and is not offered."},
    )
    notes = List(String())
    size_bytes = Integer(allow_none=True)
    verification = Nested(VerificationOut, allow_none=True)
    threshold = Float(allow_none=True, metadata={"description": "The confidence threshold that is shipped with it."})
    thresholds = List(Nested(ThresholdOut))
    weights_sha256 = String()
    weights_changed = Boolean(metadata={"description": "The run has other weights now: this file is of older ones."})
    created_at = DateTime()
    created_by = CreatedBy()
    ended_at = DateTime(allow_none=True)
    url = String(allow_none=True, metadata={"description": "Of the ZIP; null: it is not offered."})


class ModelExportOutValues(TypedDict):
    id: int
    training_id: int
    format: str
    label: str
    arguments: ExportArguments
    status: str
    progress: JobProgressValues | None
    job_id: int | None
    error: ExportErrorOutValues | None
    notes: list[str]
    size_bytes: int | None
    verification: Verification | None
    threshold: float | None
    thresholds: list[Threshold]
    weights_sha256: str
    weights_changed: bool
    created_at: datetime
    created_by: int | None
    ended_at: datetime | None
    url: str | None


class ModelExportsOut(Schema):
    exports = List(Nested(ModelExportOut))


class ModelExportsOutValues(TypedDict):
    exports: list[ModelExportOutValues]
