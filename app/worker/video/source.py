"""Reads an untrusted video: a limited process decodes it, and returns its frames in batches."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.worker.decoders import DecodeLimits, DecoderPool, OverLimit
from app.worker.failures import InvalidInput
from app.worker.video.open_video import CHANNELS, PIECE_BYTES, FrameTimes, Opened, begin, piece, share

CODES = {"time": "timeout", "wall": "timeout", "memory": "out_of_memory", "killed": "out_of_memory"}

LIMITS = set(CODES.values())


@dataclass(frozen=True)
class Frame:
    """One frame. time: s from the first one. pixels: BGR, upright."""

    number: int
    time: float
    pixels: Any


class VideoSource:
    """A video, decoded in another process; created before this process loads torch or starts threads.

    Args:
        max_frames: that are read; a longer video is `cut`.

    Raises:
        InvalidInput: it cannot be used.
    """

    def __init__(self, path: Path, max_pixels: int, max_frames: int, seconds: float) -> None:
        self.max_frames = max_frames
        self.cut, self.damaged, self.share = False, 0, 0.0
        self.memory = mmap.mmap(-1, max(PIECE_BYTES, CHANNELS * max_pixels))
        share(self.memory)
        self.decoders = DecoderPool(1, DecodeLimits.of(max_pixels, seconds))
        try:
            self.about: Opened = self.call(begin, str(path), max_pixels)
        except BaseException:
            self.close()
            raise

    def call(self, function: Any, *args: Any) -> Any:
        try:
            return self.decoders.run(function, *args)
        except OverLimit as error:
            raise InvalidInput(CODES.get(error.what, "broken")) from error

    def pieces(self) -> Iterator[list[Frame]]:
        """The frames in order, in batches. A damaged part of the file ends the video there.

        Raises:
            InvalidInput: nothing can be decoded, or decoding exceeds a limit at any position, since the file may then
                be intact.
        """
        number = 0
        while True:
            try:
                times: FrameTimes = self.call(piece)
            except InvalidInput as refused:
                if not number or refused.code in LIMITS:
                    raise
                self.damaged += 1
                return
            self.share, self.damaged = times.share, times.damaged
            frames = [Frame(number + index, time, self.pixels(index)) for index, time in enumerate(times.times)]
            capacity = self.max_frames - number
            if len(frames) > capacity:
                self.cut = True
                frames = frames[:capacity]
            if frames:
                yield frames
            number += len(frames)
            if times.over or self.cut:
                return

    def pixels(self, index: int) -> Any:
        """A copy of a frame: the memory will be overwritten."""
        import numpy

        shape = (self.about.height, self.about.width, CHANNELS)
        size = self.about.height * self.about.width * CHANNELS
        return numpy.frombuffer(self.memory, numpy.uint8, size, index * size).reshape(shape).copy()

    def close(self) -> None:
        self.decoders.abort()
        self.decoders.close()
