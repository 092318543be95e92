"""Requests and responses about tests of a trained model."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from apiflask.fields import File, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, Regexp
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError, validates_schema
from werkzeug.datastructures import FileStorage

from app.core.shapes import Detection
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
from app.schemas.trainings import TrainingOut


class TestQuery(PageQuery):
    training_id = Integer(validate=between(1, MAX_ID))
    created_by = creator_filter()
    search = String(load_default="", validate=Length(max=100), metadata={"description": "Part of the model's name."})


class TestQueryValues(PageQueryValues):
    training_id: NotRequired[int]
    created_by: NotRequired[str]
    search: str


class ModelQuery(PageQuery):
    search = String(
        load_default="",
        validate=Length(max=100),
        metadata={"description": "Part of the run's or the dataset's name."},
    )


class ModelQueryValues(PageQueryValues):
    search: str


class TestForm(Schema):
    """The test form of the specification."""

    file = File(required=True)
    training_id = Integer(required=True, validate=between(1, MAX_ID))
    confidence = Float(load_default=0.5, validate=between(0, 1))
    iou = Float(load_default=0.5, validate=between(0, 1))


class TestFormValues(TypedDict):
    file: FileStorage
    training_id: int
    confidence: float
    iou: float


class TestsForm(TestForm):
    """An image, or many."""

    file = File(metadata={"description": "An image, or a ZIP of images."})
    files = List(File(), metadata={"description": "Images, in the place of `file`."})

    @validates_schema
    def one_or_many(self, data: "TestsFormValues", **_: Any) -> None:
        if ("file" in data) == bool(data.get("files")):
            raise ValidationError(str(_l("Send an image or a ZIP as `file`, or images as `files`.")), "file")


class TestsFormValues(TypedDict):
    file: NotRequired[FileStorage]
    training_id: int
    confidence: float
    iou: float
    files: NotRequired[list[FileStorage]]


CHECKPOINT = "(best|last|[1-9][0-9]{0,8})"


class CheckpointChoice(Schema):
    """Which weights of the training."""

    checkpoint = String(
        validate=Regexp(rf"{CHECKPOINT}\Z", error=_l("Must be best, last or an epoch number.")),
        metadata={
            "pattern": f"^{CHECKPOINT}$",
            "description": "best, last, or an epoch number. Default: the best available weights.",
        },
    )


class CheckpointChoiceValues(TypedDict):
    checkpoint: NotRequired[str]


class TestOptions(CheckpointChoice):
    """What can be asked beside the specification's form."""

    floor = Float(
        validate=between(0, 1),
        metadata={"description": "Also return, as `weaker`, the detections between this confidence and `confidence`."},
    )


class TestOptionsValues(TypedDict):
    checkpoint: NotRequired[str]
    floor: NotRequired[float]


DETECTIONS = (
    "class, confidence, bbox [x1, y1, x2, y2], center, area; by the model's task also polygon [[x, y], ...], "
    "corners (of an oriented box), keypoints [[x, y, confidence], ...], or top5 [{class, confidence}, ...]"
)


class TestCreated(Schema):
    test_id = Integer()
    detections = List(Raw(), metadata={"description": DETECTIONS})
    inference_time = Float(metadata={"description": "ms, the model alone"})
    total_time = Float(metadata={"description": "ms, with reading and drawing"})
    image_url = String()
    weaker = List(Raw(), metadata={"description": "With `floor`: below `confidence`; not drawn."})
    width = Integer(metadata={"description": "With `floor` or `checkpoint`: pixels of the upright image."})
    height = Integer()
    task = String(metadata={"description": "With `floor` or `checkpoint`: detect, segment, pose, obb or classify."})
    filename = String()
    checkpoint = String(allow_none=True)
    floor = Float(allow_none=True)


class TestCreatedValues(TypedDict):
    test_id: int
    detections: list[Detection]
    inference_time: float | None
    total_time: float | None
    image_url: str
    weaker: NotRequired[list[Detection]]
    width: NotRequired[int]
    height: NotRequired[int]
    task: NotRequired[str]
    filename: NotRequired[str]
    checkpoint: NotRequired[str | None]
    floor: NotRequired[float | None]


class TestAnswer(TestCreated):
    """Of one image the test; of many the job that detects objects in them."""

    message = String(metadata={"description": "Of many images, as what follows."})
    prediction_id = Integer()
    job_id = Integer(allow_none=True)
    status = String()


class TestOut(TestCreated):
    id = Integer()
    training_id = Integer()
    training_name = String()
    confidence_threshold = Float()
    iou_threshold = Float()
    created_at = DateTime()
    created_by = CreatedBy()


class TestOutValues(TestCreatedValues):
    id: int
    training_id: int
    training_name: str
    confidence_threshold: float
    iou_threshold: float
    created_at: datetime
    created_by: int | None


class TestPage(Page):
    tests = List(Nested(TestOut))


class TestPageValues(PageValues):
    tests: list[TestOutValues]


class TestDeleted(Message):
    test_id = Integer()


class TestDeletedValues(MessageValues):
    test_id: int


class FrameOut(Schema):
    detections = List(Raw(), metadata={"description": DETECTIONS})
    inference_time = Float(metadata={"description": "ms, the model alone"})
    total_time = Float(metadata={"description": "ms, with reading"})
    width = Integer()
    height = Integer()
    task = String()


class VideoForm(Schema):
    file = File(required=True)


class VideoFormValues(TypedDict):
    file: FileStorage


class ModelPage(Page):
    models = List(Nested(TrainingOut))
    default = Nested(
        TrainingOut,
        allow_none=True,
        metadata={"description": "The model to try first: of the newest completed training that learned something."},
    )
