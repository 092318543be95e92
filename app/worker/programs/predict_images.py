"""Detects objects in the images of a ZIP: JSON, CSV and YOLO labels.

spec.json is core.predictions.PredictionSpec. Result: `images`, `classes` (with their counts), `engine` and further
details of the model's run, `files` (bytes by name), all below `made/`. Unreadable images are listed and skipped.

A thread reads and decodes, this one runs the model.
"""

import time
from pathlib import Path
from typing import cast

from app.core.predictions import RESULT_FOLDER, PredictionFigures, PredictionResult, PredictionSpec
from app.core.shapes import Detection, TrackedDetection
from app.worker.channel import Channel
from app.worker.failures import InvalidInput, StopRequested
from app.worker.images.lists import ImageLists
from app.worker.images.source import ImageSource, Still
from app.worker.programs.predict_video import AHEAD, MOST_LIST_BYTES, Ahead, sizes_in
from app.worker.progress import ProgressReporter


def run(channel: Channel) -> PredictionResult:
    """Read, detect, write.

    Raises:
        InvalidInput: the ZIP cannot be used.
        WeightsError: the model cannot be used.
        StopRequested: a stop was requested.
    """
    spec = PredictionSpec.of(channel.spec)
    folder = channel.directory / RESULT_FOLDER
    folder.mkdir()
    path = Path(spec.input)
    with ImageSource(path, channel.directory, spec.limits, spec.max_pixels, spec.decode_seconds) as source:
        return ImagePrediction(channel, spec, source, folder).run()


class ImagePrediction:
    """The images of one ZIP.

    Args:
        folder: the folder of the files.
    """

    def __init__(self, channel: Channel, spec: PredictionSpec, source: ImageSource, folder: Path) -> None:
        self.channel, self.spec, self.source, self.folder = channel, spec, source, folder
        self.progress = ProgressReporter(channel, len(source.members))
        stop_if_requested(channel)  # before the slow loading of the model
        from app.worker.train import private_settings
        from app.worker.video.model import VideoModel

        private_settings()
        self.model = VideoModel(spec)
        self.lists = ImageLists(folder, list(self.model.order))

    def run(self) -> PredictionResult:
        """Detect objects in every image of the ZIP.

        Returns:
            see the module's docstring.
        """
        began = time.monotonic()
        with Ahead(self.source.pieces(), AHEAD, lambda: stop_if_requested(self.channel)) as pieces:
            for stills in pieces:
                self.detect(stills)
                self.source.release(stills)
                if self.lists.bytes > MOST_LIST_BYTES:
                    raise InvalidInput("too_many_detections")
        if not self.lists.images:
            first = self.lists.unread[0]
            raise InvalidInput("no_images_read", name=first["image"], why=first["code"], detail=first["detail"])
        result = self.figures(time.monotonic() - began)
        rest = {name: value for name, value in result.items() if name != "images"}  # the file has one entry per image
        self.lists.close({"model": self.spec.about, "skipped": result["images"]["skipped"], **rest})
        return {**result, "files": sizes_in(self.folder)}

    def detect(self, stills: list[Still]) -> None:
        read = [still for still in stills if still.pixels is not None]
        results = iter(self.model.run([still.pixels for still in read]) if read else [])
        for still in stills:
            if still.pixels is None:
                self.lists.skip(still)
            else:
                self.lists.add(still, [without_track(item) for item in next(results)])
            self.progress.step()

    def figures(self, seconds: float) -> PredictionFigures:
        """The summary after so many seconds."""
        listing = self.source.listing
        return {
            "images": {
                "read": self.lists.images,
                "unread": self.lists.unread_images(),
                "skipped": {"count": listing.skipped.total(), "first": listing.skipped_names},
            },
            "thresholds": {"confidence": self.spec.confidence, "iou": self.spec.iou, "classes": self.spec.classes},
            "rate": round(self.progress.done / seconds, 2) if seconds else None,
            "classes": self.lists.classes(),
            **self.model.about(),
        }


def without_track(item: TrackedDetection) -> Detection:
    return cast(Detection, {name: value for name, value in item.items() if name != "track_id"})


def stop_if_requested(channel: Channel) -> None:
    """Check for a stop request.

    Raises:
        StopRequested: a stop was requested.
    """
    if channel.stop_requested():
        raise StopRequested
