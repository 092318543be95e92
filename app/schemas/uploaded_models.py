"""The upload of weights that were trained elsewhere."""

from typing import NotRequired, TypedDict

from apiflask.fields import File, Integer, List, String
from werkzeug.datastructures import FileStorage

from app.core.tasks import TASKS
from app.schemas.base import MAX_ID, Message, MessageValues, Schema, between, name_field


class UploadedModelForm(Schema):
    file = File(required=True, metadata={"description": "A .pt of ultralytics."})
    dataset_id = Integer(
        required=True,
        validate=between(1, MAX_ID),
        metadata={"description": "Exports are verified on its validation images, and evaluations use it by default."},
    )
    name = name_field()


class UploadedModelFormValues(TypedDict):
    file: FileStorage
    dataset_id: int
    name: NotRequired[str]


class UploadedModelOut(Message):
    training_id = Integer(metadata={"description": "The model is this run: test, evaluate, export, start from it."})
    status = String()
    task = String(metadata={"enum": list(TASKS)})
    architecture = String()
    classes = List(String())
    parameters = Integer()


class UploadedModelOutValues(MessageValues):
    training_id: int
    status: str
    task: str
    architecture: str
    classes: list[str]
    parameters: int
