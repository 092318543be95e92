"""Runs the model on a video's frames, with ids of the tracked objects."""

from pathlib import Path
from typing import Any

from app.core.predictions import ModelRun, PredictionSpec
from app.core.shapes import TrackedDetection
from app.worker.detections import boxes_of, confidences, detections_of, objects
from app.worker.failures import WeightsError
from app.worker.serving.engines import BadModel, Export
from app.worker.serving.models import Models
from app.worker.video.tracks import NoTracks, Tracks, floor_for

CLASSIFY = "classify"


class VideoModel:
    """Runs several frames at once.

    Raises:
        WeightsError: the weights cannot be used.
    """

    def __init__(self, spec: PredictionSpec) -> None:
        self.spec = spec
        device = "cpu" if spec.device == "cpu" else "cuda:0"
        try:
            export = Export(**spec.export) if spec.export else None
            self.engine, self.fallback = Models(1, device).get(str(Path(spec.weights)), export)
        except BadModel as error:
            raise WeightsError(str(error)) from error
        self.follows = spec.track and self.engine.task != CLASSIFY
        self.tracks: Tracks | NoTracks = Tracks(spec.least) if self.follows else NoTracks()
        self.floor = floor_for(spec.least) if self.follows else spec.least

    @property
    def order(self) -> dict[str, int]:
        """The numbers of the classes, by name."""
        return {name: number for number, name in self.engine.names.items()}

    def run(self, images: list[Any]) -> list[list[TrackedDetection]]:
        """The detections of each image by descending confidence, see app/worker/detections.py, with `track_id`."""
        return [self.detections(result) for result in self.engine.run(images, self.floor, self.spec.iou)]

    def detections(self, result: Any) -> list[TrackedDetection]:
        if result.probs is not None:
            return [{**item} for item in detections_of(result, self.spec.least)[0]]
        ids = self.tracks.ids(result)
        rows_above = [index for index, confidence in enumerate(confidences(result)) if confidence > self.spec.least]
        part = result[rows_above] if len(rows_above) < len(boxes_of(result)) else result
        rows: list[TrackedDetection] = [
            {**item, "track_id": ids[index]} for index, item in zip(rows_above, objects(part), strict=True)
        ]
        rows = [item for item in rows if self.counts(item)]
        return sorted(rows, key=lambda item: -item["confidence"])

    def counts(self, item: TrackedDetection) -> bool:
        return bool(item["confidence"] >= self.spec.classes.get(item["class"], self.spec.confidence))

    def about(self) -> ModelRun:
        """How the model was run."""
        return {
            "task": self.engine.task,
            "engine": self.engine.name,
            "device": self.engine.device,
            "fallback": self.fallback,
            "tracked": self.follows,
        }
