"""Requests and responses of predictions that are jobs."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, File, Float, Integer, List, Nested, String
from apiflask.validators import Length
from werkzeug.datastructures import FileStorage

from app.core.predictions import ClassCount, Media, SkippedFiles
from app.schemas.base import (
    MAX_ID,
    DateTime,
    Message,
    MessageValues,
    Page,
    PageQuery,
    PageQueryValues,
    PageValues,
    Schema,
    between,
)
from app.schemas.creators import CreatedBy, creator_filter
from app.schemas.jobs import STATUSES, JobProgress, JobProgressValues
from app.schemas.predictions import RequestedLimits, ThresholdMap
from app.schemas.tests import CheckpointChoice


class PredictionRunForm(CheckpointChoice):
    """Thresholds that are not sent are those that were chosen for the model."""

    file = File(metadata={"description": "A video (MP4, MOV, AVI, MKV or WebM), or a ZIP of images."})
    files = List(File(), metadata={"description": "Images, in the place of `file`."})
    training_id = Integer(required=True, validate=between(1, MAX_ID))
    confidence = Float(validate=between(0, 1))
    iou = Float(validate=between(0, 1))
    classes = ThresholdMap(
        keys=String(validate=Length(1, 200)),
        values=Float(validate=between(0, 1)),
        validate=Length(max=1000),
        metadata={"type": "string", "description": "Confidence by class name, as JSON."},
    )
    track = Boolean(load_default=True, metadata={"description": "Follow objects from frame to frame (ByteTrack)."})


class RequestedRun(RequestedLimits):
    """What a request says of the model, beside what it sends to it."""

    training_id: int
    checkpoint: NotRequired[str]
    track: bool


class PredictionRunFormValues(RequestedRun):
    file: NotRequired[FileStorage]
    files: NotRequired[list[FileStorage]]


class PredictionRunStarted(Message):
    prediction_id = Integer()
    job_id = Integer(allow_none=True)
    status = String()


class PredictionRunQuery(PageQuery):
    training_id = Integer(validate=between(1, MAX_ID))
    created_by = creator_filter()


class PredictionRunQueryValues(PageQueryValues):
    training_id: NotRequired[int]
    created_by: NotRequired[str]


class PredictionFileQuery(Schema):
    download = Boolean(load_default=False, metadata={"description": "Have browsers save the file."})


class PredictionFileQueryValues(TypedDict):
    download: bool


class PredictionRunDeleted(Message):
    prediction_id = Integer()


class PredictionRunDeletedValues(MessageValues):
    prediction_id: int


class PredictionErrorOut(Schema):
    code = String()
    message = String()


class PredictionErrorOutValues(TypedDict):
    code: str
    message: str


class MediaOut(Schema):
    width = Integer(metadata={"description": "Pixels of the upright frames."})
    height = Integer()
    frames = Integer(metadata={"description": "That were analyzed."})
    duration = Float(metadata={"description": "s"})
    codec = String()
    cut = Boolean(metadata={"description": "The video goes on, but a limit was reached."})
    damaged = Integer(metadata={"description": "Parts of the file that can't be decoded."})


class FoundOut(Schema):
    class_ = String(data_key="class", attribute="class")
    detections = Integer()
    tracks = Integer(metadata={"description": "Objects that were followed."})


class UnreadImageOut(Schema):
    image = String()
    message = String()


class UnreadImageOutValues(TypedDict):
    image: str
    message: str


class UnreadOut(Schema):
    count = Integer()
    first = List(Nested(UnreadImageOut), metadata={"description": "At most 50. `detections.json` has all."})


class UnreadOutValues(TypedDict):
    count: int
    first: list[UnreadImageOutValues]


class SkippedFilesOut(Schema):
    count = Integer()
    first = List(String())


class ImagesOut(Schema):
    read = Integer(metadata={"description": "Images that were analyzed."})
    unread = Nested(UnreadOut, metadata={"description": "Images that can't be read."})
    skipped = Nested(SkippedFilesOut, metadata={"description": "Files that are no images."})


class ImagesOutValues(TypedDict):
    read: int
    unread: UnreadOutValues
    skipped: SkippedFiles


class PredictionFileOut(Schema):
    name = String(metadata={"description": "video.mp4 or video.webm, detections.json, detections.csv, labels.zip"})
    size_bytes = Integer()
    url = String()


class PredictionFileOutValues(TypedDict):
    name: str
    size_bytes: int
    url: str


class PredictionRunOut(Schema):
    id = Integer()
    training_id = Integer()
    training_name = String()
    source = String(metadata={"enum": ["video", "images"]})
    filename = String()
    input_bytes = Integer()
    status = String(metadata={"enum": list(STATUSES)})
    progress = Nested(JobProgress, allow_none=True, metadata={"description": "done, total: frames or images"})
    job_id = Integer(allow_none=True)
    error = Nested(PredictionErrorOut, allow_none=True)
    confidence = Float()
    iou = Float()
    classes = Dict(metadata={"description": "Confidence by class name, where it is another one."})
    track = Boolean()
    checkpoint = String(allow_none=True)
    media = Nested(MediaOut, allow_none=True)
    images = Nested(ImagesOut, allow_none=True)
    found = List(Nested(FoundOut), allow_none=True)
    task = String(allow_none=True)
    tracked = Boolean(allow_none=True)
    engine = String(allow_none=True, metadata={"description": "What ran the model: pytorch or openvino."})
    engine_note = String(allow_none=True)
    device = String(allow_none=True)
    rate = Float(allow_none=True, metadata={"description": "Frames or images a second."})
    files = List(Nested(PredictionFileOut))
    created_at = DateTime()
    created_by = CreatedBy()
    ended_at = DateTime(allow_none=True)


class PredictionFiguresValues(TypedDict):
    """What came of a prediction; None: nothing yet."""

    media: Media | None
    images: ImagesOutValues | None
    found: list[ClassCount] | None
    task: str | None
    tracked: bool | None
    engine: str | None
    engine_note: str | None
    device: str | None
    rate: float | None


class PredictionRunOutValues(PredictionFiguresValues):
    id: int
    training_id: int
    training_name: str
    source: str
    filename: str
    input_bytes: int
    status: str
    progress: JobProgressValues | None
    job_id: int | None
    error: PredictionErrorOutValues | None
    confidence: float
    iou: float
    classes: dict[str, float]
    track: bool
    checkpoint: str | None
    files: list[PredictionFileOutValues]
    created_at: datetime
    created_by: int | None
    ended_at: datetime | None


class PredictionRunPage(Page):
    predictions = List(Nested(PredictionRunOut))


class PredictionRunPageValues(PageValues):
    predictions: list[PredictionRunOutValues]
