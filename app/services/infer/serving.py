"""The predict endpoint of a model: an image in, detections out, nothing stored."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from flask_babel import gettext as _

from app.core.label_lines import label_lines
from app.core.predict import Inference
from app.core.shapes import Detection
from app.core.thresholds import ModelThresholds
from app.errors import TooManyRequests, Unprocessable
from app.extensions import db, socketio
from app.models import Training
from app.schemas.predictions import PredictionOutValues, PredictQueryValues, RequestedLimits
from app.services.infer.engines import Engines, fallback_text
from app.services.infer.models import TestableModels
from app.services.infer.predicting import Prediction, image_extension
from app.services.storage import StorageService
from app.services.trainer.store import model_classes

MOST_AT_ONCE = 64  # concurrent requests, read or waiting; the program answers 16 at a time
DEFAULT = 0.5  # both thresholds, as in POST /api/tests
BLOCK = 1024 * 1024


class ModelPredictions:
    """Answers requests.

    Args:
        engines: chooses the engine of a model.
    """

    def __init__(
        self, storage: StorageService, models: TestableModels, prediction: Prediction, engines: Engines
    ) -> None:
        self.storage, self.models, self.prediction, self.engines = storage, models, prediction, engines
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)

    def predict(
        self, training_id: int, image: IO[bytes], filename: str | None, values: PredictQueryValues
    ) -> PredictionOutValues:
        """The detections of a run's best weights, as PredictionOut.

        Args:
            filename: of the image; None: unknown, the format is detected from the content alone.
            values: confidence, iou, classes, if they differ from the model's; format.

        Raises:
            TooManyRequests: too many are waiting.
            NotFound: there is no such training.
            Conflict: it has no usable weights.
            Unprocessable: invalid image, or an unknown class.
            TooLarge: the image is too large.
            Unavailable: the child does not answer.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyRequests(_("Many images are already being analyzed. Send this one again in a moment."))
        try:
            return self._predict(training_id, image, filename, values)
        finally:
            self._slots.release()

    def _predict(
        self, training_id: int, image: IO[bytes], filename: str | None, values: PredictQueryValues
    ) -> PredictionOutValues:
        model = self.models.model_of(training_id)
        limits = Limits.of(db.session.get_one(Training, training_id), values)
        export = self.engines.fastest_export(training_id, model)
        extension = image_extension(filename) if filename is not None else ""
        db.session.rollback()  # no transaction may be open while the child is awaited
        path = self.storage.new_tmp().with_suffix(extension)
        try:
            copy(image, path)
            answer = self.prediction.predict(path, model, limits.least, limits.iou, export=export)
        finally:
            path.unlink(missing_ok=True)
        detections = [item for item in answer["detections"] if limits.admit(item)]
        view = prediction_view(training_id, detections, limits, answer)
        if values.get("format") == "yolo":
            view["labels"] = label_lines(detections, answer["names"], answer["width"], answer["height"])
        return view


class Limits:
    """The confidence from which a detection counts.

    Args:
        classes: by class name, if it differs from `confidence`.
    """

    def __init__(self, confidence: float, iou: float, classes: Mapping[str, float]) -> None:
        self.confidence, self.iou, self.classes = confidence, iou, dict(classes)

    @classmethod
    def of(cls, training: Training, values: RequestedLimits) -> "Limits":
        """The thresholds of the request, otherwise those stored with the model. A requested confidence applies to all
        classes, unless the request has classes too.

        Raises:
            Unprocessable: the model has no such class.
        """
        chosen: ModelThresholds = training.thresholds or {"confidence": None, "iou": None, "classes": {}}
        classes = values.get("classes")
        if classes:
            refuse_unknown(classes, training)
        elif values.get("confidence") is None and classes is None:
            classes = chosen["classes"]
        confidence = first(values.get("confidence"), chosen["confidence"], DEFAULT)
        iou = first(values.get("iou"), chosen["iou"], DEFAULT)
        return cls(confidence, iou, classes or {})

    @property
    def least(self) -> float:
        """The lowest threshold of any class."""
        return min([self.confidence, *self.classes.values()])

    def admit(self, item: Detection) -> bool:
        return "top5" in item or item["confidence"] >= self.classes.get(item["class"], self.confidence)


def first(*values: float | None) -> float:
    """The first value that is not None."""
    return next(value for value in values if value is not None)


def refuse_unknown(classes: Mapping[str, float], training: Training) -> None:
    """Check that the model has these classes.

    Raises:
        Unprocessable: it does not have one of them.
    """
    names = model_classes(training)
    if names and (unknown := [name for name in classes if name not in names]):
        message = _("The model has no class “%(name)s”.", name=unknown[0])
        raise Unprocessable(message, [{"field": "classes", "message": message}])


def prediction_view(
    training_id: int, detections: list[Detection], limits: Limits, answer: Inference
) -> PredictionOutValues:
    """Detections as PredictionOut, without label lines."""
    speed = {name: answer["speed"][name] for name in ("preprocess", "inference", "postprocess")}
    return {
        "training_id": training_id,
        "detections": detections,
        "confidence": limits.confidence,
        "iou": limits.iou,
        "classes": limits.classes,
        "engine": answer["engine"],
        "engine_note": fallback_text(answer["fallback"]),
        "device": answer["device"],
        "precision": answer["precision"],
        "batch": answer["batch"],
        "speed_ms": speed | {"total": answer["total_time"]},
        "width": answer["width"],
        "height": answer["height"],
        "task": answer["task"],
    }


def copy(source: IO[bytes], target: Path) -> None:
    """Copy an image to a temporary file; yields to other requests."""
    with open(target, "xb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            socketio.sleep(0)
