"""Makes a video that browsers play of one that they do not: `python -m app.worker.video DIRECTORY`.

spec.json: `input`, `output` (the WebM to write), `max_pixels` of a frame, `max_frames` to write, `rate` (frames per
second at most), `seconds` of work at most, `memory` in bytes. Exit status 0: the WebM is there, and `result.json` says
{"frames", "fps", "width", "height", "seconds", "cut"}; `cut`: the video goes on, but a limit was reached. Else it has
said Failed with the kind "data" and one of not_video, too_large, no_frames as its error.

The file is untrusted: its container is told by its first bytes, so that no playlist makes the decoder open other files
or addresses; memory, time, frames and the size of what is written have limits.
"""

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.worker.channel import Channel
from app.worker.files import put

# Demuxers that read one file and nothing else. Playlists (HLS, concat, DASH) are not among them.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,flv,asf,ogg"
LONGEST = 1280  # px of a frame that is written; models look at 640 or so
OUTPUT_BYTES = 512 * 1024**2
MOST_FPS = 240.0


class Refused(Exception):
    """The file cannot be used; `str()` is the code of the reason."""


def container_of(head: bytes) -> bool:
    """Whether these first bytes are of a container that is decoded."""
    boxes = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
    if head[4:8] in boxes or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    if head[:1] == b"\x47" and head[188:189] == b"\x47":  # MPEG transport stream
        return True
    known = (b"\x1a\x45\xdf\xa3", b"OggS", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba",
             b"\x00\x00\x01\xb3")  # fmt: skip
    return head.startswith(known)


class Conversion:
    """One video.

    Args:
        spec: see the module.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.until = time.monotonic() + spec["seconds"]
        self.written, self.cut = 0, False
        self.size = (0, 0)

    def run(self, output: Path) -> dict[str, Any]:
        """Write the WebM.

        Raises:
            Refused: it is no video, or its frames are too large or cannot be decoded.
        """
        import cv2

        source = Path(self.spec["input"])
        with open(source, "rb") as file:
            if not container_of(file.read(192)):
                raise Refused("not_video")
        video = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
        if not video.isOpened():
            raise Refused("not_video")
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
            raise Refused("no_frames")
        width, height = self.size
        return {"frames": self.written, "fps": round(fps, 3), "width": width, "height": height,
                "seconds": round(self.written / fps, 3), "cut": self.cut}  # fmt: skip

    def measure(self, video: Any) -> None:
        """The size of the frames that are written: even numbers, as VP8 needs."""
        import cv2

        width, height = (int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if width < 2 or height < 2:
            raise Refused("no_frames")
        if width * height > self.spec["max_pixels"]:
            raise Refused("too_large")
        scale = min(1.0, LONGEST / max(width, height))
        self.size = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))

    def pace(self, video: Any) -> tuple[int, float]:
        """Every how many frames one is written, and how many a second that gives. What the file says may be wrong."""
        import cv2

        fps = video.get(cv2.CAP_PROP_FPS)
        fps = fps if 0.1 <= fps <= MOST_FPS else 25.0
        count = video.get(cv2.CAP_PROP_FRAME_COUNT)
        by_rate = max(1, round(fps / self.spec["rate"]))
        by_count = -(-int(count) // self.spec["max_frames"]) if 0 < count < 1e7 else 1
        step = max(by_rate, by_count)
        return step, fps / step

    def frames(self, video: Any, step: int) -> Iterator[Any]:
        """Every step-th frame, until the end or a limit."""
        number = 0
        while video.grab():
            if number % step == 0:
                if self.written >= self.spec["max_frames"] or time.monotonic() > self.until:
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
    """Of this process: memory, processor time, the size of a file, and no children."""
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, int(seconds * 4) + 10),
                       (resource.RLIMIT_FSIZE, OUTPUT_BYTES)):  # fmt: skip
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(directory: str) -> int:
    """Convert what `spec.json` names; the exit status."""
    os.nice(10)
    # Read by OpenCV when it opens the file.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"protocol_whitelist;file|format_whitelist;{CONTAINERS}|threads;1"
    os.environ["OPENCV_LOG_LEVEL"] = "ERROR"
    channel = Channel(directory)
    channel.hear_terminations()
    output = Path(channel.spec["output"])
    try:
        limit(channel.spec["memory"], channel.spec["seconds"])
        result = Conversion(channel.spec).run(output)
        text = json.dumps(result)
        put(output.with_name("result.json"), lambda draft: draft.write_text(text, encoding="utf-8"))
    except Refused as error:
        channel.fail("data", str(error))
        return 1
    except Exception as error:
        no_memory = isinstance(error, MemoryError) or "memory" in str(error).lower()
        channel.fail("out_of_memory" if no_memory else "code", f"{type(error).__name__}: {error}"[:500],
                     traceback.format_exc())  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
