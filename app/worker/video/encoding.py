"""Writes a video that browsers play: H.264 if its encoder is available, otherwise VP9 or VP8."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av

LONGEST = 1920  # px; detections refer to pixels of the original
TICKS = 90_000  # per second
# Faster than the models, on the cores that they leave.
H264 = {"preset": "veryfast", "crf": "23"}
VPX = {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "2M", "row-mt": "1"}


@dataclass(frozen=True)
class Form:
    """The format of a video. name: of its file. codec: of FFmpeg."""

    name: str
    codec: str
    options: dict[str, str]
    container: dict[str, str]


FORMS = (
    Form("video.mp4", "libx264", H264, {"movflags": "+faststart"}),
    Form("video.webm", "libvpx-vp9", VPX, {}),
    Form("video.webm", "libvpx", {name: value for name, value in VPX.items() if name != "row-mt"}, {}),
)


def best_form() -> Form:
    """The first one with an available encoder."""
    return next(form for form in FORMS if form.codec in av.codecs_available)


def fitted(width: int, height: int) -> tuple[int, int]:
    """Even sides, at most LONGEST px."""
    scale = min(1.0, LONGEST / max(width, height))
    return max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)


class VideoWriter:
    """Writes frames with their times.

    Args:
        folder: for the file, named by its form.
        size: px of a frame: width, height, even.
        rate: approximate frames per second.
    """

    def __init__(self, folder: Path, size: tuple[int, int], rate: float, form: Form | None = None) -> None:
        self.form, self.size = form or best_form(), size
        self.path = folder / self.form.name
        self.container = av.open(str(self.path), "w", options=self.form.container)
        fps, options = Fraction(rate).limit_denominator(1000), dict(self.form.options)
        self.stream = cast(Any, self.container.add_stream(self.form.codec, rate=fps, options=options))
        self.stream.width, self.stream.height = size
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, TICKS)
        self.stream.codec_context.thread_count = 0
        self.last = -1

    def write(self, pixels: Any, time: float) -> None:
        """Write a frame (BGR array of `size`) that is displayed from this second on."""
        frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
        frame.pts = self.last = max(self.last + 1, round(time * TICKS))
        frame.time_base = Fraction(1, TICKS)
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Write the buffered frames, and the index."""
        self.container.mux(self.stream.encode(None))
        self.container.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        try:
            self.container.close()
        except av.error.FFmpegError:
            return
