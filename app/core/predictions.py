"""The contract between the service of predictions and the programs that make them, of a video or of many images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from app.core.imports import ArchiveLimits
from app.core.predict import EngineExport
from app.core.spec import Spec

MADE = "made"  # folder of the files of a prediction, below that of its job's attempt
DETECTIONS_JSON, DETECTIONS_CSV = "detections.json", "detections.csv"
LABELS_ZIP = "labels.zip"


@dataclass(frozen=True)
class PredictionSpec(Spec):
    """What a program is told, in its spec.json.

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
    about: dict[str, Any] = field(default_factory=dict)
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From spec.json, which has more."""
        return super().of({**values, "limits": ArchiveLimits(**values.get("limits") or {})})

    @property
    def least(self) -> float:
        """Below, no class counts."""
        return min([self.confidence, *self.classes.values()])
