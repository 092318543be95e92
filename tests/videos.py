"""Small videos for tests: drawn, with irregular times, rotated, truncated, or no videos at all."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TURNED = {  # the matrix of a track: how a player rotates it, clockwise
    90: (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    180: (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
    270: (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
}
TICKS = 1000


def drawn_video(
    path: Path, times: Sequence[float], size: tuple[int, int] = (160, 120), codec: str = "libx264", seed: int = 0
) -> bytes:
    """A red corner on noise, a frame at each time (s)."""
    random = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for time in times:
            pixels = random.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            pixels[: size[1] // 2, : size[0] // 2] = (0, 0, 255)
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def rotate_video(video: bytes, degrees: int) -> bytes:
    """An MP4 whose header makes players rotate it."""
    at = video.index(b"tkhd") + 4 + 40  # after the version, the times, the id, the layer and the volume
    return video[:at] + struct.pack(">9i", *TURNED[degrees]) + video[at + 36 :]


def claim_frames(video: bytes, frames: int) -> bytes:
    """An MP4 whose table of durations has one entry for this many frames."""
    at = video.index(b"stts") + 12
    return video[:at] + struct.pack(">I", frames) + video[at + 4 :]


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"
DASH = b"<?xml version='1.0'?><MPD><BaseURL>file:///etc/</BaseURL></MPD>"
NO_VIDEOS = {
    "nothing": b"",
    "zeros": b"\0" * 500,
    "playlist": PLAYLIST,
    "concat": CONCAT,
    "dash": DASH,
    "html": b"<html>",
    "gif": b"GIF89a" + b"\0" * 90,
}
BROKEN = {  # that start like videos
    "avi": b"RIFF\xff\xff\xff\xffAVI LIST",
    "matroska": b"\x1a\x45\xdf\xa3" + b"\xff" * 99,
    "mp4": b"\0\0\0\x18ftypmp42" + b"\xff" * 3000,
}
