"""Requests and responses about the versions of a dataset."""

from datetime import datetime
from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Integer, List, Nested, String

from app.core.imports import ImportOptions, RevisionOrigin
from app.schemas.base import DateTime, Message, MessageValues, Schema
from app.schemas.dataset_contents import CODES, Codes
from app.schemas.dataset_options import ChoicesIn, ChoicesInValues, SplitIn, SplitInValues
from app.schemas.datasets import SummaryOut, SummaryOutValues


class RevisionIn(ChoicesIn):
    """What the next revision does differently; what is not named stays as it is."""

    fixes = Codes(metadata=CODES | {"description": "Findings to be mended in the same revision: codes, or “all”."})


class RevisionInValues(ChoicesInValues):
    fixes: NotRequired[list[str] | str]


class SplitPreviewIn(Schema):
    split = Nested(SplitIn, required=True, allow_none=True, metadata={"description": "null: as in the upload."})


class SplitPreviewInValues(TypedDict):
    split: SplitInValues | None


class SplitClassOut(Schema):
    """Images that hold a class, by set."""

    name = String()
    train = Integer()
    val = Integer()
    test = Integer()


class SplitClassOutValues(TypedDict):
    name: str
    train: int
    val: int
    test: int


class SplitPreviewOut(Schema):
    """Exactly what a new version with this split will have."""

    how = String(metadata={"enum": ["given", "split_made", "split_wished", "val_split"]})
    splits = Dict(metadata={"description": "Images by set: train, val, test."})
    classes = List(Nested(SplitClassOut))
    torn = Integer(metadata={"description": "Images that can't stay with those that they belong to."})


class SplitPreviewOutValues(TypedDict):
    how: str
    splits: dict[str, int]
    classes: list[SplitClassOutValues]
    torn: int


class EffectOut(Schema):
    code = String()
    title = String()
    message = String()
    images = Integer(metadata={"description": "Mended, moved or left out."})
    rows = Integer(metadata={"description": "Of label files: mended or removed."})
    emptied = Integer(metadata={"description": "Images left out because none of their rows could be mended."})
    files = List(String(), metadata={"description": "The first 20."})
    unsaved = Integer(
        metadata={"description": "Images that stay as they are: saving them again takes too much time or memory."}
    )
    unsaved_files = List(String(), metadata={"description": "The first 20 of these."})


class EffectOutValues(TypedDict):
    code: str
    title: str
    message: str
    images: int
    rows: int
    emptied: int
    files: list[str]
    unsaved: int
    unsaved_files: list[str]


class RevisionOut(Schema):
    number = Integer()
    status = String(metadata={"description": "building, ready or failed."})
    current = Boolean()
    hash = String(allow_none=True)
    origin = Dict()
    options = Dict()
    classes = List(String())
    task = String()
    format = String(allow_none=True)
    total_images = Integer()
    train_images = Integer()
    val_images = Integer()
    test_images = Integer()
    size_bytes = Integer()
    error = String(allow_none=True)
    summary = Nested(SummaryOut, allow_none=True)
    effects = List(Nested(EffectOut), metadata={"description": "What its fixes did."})
    trainings = List(Integer(), metadata={"description": "The ids of the trainings that use it."})
    created_at = DateTime()


class RevisionOutValues(TypedDict):
    number: int
    status: str
    current: bool
    hash: str | None
    origin: RevisionOrigin
    options: ImportOptions
    classes: list[str]
    task: str
    format: str | None
    total_images: int
    train_images: int
    val_images: int
    test_images: int
    size_bytes: int
    error: str | None
    summary: SummaryOutValues | None
    effects: list[EffectOutValues]
    trainings: list[int]
    created_at: datetime


class RevisionsOut(Schema):
    revisions = List(Nested(RevisionOut))
    current = Integer(allow_none=True)


class RevisionsOutValues(TypedDict):
    revisions: list[RevisionOutValues]
    current: int | None


class RevisionStarted(Message):
    revision = Integer()
    status = String()


class RevisionStartedValues(MessageValues):
    revision: int
    status: str
