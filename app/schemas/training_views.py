"""What a training leaves for looking at: previews, evaluation, ultralytics' plots."""

from typing import NotRequired, TypedDict

from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String

from app.core.final_evaluation import EvaluatedPicture, FinalFigures
from app.core.previews import PreviewEpoch, PreviewImage
from app.core.thresholds import Threshold
from app.schemas.base import Schema

SHAPE = "class; conf of a prediction; box, polygon or points in parts of width and height. See the wiki (Metricas)."


class PreviewImageOut(Schema):
    file = String(metadata={"description": "The name of the image in the dataset."})
    width = Integer(metadata={"description": "Of the small picture, px."})
    height = Integer()
    truth = List(Dict(), metadata={"description": f"What is there: {SHAPE}"})
    url = String()


class PreviewImageOutValues(PreviewImage):
    """With the address of its picture."""

    url: str


class PreviewOut(Schema):
    epoch = Integer()
    images = List(List(Dict()), metadata={"description": f"What was found in each image: {SHAPE}"})


class PreviewsOut(Schema):
    """The images of the validation that are predicted after each epoch."""

    task = String()
    names = List(String())
    images = List(Nested(PreviewImageOut))
    epochs = List(Integer(), metadata={"description": "Those whose predictions are kept; of a long run not all."})
    newest = Nested(PreviewOut, allow_none=True, metadata={"description": "What was found after the last of them."})


class PreviewsOutValues(TypedDict):
    """Without task and names before the first epoch."""

    task: NotRequired[str]
    names: NotRequired[list[str]]
    images: list[PreviewImageOutValues]
    epochs: list[int]
    newest: PreviewEpoch | None


class ThresholdOut(Schema):
    """A confidence threshold, and what it gives. No row is worse than another in both precision and recall."""

    name = String(metadata={"enum": ["balanced", "precise", "sensitive"]})
    goal = Float(allow_none=True, metadata={"description": "precise: precision is at least that; sensitive: recall."})
    confidence = Float()
    precision = Float()
    recall = Float()


class EvaluationOut(Schema):
    """The final validation of the best weights."""

    task = String()
    names = List(String())
    images = Integer()
    objects = Integer()
    confidence = Float(metadata={"description": "From here on a prediction counts in the matrix: the best F1."})
    iou = Float()
    best = Dict(allow_none=True, metadata={"description": "confidence, precision, recall, f1 at the best F1."})
    thresholds = List(Nested(ThresholdOut), metadata={"description": "Empty where nothing was detected."})
    curves = Dict(
        allow_none=True,
        metadata={"description": "x, precision, recall, f1 over the confidence; pr over the recall; classes: each."},
    )
    accuracy = Dict(allow_none=True, metadata={"description": "Of a classification: top1, top5."})
    matrix = List(List(Integer()), metadata={"description": "[predicted, true, count]; number of classes: nothing."})
    cells = Dict(metadata={"description": "“predicted,true” → numbers of the pictures behind it."})
    pictures = List(Dict(), metadata={"description": "number, file, width, height, found, truth, pairs, errors, url."})
    worst = List(Integer(), metadata={"description": "Pictures with most errors, the worst first."})


class EvaluatedPictureOutValues(EvaluatedPicture):
    """With its address."""

    url: str


class EvaluationOutValues(FinalFigures):
    thresholds: list[Threshold]
    pictures: list[EvaluatedPictureOutValues]


class RunFileOut(Schema):
    name = String()
    kind = String(metadata={"description": "What it shows: curves, matrix, labels, train_batch, val_batch."})
    size_bytes = Integer()
    url = String()


class RunFileOutValues(TypedDict):
    name: str
    kind: str
    size_bytes: int
    url: str


class RunFilesOut(Schema):
    files = List(Nested(RunFileOut))
    evaluation = Boolean(metadata={"description": "Whether there is an evaluation."})
    damaged = List(String(), metadata={"description": "Files that could not be read and were set aside."})


class RunFilesOutValues(TypedDict):
    files: list[RunFileOutValues]
    evaluation: bool
    damaged: list[str]
