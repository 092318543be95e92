"""Detects objects in a video: writes an annotated video for browsers, and the detections of each frame.

spec.json is core.predictions.PredictionSpec. Result: `media`, `classes` (with their counts), `engine` and further
details of the model's run, `files` (bytes by name), all below `made/`. Unusable files are refused, see
app/worker/video/source.py.

Three steps run in parallel: a process decodes, this thread runs the model, another thread draws and encodes.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from app.core.predictions import RESULT_FOLDER, ClassCount, Media, PredictionFigures, PredictionResult, PredictionSpec
from app.core.shapes import TrackedDetection
from app.events import Advanced
from app.worker.channel import Channel
from app.worker.failures import InvalidInput, StopRequested
from app.worker.video.open_video import Opened
from app.worker.video.source import VideoSource

EVERY_S = 0.25
AHEAD = 2  # batches of frames queued on each side of the model
POLL_S = 0.2
MIN_SHARE = 0.05  # share of the file from which its number of frames is extrapolated
MOST_LIST_BYTES = 2 * 1024**3  # of JSON and CSV

Detections = list[TrackedDetection]


def run(channel: Channel) -> PredictionResult:
    """Read, detect, track, draw.

    Raises:
        InvalidInput: the video cannot be used.
        WeightsError: the model cannot be used.
        StopRequested: a stop was requested.
    """
    spec = PredictionSpec.of(channel.spec)
    folder = channel.directory / RESULT_FOLDER
    folder.mkdir()
    # before torch is loaded
    source = VideoSource(Path(spec.input), spec.max_pixels, spec.max_frames, spec.decode_seconds)
    try:
        return VideoPrediction(spec, source, folder, VideoProgress(channel, source)).run()
    finally:
        source.close()


class VideoProgress:
    """Reports the progress of a prediction.

    Args:
        source: has the length of the video, or the share of the file that was read.
    """

    def __init__(self, channel: Channel, source: VideoSource) -> None:
        self.channel, self.source = channel, source
        self.done, self.total = 0, min(source.about.frames, source.max_frames)
        self.reported_at = 0.0

    def check_stop(self) -> None:
        """Check for a stop request.

        Raises:
            StopRequested: a stop was requested.
        """
        if self.channel.stop_requested():
            raise StopRequested

    def step(self, frames: int) -> None:
        """Count processed frames; reported at most four times a second. See `check_stop`."""
        self.done += frames
        if not self.total and self.source.share > MIN_SHARE:
            self.total = min(self.source.max_frames, round(self.done / self.source.share))
        if time.monotonic() - self.reported_at >= EVERY_S:
            self.reported_at = time.monotonic()
            self.check_stop()
            self.channel.emit(Advanced(self.done, max(self.total, self.done) if self.total else 0))


class VideoPrediction:
    """One video.

    Args:
        folder: the folder of its files.
    """

    def __init__(self, spec: PredictionSpec, source: VideoSource, folder: Path, meter: VideoProgress) -> None:
        self.spec, self.source, self.folder, self.meter = spec, source, folder, meter
        meter.check_stop()  # before the slow loading of the model
        from app.worker.train import private_settings
        from app.worker.video.model import VideoModel

        private_settings()
        self.model = VideoModel(spec)
        meter.check_stop()
        self.last = 0.0

    def run(self) -> PredictionResult:
        """Detect objects in every frame of the video.

        Returns:
            see the module's docstring.
        """
        from app.worker.video.output import Output

        output = Output(self.folder, self.source.about, self.model.order)
        began = time.monotonic()
        with Ahead(self.source.pieces(), AHEAD, self.meter.check_stop) as pieces, Behind(output.add, AHEAD) as behind:
            for frames in pieces:
                behind.submit((frames, self.model.run([frame.pixels for frame in frames])))
                self.last = frames[-1].time
                self.meter.step(len(frames))
                if output.lists.bytes > MOST_LIST_BYTES:
                    self.source.cut = True
                    break
            behind.finish()
        if not self.meter.done:
            raise InvalidInput("no_frames")
        result = self.figures(time.monotonic() - began, output.lists.classes())
        output.close({"model": self.spec.about, **result})
        return {**result, "files": sizes_in(self.folder)}

    def figures(self, seconds: float, classes: list[ClassCount]) -> PredictionFigures:
        """The summary after so many seconds."""
        opened: Opened = self.source.about
        media: Media = {
            "width": opened.width,
            "height": opened.height,
            "frames": self.meter.done,
            "duration": round(self.last + 1 / opened.rate, 3),
            "codec": opened.codec,
            "cut": self.source.cut,
            "damaged": self.source.damaged,
        }
        return {
            "media": media,
            "thresholds": {"confidence": self.spec.confidence, "iou": self.spec.iou, "classes": self.spec.classes},
            "rate": round(self.meter.done / seconds, 2) if seconds else None,
            "classes": classes,
            **self.model.about(),
        }


def sizes_in(folder: Path) -> dict[str, int]:
    """Size in bytes of each output file, by name."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


class Ahead:
    """Reads ahead in a thread while earlier items are processed; a context manager, to be iterated.

    Args:
        most: queued items.
        on_wait: called while waiting; an exception ends the wait.
    """

    def __init__(self, items: Iterable[Any], most: int, on_wait: Callable[[], None] = lambda: None) -> None:
        self.items, self.on_wait = items, on_wait
        self.queue: Queue[Any] = Queue(most)
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._read, name="ahead", daemon=True)

    def __enter__(self) -> "Ahead":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()

    def _read(self) -> None:
        try:
            for item in self.items:
                if not enqueue(self.queue, (item, None), self.closed):
                    return
            enqueue(self.queue, (None, None), self.closed)
        except BaseException as error:  # re-raised in the consumer
            enqueue(self.queue, (None, error), self.closed)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                item, error = self.queue.get(timeout=POLL_S)
            except Empty:
                self.on_wait()
                continue
            if error is not None:
                raise error
            if item is None:
                return
            yield item


class Behind:
    """Processes items in a thread; a context manager.

    Args:
        most: queued items.
    """

    def __init__(self, work: Callable[..., None], most: int) -> None:
        self.work = work
        self.queue: Queue[Any] = Queue(most)
        self.error: BaseException | None = None
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._work, name="behind", daemon=True)

    def __enter__(self) -> "Behind":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self.thread.join()

    def submit(self, item: tuple[Any, ...]) -> None:
        """Queue an item for the thread.

        Raises:
            BaseException: from an earlier item.
        """
        if not enqueue(self.queue, item, self.closed) and self.error is not None:
            raise self.error

    def finish(self) -> None:
        """Wait until all items are processed. See `enqueue`."""
        enqueue(self.queue, None, self.closed)
        self.thread.join()
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        while (item := dequeue(self.queue, self.closed)) is not None:
            try:
                self.work(*item)
            except BaseException as error:  # re-raised in the producer
                self.error = error
                self.closed.set()
                return


def enqueue(queue: "Queue[Any]", item: Any, closed: threading.Event) -> bool:
    """Queue an item; False where the consumer has closed."""
    while not closed.is_set():
        try:
            queue.put(item, timeout=POLL_S)
        except Full:
            continue
        return True
    return False


def dequeue(queue: "Queue[Any]", closed: threading.Event) -> Any:
    """The next item; None where the producer has closed."""
    while not closed.is_set():
        try:
            return queue.get(timeout=POLL_S)
        except Empty:
            continue
    return None
