"""Runs models in a dedicated thread, batching images of several requests."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from app.worker.serving.engines import Engine, Export
from app.worker.serving.models import Models

MOST = 8  # images per batch
WAIT_S = 0.004  # for images that are being decoded
MARGIN = 0.0005


@dataclass(frozen=True)
class PredictionOutcome:
    """The result for one image.

    Args:
        result: ultralytics'.
        fallback: why the named export did not run; None: it did, or none was named.
        batch: number of images that ran together.
        loading_s: time of loading the model.
        models: class names of all loaded models, by the path of their weights.
    """

    result: Any
    engine: Engine
    fallback: str | None
    batch: int
    loading_s: float
    models: dict[str, list[str]]


@dataclass
class PredictionRequest:
    """One image for one model.

    Args:
        image: array, BGR.
    """

    path: str
    export: Export | None
    image: Any
    conf: float
    iou: float
    future: "Future[PredictionOutcome]" = field(default_factory=Future)

    def fits(self, other: "PredictionRequest") -> bool:
        """Whether both can be in one batch."""
        mine = (self.path, self.export and self.export.folder, self.conf, self.iou)
        return mine == (other.path, other.export and other.export.folder, other.conf, other.iou)


class Batcher:
    """Shares the models among threads.

    Args:
        models: used only by this object's thread.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._queue: SimpleQueue[PredictionRequest | Callable[[], None] | None] = SimpleQueue()
        self._aside: deque[PredictionRequest | Callable[[], None] | None] = deque()
        self._coming, self._lock = 0, threading.Lock()
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Announces an image that is being decoded, so that a batch may wait for it briefly."""
        with self._lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1

    def run(self, path: str, export: Export | None, image: Any, conf: float, iou: float) -> PredictionOutcome:
        """Detect objects in an image, in a batch with other waiting ones.

        Raises:
            BadModel: the weights are unusable.
            MemoryError: there is too little memory.
        """
        request = PredictionRequest(path, export, image, conf, iou)
        self._queue.put(request)
        return request.future.result()

    def load(self, path: str) -> dict[str, list[str]]:
        """Load a model; the class names of all loaded models.

        Raises:
            BadModel: the weights are unusable.
        """
        loaded: Future[dict[str, list[str]]] = Future()

        def load() -> None:
            try:
                self.models.get(path)
                loaded.set_result(self.models.names())
            except BaseException as error:  # re-raised in the caller's thread
                loaded.set_exception(error)

        self._queue.put(load)
        return loaded.result()

    def close(self) -> None:
        """End the thread after the queued requests."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (task := self._aside.popleft() if self._aside else self._queue.get()) is not None:
            if isinstance(task, PredictionRequest):
                self._run([task, *self._more(task)])
            else:
                task()

    def _more(self, first: PredictionRequest) -> Iterator[PredictionRequest]:
        """Further requests for the same batch: waiting ones, and those that arrive within WAIT_S."""
        count, until = 1, time.monotonic() + WAIT_S
        for request in [item for item in self._aside if isinstance(item, PredictionRequest) and first.fits(item)][
            : MOST - 1
        ]:
            self._aside.remove(request)
            count += 1
            yield request
        while count < MOST:
            try:
                task = self._queue.get(block=self._coming > 0, timeout=max(MARGIN, until - time.monotonic()))
            except Empty:
                return
            if isinstance(task, PredictionRequest) and first.fits(task):
                count += 1
                yield task
            else:
                self._aside.append(task)
            if time.monotonic() > until and self._queue.empty():
                return

    def _run(self, batch: list[PredictionRequest]) -> None:
        try:
            outcomes = self._outcomes(batch)
        except BaseException as error:
            if len(batch) > 1:  # a single image may have caused it, or the size of the batch
                for request in batch:
                    self._run([request])
            else:
                batch[0].future.set_exception(error)
            return
        for request, outcome in zip(batch, outcomes, strict=True):
            request.future.set_result(outcome)

    def _outcomes(self, batch: list[PredictionRequest]) -> list[PredictionOutcome]:
        first, began = batch[0], time.monotonic()
        engine, fallback = self.models.get(first.path, first.export)
        loading = time.monotonic() - began
        results = engine.run([request.image for request in batch], first.conf, first.iou)
        about = (engine, fallback, len(batch), loading, self.models.names())
        return [PredictionOutcome(result, *about) for result in results]
