"""Writes a video's results: the annotated video and the lists."""

import os
from collections.abc import Mapping
from pathlib import Path

import cv2

from app.core.shapes import TrackedDetection
from app.worker.video.drawing import draw
from app.worker.video.encoding import VideoWriter, fitted
from app.worker.video.lists import DetectionLists
from app.worker.video.open_video import Opened
from app.worker.video.source import Frame


class Output:
    """Writes the frames in order.

    Args:
        folder: of the files.
        order: the numbers of the classes, by name: a class keeps its color.
    """

    def __init__(self, folder: Path, opened: Opened, order: dict[str, int]) -> None:
        self.size, self.order = fitted(opened.width, opened.height), order
        self.scale = self.size[0] / opened.width
        self.lists = DetectionLists(folder)
        self.video = VideoWriter(folder, self.size, opened.rate)

    def add(self, frames: list[Frame], detections_by_frame: list[list[TrackedDetection]]) -> None:
        """Add frames, with the detections of each."""
        for frame, detections in zip(frames, detections_by_frame, strict=True):
            pixels = frame.pixels
            if (pixels.shape[1], pixels.shape[0]) != self.size:
                pixels = cv2.resize(pixels, self.size, interpolation=cv2.INTER_AREA)
            self.video.write(draw(pixels, detections, self.order, self.scale), frame.time)
            self.lists.add(frame.number, frame.time, detections)

    def close(self, about: Mapping[str, object]) -> None:
        """Complete and sync all files."""
        self.video.close()
        self.lists.close({**about, "video_file": self.video.path.name})
        with open(self.video.path, "rb") as file:
            os.fsync(file.fileno())
