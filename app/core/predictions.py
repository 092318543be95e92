"""The contract between the service of predictions and its programs, for a video or for many images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, Self, TypedDict

from app.core.imports import ArchiveLimits
from app.core.predict import EngineExport
from app.core.spec import Spec

RESULT_FOLDER = "made"  # folder of a prediction's files, below that of its attempt
DETECTIONS_JSON, DETECTIONS_CSV = "detections.json", "detections.csv"
LABELS_ZIP = "labels.zip"


class PredictionOptions(TypedDict, total=False):
    """The options of a prediction. `classes`: confidence by class name; `checkpoint`: None is the best one."""

    confidence: float
    iou: float
    classes: dict[str, float]
    track: bool
    checkpoint: str | None


class ModelName(TypedDict):
    """The model of a prediction, for the written files."""

    training_id: int
    name: str
    checkpoint: str | None


class Thresholds(TypedDict):
    """The applied thresholds."""

    confidence: float
    iou: float
    classes: dict[str, float]


class Media(TypedDict):
    """The video as decoded. Upright frames, px; `duration`: s; `damaged`: segments that cannot be decoded."""

    width: int
    height: int
    frames: int
    duration: float
    codec: str
    cut: bool
    damaged: int


_ClassName = TypedDict("_ClassName", {"class": str})  # `class` is a keyword of Python


class ClassCount(_ClassName):
    """Counts of one class. `tracks`: tracked objects in a video."""

    detections: int
    tracks: NotRequired[int]


class UnreadImage(TypedDict):
    """An image that cannot be read; `code`: the reason."""

    image: str
    code: str
    detail: str


class UnreadImages(TypedDict):
    """`first`: some of them."""

    count: int
    first: list[UnreadImage]


class SkippedFiles(TypedDict):
    """Files of the ZIP that are not images. `first`: some of them."""

    count: int
    first: list[str]


class ImageCounts(TypedDict):
    """Counts of the images in a ZIP."""

    read: int
    unread: UnreadImages
    skipped: SkippedFiles


class ModelRun(TypedDict):
    """How the model was run. `fallback`: why its export was not used; `tracked`: whether objects were tracked."""

    task: str
    engine: str
    device: str
    fallback: str | None
    tracked: bool


class PredictionFigures(ModelRun):
    """The summary of a prediction, with `media` for a video or `images` for a ZIP. `rate`: frames or images
    per second.
    """

    media: NotRequired[Media]
    images: NotRequired[ImageCounts]
    thresholds: Thresholds
    rate: float | None
    classes: list[ClassCount]


class PredictionResult(PredictionFigures):
    """The summary in the row, with the size of each file in bytes."""

    files: dict[str, int]


@dataclass(frozen=True)
class PredictionSpec(Spec):
    """The task of the program, in its spec.json.

    Args:
        input: the video, or the ZIP of images.
        weights: the .pt. export: of it, see `Export` of app/worker/serving/engines.py.
        confidence, iou: thresholds. classes: differing confidences, by class name.
        track: whether objects are tracked.
        about: the model, for the written files.
        max_pixels: of a frame or an image. max_frames: processed frames of a video. decode_seconds: CPU time for an
            ordinary image.
        limits: of the ZIP.
    """

    input: str
    weights: str
    confidence: float
    iou: float
    max_pixels: int
    max_frames: int
    decode_seconds: float
    device: str = "cpu"
    track: bool = True
    classes: dict[str, float] = field(default_factory=dict)
    export: EngineExport | None = None
    about: ModelName | None = None
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """From spec.json, which has more fields."""
        limits = values.get("limits")
        nested = ArchiveLimits(**limits) if isinstance(limits, dict) else ArchiveLimits()
        return super().of({**values, "limits": nested})

    @property
    def least(self) -> float:
        """The lowest confidence threshold of any class."""
        return min([self.confidence, *self.classes.values()])
