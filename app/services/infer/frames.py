"""Images that are looked at and forgotten: frames of a video or a camera."""

import threading
from typing import Any, BinaryIO

from flask_babel import gettext as _

from app.errors import TooLarge, TooManyRequests
from app.extensions import db, socketio
from app.services.infer.predicting import Predicting, image_extension
from app.services.storage import StorageService

# The child answers one question at a time. A frame that would wait behind more than these is refused, not queued: its
# viewer sends a newer one, and pictures that are to be kept never wait behind a crowd of cameras.
MOST_AT_ONCE = 4
MOST_BYTES = 16 * 1024 * 1024


class Frames(Predicting):
    """Tries models on images that are not kept."""

    def __init__(self, storage: StorageService) -> None:
        super().__init__(storage)
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def try_frame(
        self, file: BinaryIO, filename: str, training_id: int, conf: float, iou: float, checkpoint: str | None = None
    ) -> dict[str, Any]:
        """What the model finds, as `predict` says it; no row, and no file stays.

        Raises:
            TooManyRequests: others are waiting already. TooLarge: over MOST_BYTES. And what `create_test` raises.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyRequests(_("Several frames are already being analyzed. Send the next one in a moment."))
        try:
            return self._try(file, filename, self.model_of(training_id, checkpoint), conf, iou)
        finally:
            self._places.release()

    def _try(self, file: BinaryIO, filename: str, model: Any, conf: float, iou: float) -> dict[str, Any]:
        db.session.rollback()  # no transaction may be open while we wait for the child
        content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise TooLarge(_("A frame can have up to %(size)s MB.", size=MOST_BYTES // 1024**2))
        path = self.storage.new_tmp().with_suffix(image_extension(filename))
        try:
            path.write_bytes(content)
            socketio.sleep(0)
            return self.predict(path, model, conf, iou)
        finally:
            path.unlink(missing_ok=True)
