"""Exports a completed run automatically: without a GPU, OpenVINO is the fastest runtime for a model.

The best weights of a completed run are exported and verified, after all other waiting work, on an otherwise idle CPU.
Tests of the model then run the export, if it was measured to be faster.
"""

import logging
from typing import TYPE_CHECKING

from app.config import settings
from app.core.exports import ExportArguments
from app.core.image_size import rounded
from app.database import once_more
from app.jobs.devices import gpus
from app.models import Training, TrainingStatus
from app.services.exports.formats import formats
from app.services.exports.queue import ExportQueue
from app.services.exports.request import key_of
from app.services.storage.hashed import hash_file

if TYPE_CHECKING:
    from app.services.storage import StorageService

logger = logging.getLogger("yolo.exports")

FORMAT = "openvino"


class AutomaticExports:
    """Queues exports when runs end.

    Args:
        store: of their folders. queue: accepts the exports.
    """

    def __init__(self, storage: "StorageService", queue: ExportQueue) -> None:
        self.storage, self.queue = storage, queue

    def submit(self, training: Training) -> None:
        """Export the best weights, unless that was done, or failed for a permanent reason."""
        best = self.storage.get_training_dir(training.id) / "run" / "weights" / "best.pt"
        if not self.is_worthwhile(training) or not best.is_file():
            return
        arguments: ExportArguments = {"img_size": rounded(training.img_size)}
        sha256 = hash_file(best)
        key = key_of(sha256, FORMAT, arguments)
        if self.queue.find_existing(training.id, key) is None and self.queue.find_failed(training.id, key) is None:
            training_id = training.id
            once_more(lambda: self.queue.begin(training_id, key, FORMAT, arguments, sha256, automatic=True))
            logger.info("training %s: an export was queued", training_id)

    def is_worthwhile(self, training: Training) -> bool:
        """Whether an export can be faster than the .pt here."""
        if not settings().AUTO_EXPORT or training.status != TrainingStatus.COMPLETED or training.deleted_at is not None:
            return False
        workers = settings().DISPATCH == "rq"  # a web process then tests models on its own CPU
        devices = () if workers else gpus(settings().CUDA_VISIBLE_DEVICES)
        return not devices and FORMAT in formats() and formats()[FORMAT].why_not(devices) is None
