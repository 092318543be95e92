"""Videos that browsers do not play: a child makes WebM of them, with limits on memory, time and frames."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from flask import current_app
from flask_babel import gettext as _

from app.errors import AppError, TooLarge, TooManyRequests, Unprocessable
from app.events import Failed
from app.extensions import db, socketio
from app.jobs.process import Child
from app.services.storage import StorageService

logger = logging.getLogger("yolo.inference")

RATE, MOST_FRAMES = 10, 3_000  # five minutes in full, longer videos with fewer frames a second
WORK_S, KILL_S = (
    60.0,
    90.0,
)  # what was converted within the first is given; a child that does not end by itself is killed
MEMORY = 3 * 1024**3  # of addresses: OpenCV alone reserves about one
POLL_S = 0.1
BLOCK = 1024 * 1024


class VideoConverter:
    """Converts one video at a time.

    Args:
        storage: where files are staged.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage
        self._free = threading.Semaphore(1)

    def convert(self, file: BinaryIO) -> tuple[BinaryIO, dict[str, Any]]:
        """The WebM, opened for reading, and what app/worker/video.py says of it. No file stays.

        Raises:
            TooManyRequests: another one is being converted. Unprocessable: it is no video, or takes too long.
            TooLarge: its frames are.
        """
        if not self._free.acquire(blocking=False):
            raise TooManyRequests(_("Another video is being converted. Try again in a minute."))
        folder = self.storage.new_tmp()
        try:
            db.session.rollback()  # no transaction may be open while we wait for the child
            folder.mkdir(parents=True)
            copy(file, folder / "video")
            self._run(folder)
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            return open(folder / "video.webm", "rb"), result
        finally:
            self.storage.remove(folder)
            self._free.release()

    def _run(self, folder: Path) -> None:
        spec = {"input": str(folder / "video"), "output": str(folder / "video.webm"), "rate": RATE,
                "max_pixels": current_app.config["MAX_IMAGE_PIXELS"], "max_frames": MOST_FRAMES, "seconds": WORK_S,
                "memory": MEMORY}  # fmt: skip
        child = Child.start("video", folder, spec, {})
        until = time.monotonic() + KILL_S
        while child.alive():
            if time.monotonic() > until:  # a decoder that hangs hears nothing
                child.stop(socketio.sleep, ask=0.0, term=0.0)
                raise refused("timeout")
            socketio.sleep(POLL_S)
        if child.exit_code() != 0 or not (folder / "result.json").is_file():
            raise failure(child)


def copy(source: BinaryIO, target: Path) -> None:
    """Write an upload to a file, with other requests served meanwhile."""
    with open(target, "xb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            socketio.sleep(0)


def failure(child: Child) -> AppError:
    """Why there is no video: what the child said, or how it ended."""
    said = [envelope.event for _offset, envelope in child.events()]
    last = said[-1] if said and isinstance(said[-1], Failed) else None
    if last and last.kind == "data":
        return refused(last.error)
    logger.warning("a video was not converted (exit %s): %s\n%s", child.exit_code(), last, child.log_tail(1000))
    return refused("out_of_memory" if last and last.kind == "out_of_memory" else "broken")


def refused(code: str) -> AppError:
    """What happened and what to do."""
    texts = {
        "not_video": _("The file is not a video that can be decoded. Use MP4, MOV, AVI, MKV or WebM."),
        "no_frames": _("The video has no frames that can be decoded. Convert it with ffmpeg and try again."),
        "timeout": _("Decoding the video took too long. Use a shorter or smaller video."),
        "out_of_memory": _("Decoding the video needs too much memory. Use a video with smaller frames."),
    }
    if code == "too_large":
        most = current_app.config["MAX_IMAGE_PIXELS"] // 1_000_000
        return TooLarge(_("The frames of the video are too large: at most %(most)s megapixels.", most=most))
    message = texts.get(code) or _("The video is damaged and can't be decoded. Convert it with ffmpeg and try again.")
    return Unprocessable(message, [{"field": "file", "message": message}])
