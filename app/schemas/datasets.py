"""Requests and responses about datasets; about their versions see revisions.py."""

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, File, Integer, List, Nested, String
from apiflask.validators import Length
from werkzeug.datastructures import FileStorage

from app.schemas.base import (
    DateTime,
    Message,
    MessageValues,
    Page,
    PageQuery,
    PageQueryValues,
    PageValues,
    Schema,
    between,
    name_field,
    one_of,
)
from app.schemas.creators import CreatedBy, SharedOut, creator_filter, shared_field
from app.schemas.dataset_options import ChoicesIn, ChoicesInValues, OptionFields, OptionFieldsValues
from app.schemas.jobs import JobProgress, JobProgressValues

EXPORTS = ("yolo", "coco", "voc")


class DatasetQuery(PageQuery):
    status = String(validate=one_of(["pending", "validating", "valid", "invalid"]))
    search = String(validate=Length(max=100))
    created_by = creator_filter()
    sort = String(
        load_default="-created_at",
        validate=one_of(["created_at", "-created_at", "name", "-name", "total_images", "-total_images"]),
    )


class DatasetQueryValues(PageQueryValues):
    status: NotRequired[str]
    search: NotRequired[str]
    created_by: NotRequired[str]
    sort: str


class DatasetForm(OptionFields):
    """The upload form of the specification, with our options."""

    file = File(required=True)
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))


class DatasetFormValues(OptionFieldsValues):
    file: FileStorage
    name: str
    description: str


class ImportIn(ChoicesIn):
    """A folder of the server as a dataset."""

    path = String(required=True, validate=Length(1, 2000), metadata={"description": "Below IMPORT_ROOT."})
    name = name_field(required=True)
    description = String(load_default="", validate=Length(max=5000))


class ImportInValues(ChoicesInValues):
    path: str
    name: str
    description: str


class ImportQuery(Schema):
    path = String(load_default="", validate=Length(max=600))  # so that it fits a line of a request


class ImportQueryValues(TypedDict):
    path: str


class FolderOut(Schema):
    name = String()
    path = String(metadata={"description": "Below IMPORT_ROOT."})
    images = Integer(metadata={"description": "Directly in it."})


class FolderOutValues(TypedDict):
    name: str
    path: str
    images: int


class FoldersOut(Schema):
    path = String()
    parent = String(allow_none=True)
    images = Integer()
    folders = List(Nested(FolderOut))
    truncated = Boolean()


class FoldersOutValues(TypedDict):
    path: str
    parent: str | None
    images: int
    folders: list[FolderOutValues]
    truncated: bool


class OriginalOut(Schema):
    name = String()
    bytes = Integer()


class OriginalOutValues(TypedDict):
    name: str
    bytes: int


class LeftOutOut(Schema):
    code = String()
    count = Integer()
    message = String()


class LeftOutOutValues(TypedDict):
    code: str
    count: int
    message: str


class SummaryOut(Schema):
    used = Integer()
    total = Integer()
    left_out = List(Nested(LeftOutOut))


class SummaryOutValues(TypedDict):
    used: int
    total: int
    left_out: list[LeftOutOutValues]


class ProgressOut(JobProgress):
    """`done` and `total` are of the stage; `percent` and `eta` of the whole."""

    stage = String(metadata={"description": "extracting (bytes), reading, scanning, checking or building (images)."})
    revision = Integer()


class ProgressOutValues(JobProgressValues):
    revision: int


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


class DatasetOutValues(TypedDict):
    id: int
    name: str
    description: str | None
    classes: list[str]
    total_images: int
    train_images: int
    val_images: int
    test_images: int
    status: str
    created_at: datetime
    updated_at: datetime
    task: str
    size_bytes: int
    error: str | None
    report: Mapping[str, object]
    revision: int | None
    format: str | None
    original: OriginalOutValues | None
    samples: list[str]
    summary: SummaryOutValues | None
    needs_review: bool
    progress: ProgressOutValues | None
    trainings: int
    trashed: int
    damaged: list[str]
    created_by: int | None
    shared: bool


class DatasetPatch(Schema):
    """What can be changed at any time; what is left out stays."""

    name = name_field()
    description = String(validate=Length(max=5000))
    shared = shared_field()


class DatasetPatchValues(TypedDict):
    name: NotRequired[str]
    description: NotRequired[str]
    shared: NotRequired[bool]


class SampleOut(Schema):
    """The sample dataset that is there; null: there is none."""

    dataset_id = Integer(allow_none=True)
    name = String(allow_none=True)
    status = String(allow_none=True)


class SampleOutValues(TypedDict):
    dataset_id: int | None
    name: str | None
    status: str | None


class DatasetPage(Page):
    datasets = List(Nested(DatasetOut))


class DatasetPageValues(PageValues):
    datasets: list[DatasetOutValues]


class DatasetCreated(Message):
    dataset_id = Integer()
    status = String()


class DatasetCreatedValues(MessageValues):
    dataset_id: int
    status: str


class ExportQuery(Schema):
    format = String(required=True, validate=one_of(EXPORTS))
    revision = Integer(validate=between(1, 2**31 - 1))


class ExportQueryValues(TypedDict):
    format: str
    revision: NotRequired[int]
