"""The contract between the service of predictions and the programs that make them, of a video or of many images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, Self, TypedDict

from app.core.imports import ArchiveLimits
from app.core.predict import EngineExport
from app.core.spec import Spec

RESULT_FOLDER = "made"  # folder of the files of a prediction, below that of its job's attempt
DETECTIONS_JSON, DETECTIONS_CSV = "detections.json", "detections.csv"
LABELS_ZIP = "labels.zip"


class PredictionOptions(TypedDict, total=False):
    """What was chosen for a prediction. `classes`: confidence by class name; `checkpoint`: None is the best one."""

    confidence: float
    iou: float
    classes: dict[str, float]
    track: bool
    checkpoint: str | None


class ModelName(TypedDict):
    """The model of a prediction, for the files that are written."""

    training_id: int
    name: str
    checkpoint: str | None


class Thresholds(TypedDict):
    """What was applied."""

    confidence: float
    iou: float
    classes: dict[str, float]


class Media(TypedDict):
    """The video as it was read. Upright frames, px; `duration`: s; `damaged`: parts that cannot be decoded."""

    width: int
    height: int
    frames: int
    duration: float
    codec: str
    cut: bool
    damaged: int


_ClassName = TypedDict("_ClassName", {"class": str})  # a keyword of Python


class ClassCount(_ClassName):
    """Of one class. `tracks`: objects that were followed in a video."""

    detections: int
    tracks: NotRequired[int]


class UnreadImage(TypedDict):
    """An image that cannot be read; `code` names the reason."""

    image: str
    code: str
    detail: str


class UnreadImages(TypedDict):
    """`first`: a few of them."""

    count: int
    first: list[UnreadImage]


class SkippedFiles(TypedDict):
    """Files of the ZIP that are no images. `first`: a few of them."""

    count: int
    first: list[str]


class ImageCounts(TypedDict):
    """What came of the images of a ZIP."""

    read: int
    unread: UnreadImages
    skipped: SkippedFiles


class ModelRun(TypedDict):
    """What ran the model. `fallback`: why it was not its export; `tracked`: whether objects were followed."""

    task: str
    engine: str
    device: str
    fallback: str | None
    tracked: bool


class PredictionFigures(ModelRun):
    """What came of a prediction, `media` of a video or `images` of a ZIP. `rate`: frames or images a second."""

    media: NotRequired[Media]
    images: NotRequired[ImageCounts]
    thresholds: Thresholds
    rate: float | None
    classes: list[ClassCount]


class PredictionResult(PredictionFigures):
    """The same as its row has it, with the bytes of each file."""

    files: dict[str, int]


@dataclass(frozen=True)
class PredictionSpec(Spec):
    """The task of the program, in its spec.json.

    Args:
        input: the video, or the ZIP of images.
        weights: the .pt. export: of it, see `Export` of app/worker/serving/engines.py.
        confidence, iou: thresholds. classes: confidence by class name, where it is another one.
        track: whether objects get ids.
        about: of the model, for the files that are written.
        max_pixels: of a frame or an image. max_frames: of a video that are looked at. decode_seconds: of processor time
            for an ordinary image.
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
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From spec.json, which has more."""
        return super().of({**values, "limits": ArchiveLimits(**values.get("limits") or {})})

    @property
    def least(self) -> float:
        """Below, no class counts."""
        return min([self.confidence, *self.classes.values()])
