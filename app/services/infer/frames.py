"""Detects objects in images that are not stored: frames of a video or a camera."""

import threading
from typing import IO, Any

from flask_babel import gettext as _

from app.core.predict import EngineExport, Inference
from app.errors import TooLarge, TooManyRequests
from app.extensions import db, socketio
from app.services.infer.engines import Engines
from app.services.infer.models import TestableModels
from app.services.infer.predicting import Prediction, image_extension
from app.services.storage import StorageService

# Frames beyond these are refused, not queued: the viewer sends a newer one, and tests to be stored never wait behind
# many cameras.
MOST_AT_ONCE = 4
MOST_BYTES = 16 * 1024 * 1024


class Frames:
    """Runs models on images that are not stored."""

    def __init__(
        self, storage: StorageService, models: TestableModels, prediction: Prediction, engines: Engines
    ) -> None:
        self.storage, self.models, self.prediction, self.engines = storage, models, prediction, engines
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)

    def try_frame(
        self, file: IO[bytes], filename: str, training_id: int, conf: float, iou: float, checkpoint: str | None = None
    ) -> Inference:
        """The detections, as returned by `predict`; stores no row and no file.

        Raises:
            TooManyRequests: too many frames are waiting.
            TooLarge: over MOST_BYTES. Also what `create_test` raises.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyRequests(_("Several frames are already being analyzed. Send the next one in a moment."))
        try:
            model = self.models.model_of(training_id, checkpoint)
            export = self.engines.fastest_export(training_id, model)
            return self._try(file, filename, model, conf, iou, export)
        finally:
            self._slots.release()

    def _try(
        self, file: IO[bytes], filename: str, model: Any, conf: float, iou: float, export: EngineExport | None
    ) -> Inference:
        db.session.rollback()  # no transaction may be open while the child is awaited
        content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise TooLarge(_("A frame can have up to %(size)s MB.", size=MOST_BYTES // 1024**2))
        path = self.storage.new_tmp().with_suffix(image_extension(filename))
        try:
            path.write_bytes(content)
            socketio.sleep(0)
            return self.prediction.predict(path, model, conf, iou, export=export)
        finally:
            path.unlink(missing_ok=True)
