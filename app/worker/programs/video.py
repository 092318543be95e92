"""Converts a video to one that browsers play.

spec.json: see `VideoSpec`. Result: {"frames", "fps", "width", "height", "seconds", "cut"}; `cut`: the output was
truncated at a limit. Unusable files are refused with one of the codes not_video, too_large, too_long and no_frames.

The file is untrusted: its container is detected by its first bytes, so that no playlist makes the decoder open other
files or URLs; memory, time, frames and output size are limited.
"""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.core.programs import VideoResult, VideoSpec
from app.core.videos import CONTAINERS, HEAD, container_of, is_mp4
from app.worker.channel import Channel
from app.worker.failures import InvalidInput
from app.worker.isobmff import TooLong, check_movie

LONGEST = 1280  # px of an output frame; models use 640 or so
OUTPUT_BYTES = 512 * 1024**2
MOST_FPS = 240.0
OPEN_MS = 10_000  # for the container's tables


class Conversion:
    """The conversion of one video.

    Args:
        spec: see the module.
    """

    def __init__(self, spec: VideoSpec) -> None:
        self.spec = spec
        self.until = time.monotonic() + spec.seconds
        self.written, self.cut = 0, False
        self.size = (0, 0)

    def run(self, output: Path) -> VideoResult:
        """Write the WebM.

        Raises:
            InvalidInput: it is not a video, or its frames are too large or cannot be decoded.
        """
        import cv2

        source = Path(self.spec.input)
        with open(source, "rb") as file:
            head = file.read(HEAD)
            if not container_of(head):
                raise InvalidInput("not_video")
            if is_mp4(head):
                check_movie(file)
        video = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG, [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS])
        if not video.isOpened():
            raise InvalidInput("not_video")
        self.measure(video)
        step, fps = self.pace(video)
        writer = cv2.VideoWriter(str(output), cv2.VideoWriter.fourcc(*"VP80"), fps, self.size)
        try:
            for frame in self.frames(video, step):
                writer.write(cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA))
                self.written += 1
        finally:
            writer.release()
            video.release()
        if not self.written or not output.is_file():
            raise InvalidInput("no_frames")
        width, height = self.size
        return {
            "frames": self.written,
            "fps": round(fps, 3),
            "width": width,
            "height": height,
            "seconds": round(self.written / fps, 3),
            "cut": self.cut,
        }

    def measure(self, video: Any) -> None:
        """The size of the output frames: even numbers, as VP8 requires."""
        import cv2

        width, height = (int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width < 2 or height < 2:
            raise InvalidInput("no_frames")
        if width * height > self.spec.max_pixels:
            raise InvalidInput("too_large")
        scale = min(1.0, LONGEST / max(width, height))
        self.size = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))

    def pace(self, video: Any) -> tuple[int, float]:
        """The interval between written frames, and the resulting frame rate. The file's own values may be wrong."""
        import cv2

        fps = video.get(cv2.CAP_PROP_FPS)
        fps = fps if 0.1 <= fps <= MOST_FPS else 25.0
        count = video.get(cv2.CAP_PROP_FRAME_COUNT)
        by_rate = max(1, round(fps / self.spec.rate))
        by_count = -(-int(count) // self.spec.max_frames) if 0 < count < 1e7 else 1
        step = max(by_rate, by_count)
        return step, fps / step

    def frames(self, video: Any, step: int) -> Iterator[Any]:
        """Every step-th frame, until the end or a limit."""
        number = 0
        while video.grab():
            if number % step == 0:
                if self.written >= self.spec.max_frames or time.monotonic() > self.until:
                    self.cut = True
                    return
                there, frame = video.retrieve()
                if there and frame is not None and frame.ndim == 3:
                    yield frame
            elif time.monotonic() > self.until:
                self.cut = True
                return
            number += 1


def limit(memory: int, seconds: float) -> None:
    """Limit this process: memory, CPU time, file size, and no child processes."""
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds * 4) + 10),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def run(channel: Channel) -> VideoResult:
    """Convert the video of the spec.

    Raises:
        InvalidInput: it is not a video, or its frames are too large, too many, or cannot be decoded.
    """
    os.nice(10)
    # Read by OpenCV when it opens the file.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"protocol_whitelist;file|format_whitelist;{CONTAINERS}|threads;1"
    os.environ["OPENCV_LOG_LEVEL"] = "ERROR"
    spec = VideoSpec.of(channel.spec)
    limit(spec.memory, spec.seconds)
    try:
        return Conversion(spec).run(Path(spec.output))
    except TooLong as error:
        raise InvalidInput("too_long") from error
