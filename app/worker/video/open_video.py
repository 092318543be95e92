"""A video inside the decoder: a limited process, called by `VideoSource`.

PyAV rather than OpenCV: it has the time of each frame and the rotation, and writes H.264.
"""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av  # imported before the decoders are forked, which inherit it

from app.core.videos import CONTAINERS, HEAD, demuxer_of, is_mp4
from app.worker.decoders import allow_for
from app.worker.failures import InvalidInput
from app.worker.isobmff import TooLong, check_movie

PIECE_BYTES = 64 * 2**20  # bytes of frames per batch; at least one frame
PIECE_FRAMES = 16
CHANNELS = 3
READ_BYTES = 256 * 1024
RATE, MOST_RATE = 25.0, 1000.0  # frames per second if the file has no plausible value
LONGEST_GAP_S = 600.0  # between two frames; more is a damaged timestamp
BACK_S = 1.0  # an earlier time by more than this is a restart of the clock, as in joined recordings
STEP_S = 0.001  # between two frames whose times do not increase
BAD_PACKETS = 10_000  # undecodable packets before the file is abandoned

_reading: "OpenVideo | None" = None  # of this process, if it is a decoder
_memory: list[mmap.mmap] = []  # shared with decoders that are forked after its creation


@dataclass(frozen=True)
class Opened:
    """The plausible part of a video's header.

    Args:
        width, height: px of a frame, upright. frames: as declared, 0: unknown. rate: frames per second.
    """

    width: int
    height: int
    frames: int
    rate: float
    codec: str


@dataclass(frozen=True)
class FrameTimes:
    """Frames in the shared memory: times in s, and the share of the file that was read."""

    times: list[float]
    share: float
    over: bool
    damaged: int  # packets so far


class OpenVideo:
    """An open video, in the decoder.

    Args:
        max_pixels: per frame.

    Raises:
        InvalidInput: it is not a video, its frames are too large, or it declares too much.
    """

    def __init__(self, path: str, max_pixels: int) -> None:
        self.container = opened(path)
        self.bytes = max(1, os.stat(path).st_size)
        if not self.container.streams.video:
            raise InvalidInput("no_frames")
        self.stream: Any = self.container.streams.video[0]
        self.max_pixels = max_pixels
        self.refuse_large(self.stream.codec_context.width, self.stream.codec_context.height)
        self.stream.thread_type = "AUTO"
        self.stream.codec_context.thread_count = min(4, len(os.sched_getaffinity(0)))
        self.rate = plausible(self.stream.average_rate)
        self.start: Fraction | None = None
        self.last, self.damaged, self.at = -1.0, 0, 0
        self.shape: tuple[int, int] = (0, 0)  # of the first frame as stored
        self.turn = 0
        self.frames = self._frames()
        self.first: tuple[float, Any] | None = None

    def refuse_large(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise InvalidInput("too_large")

    def begin(self) -> Opened:
        """Decode the first frame, which counts more than the header."""
        self.first = next(self.frames, None)
        if self.first is None:
            raise InvalidInput("no_frames")
        height, width, _ = self.first[1].shape
        return Opened(width, height, self.claimed(), self.rate, str(self.stream.codec_context.name))

    def claimed(self) -> int:
        """Declared frames, unless a file of this size cannot have so many."""
        count = self.stream.frames
        if not count and self.stream.duration:
            count = int(self.stream.duration * self.stream.time_base * Fraction(self.rate))
        elif not count and self.container.duration:
            count = int(self.container.duration / av.time_base * self.rate)
        return count if 0 < count <= self.bytes // 8 else 0

    def piece(self, memory: mmap.mmap) -> FrameTimes:
        """Write the next frames to the memory, consecutively."""
        times: list[float] = []
        at = 0
        while len(times) < PIECE_FRAMES:
            frame = self.first or next(self.frames, None)
            self.first = None
            if frame is None:
                return FrameTimes(times, 1.0, True, self.damaged)
            time, pixels = frame
            data = pixels.data.cast("B") if pixels.flags.c_contiguous else memoryview(pixels.tobytes())
            memory[at : at + len(data)] = data
            at += len(data)
            times.append(time)
            if at + len(data) > max(PIECE_BYTES, len(data)):
                break
        return FrameTimes(times, min(1.0, self.at / self.bytes), False, self.damaged)

    def _frames(self) -> Iterator[tuple[float, Any]]:
        for packet in self.packets():
            if packet.pos is not None:
                self.at = max(self.at, packet.pos)
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                if self.damaged > BAD_PACKETS:
                    return
                continue
            for frame in decoded:
                if frame.is_corrupt and not self.shape[0]:
                    continue
                yield self.time_of(frame), self.pixels_of(frame)

    def packets(self) -> Iterator[Any]:
        """The packets of the video; a truncated file ends where it cannot be read further."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.damaged += 1
                yield from self.flush()
                return
            if packet is None:
                return
            yield packet

    def flush(self) -> Iterator[Any]:
        """The decoder's remaining frames."""
        packet: Any = av.Packet(0)
        packet.stream = self.stream
        yield packet

    def time_of(self, frame: Any) -> float:
        """s from the first frame; increasing."""
        stamp = None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base
        if self.start is None:
            self.start = stamp or Fraction(0)
            self.last = 0.0
            return 0.0
        usual = self.last + 1 / self.rate
        time = usual if stamp is None else float(stamp - self.start)
        if stamp is not None and self.last - time > BACK_S:
            self.start, time = stamp - Fraction(usual), usual
        elif time <= self.last:
            time = self.last + STEP_S
        elif time - self.last > LONGEST_GAP_S:  # later frames have the same offset
            self.start = (stamp or Fraction(0)) - Fraction(usual)
            time = usual
        self.last = time
        return time

    def pixels_of(self, frame: Any) -> Any:
        """BGR, upright, all in the size of the first frame."""
        import numpy

        if not self.shape[0]:
            self.refuse_large(frame.width, frame.height)
            self.shape, self.turn = (frame.width, frame.height), quarter_turns(frame.rotation)
        if (frame.width, frame.height) != self.shape:
            self.refuse_large(frame.width, frame.height)
        pixels = frame.reformat(*self.shape, format="bgr24").to_ndarray()
        return numpy.ascontiguousarray(numpy.rot90(pixels, self.turn)) if self.turn else pixels


def quarter_turns(rotation: float) -> int:
    """Counterclockwise quarter turns, from the degrees of a display matrix."""
    return round(rotation / 90) % 4


def plausible(rate: Fraction | None) -> float:
    value = float(rate) if rate else RATE
    return value if 0.01 <= value <= MOST_RATE else RATE


def opened(path: str) -> Any:
    """The container, read only by the demuxer that its first bytes select; no other file is opened.

    Raises:
        InvalidInput: it is not a video, or its tables are implausibly long.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
        name = demuxer_of(head)
        if name is None:
            raise InvalidInput("not_video")
        if is_mp4(head):
            try:
                check_movie(file)
            except TooLong as error:
                raise InvalidInput("too_long") from error
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS, "enable_drefs": "0"}
    source = open(path, "rb")  # noqa: SIM115 (as long as the decoder)
    try:
        return av.open(source, format=name, options=options, buffer_size=READ_BYTES, io_open=refuse_file)
    except (av.error.FFmpegError, ValueError) as error:
        raise InvalidInput("not_video") from error


def refuse_file(url: str, _flags: int, _options: Any) -> Any:
    """Refuse to open another file that a container refers to.

    Raises:
        PermissionError
    """
    raise PermissionError(url)


def share(memory: mmap.mmap) -> None:
    """Set the shared memory for frames, before the decoders are forked."""
    _memory[:] = [memory]


def begin(path: str, max_pixels: int) -> Opened:
    """In the decoder: open the video."""
    global _reading
    _reading = OpenVideo(path, max_pixels)
    allow_for(max_pixels)
    return _reading.begin()


def piece() -> FrameTimes:
    """In the decoder: write the next frames to the shared memory.

    Raises:
        InvalidInput: this is not the decoder that opened the video.
    """
    if _reading is None:
        raise InvalidInput("out_of_memory")
    allow_for(_reading.max_pixels)
    return _reading.piece(_memory[0])
