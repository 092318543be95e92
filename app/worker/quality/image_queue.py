"""The images that wait to be decoded, in batches: a message to a decoder costs as much as a tenth of a photograph."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from app.worker.quality.model import ImageRecord

BATCH = 16  # images per message


@dataclass(slots=True)
class QueuedImage:
    """An image that is to be read, and its future record."""

    path: Path
    record: Future[ImageRecord] = field(default_factory=Future)

    def claim(self) -> bool:
        """Whether it is still needed; if so, it can no longer be cancelled."""
        return self.record.running() or self.record.set_running_or_notify_cancel()


class ImageQueue:
    """Images that wait for a decoder, for several threads.

    Args:
        workers: the number of these threads.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._images: deque[QueuedImage] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, path: Path) -> Future[ImageRecord]:
        image = QueuedImage(path)
        with self._changed:
            self._images.append(image)
            self._changed.notify()
        return image.record

    def requeue(self, images: Sequence[QueuedImage]) -> None:
        """Return images of a batch that were not read; they are the next ones."""
        if images:
            with self._changed:
                self._images.extendleft(reversed(images))
                self._changed.notify()

    def next_batch(self) -> list[QueuedImage]:
        """Up to BATCH images, fewer near the end of the queue, so that all workers end together; none once it is
        closed.
        """
        batch: list[QueuedImage] = []
        with self._changed:
            while not batch and not self._closed:
                self._changed.wait_for(lambda: self._images or self._closed)
                size = max(1, min(BATCH, len(self._images) // (2 * self.workers)))
                while self._images and not self._closed and len(batch) < size:
                    image = self._images.popleft()
                    if image.claim():
                        batch.append(image)
        return batch

    def close(self) -> None:
        """Drop the images that wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
