"""Converts videos that browsers cannot play: a child encodes WebM, with limits on memory, time and frames."""

import logging
import threading
from pathlib import Path
from typing import IO, cast

from flask_babel import gettext as _

from app.config import settings
from app.core.programs import VideoResult, VideoSpec
from app.errors import AppError, NoSpace, TooLarge, TooManyRequests, Unprocessable
from app.events import Event, Failed, Finished, Refused
from app.extensions import db, socketio
from app.jobs.short import run_program
from app.services.storage import StorageService

logger = logging.getLogger("yolo.inference")

RATE, MOST_FRAMES = 10, 3_000  # five minutes at full rate; longer videos get a lower rate
WORK_S = 60.0  # after which the frames converted so far are returned
KILL_S = 90.0  # when the child is killed
MEMORY = 3 * 1024**3  # of address space, of which OpenCV alone reserves about one
BLOCK = 1024 * 1024


class VideoConverter:
    """Converts one video at a time.

    Args:
        storage: for staging files.
    """

    def __init__(self, storage: StorageService) -> None:
        self.storage = storage
        self._free = threading.Semaphore(1)

    def convert(self, file: IO[bytes]) -> tuple[IO[bytes], VideoResult]:
        """The WebM, opened for reading, and the result of app/worker/programs/video.py. Leaves no file.

        Raises:
            TooManyRequests: another video is being converted.
            Unprocessable: it is not a video, or takes too long.
            TooLarge: its frames are too large.
        """
        if not self._free.acquire(blocking=False):
            raise TooManyRequests(_("Another video is being converted. Try again in a minute."))
        folder = self.storage.new_tmp()
        try:
            db.session.rollback()  # no transaction may be open while the child is awaited
            folder.mkdir(parents=True)
            copy(file, folder / "video")
            ending = run_program("video", folder, self.spec(folder).values(), KILL_S, limited=True)
            if not isinstance(ending, Finished):
                raise failure(ending)
            return open(folder / "video.webm", "rb"), cast(VideoResult, ending.result)
        finally:
            self.storage.remove(folder)
            self._free.release()

    def spec(self, folder: Path) -> VideoSpec:
        """The spec of the program."""
        return VideoSpec(
            input=str(folder / "video"),
            output=str(folder / "video.webm"),
            max_pixels=settings().MAX_IMAGE_PIXELS,
            max_frames=MOST_FRAMES,
            rate=RATE,
            seconds=WORK_S,
            memory=MEMORY,
        )


def copy(source: IO[bytes], target: Path) -> None:
    """Copy an upload to a file; yields to other requests."""
    with open(target, "xb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            socketio.sleep(0)


def failure(ending: Event) -> AppError:
    """The error for a failed conversion, by the program's ending."""
    if isinstance(ending, Refused):
        return refusal(ending.code)
    logger.warning("a video could not be converted: %s", ending)
    if isinstance(ending, Failed) and ending.kind == "disk_full":
        return NoSpace(_("The disk is full. Free some space and try again."))
    return refusal(ending.kind if isinstance(ending, Failed) else "broken")


def refusal(code: str) -> AppError:
    """What happened and what to do."""
    texts = {
        "not_video": _("The file is not a video that can be decoded. Use MP4, MOV, AVI, MKV or WebM."),
        "too_long": _("The video has too many frames, or its header is damaged. Cut it and try again."),
        "no_frames": _("The video has no frames that can be decoded. Convert it with ffmpeg and try again."),
        "timeout": _("Decoding the video took too long. Use a shorter or smaller video."),
        "out_of_memory": _("Decoding the video needs too much memory. Use a video with smaller frames."),
    }
    if code == "too_large":
        most = settings().MAX_IMAGE_PIXELS // 1_000_000
        return TooLarge(_("The frames of the video are too large: at most %(most)s megapixels.", most=most))
    message = texts.get(code) or _("The video is damaged and can't be decoded. Convert it with ffmpeg and try again.")
    return Unprocessable(message, [{"field": "file", "message": message}])
