"""The images of a ZIP, read and decoded in processes with limits, several at a time."""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np  # before the decoders are forked

from app.core.imports import ArchiveLimits
from app.core.natural import natural_key
from app.worker import recode  # noqa: F401 (what reads HEIC is in Image.OPEN from then on)
from app.worker.decoder_processes import ForkServerGone
from app.worker.decoders import ORDINARY, DecodeLimits, DecoderPool, OverLimit, one_at_a_time
from app.worker.failures import InvalidInput
from app.worker.importing.content import content
from app.worker.importing.disk import check_space
from app.worker.importing.members import Member
from app.worker.importing.reading import read_archive
from app.worker.picture import FORMATS, BadPicture, checked_pixels, opened, read
from app.worker.serving.pixels import PixelBudget

logger = logging.getLogger("yolo.worker")

DECODERS = min(4, len(os.sched_getaffinity(0)))
TOGETHER = 8  # images that go to the model at once
PIXELS_TOGETHER = 16_000_000  # of them all, unless one has more
PIXELS_IN_MEMORY = 5 * PIXELS_TOGETHER  # of all images that are decoded and not yet analyzed, unless one has more
HUGE = ORDINARY  # pixels: decoded one at a time
READ = (*FORMATS, "HEIF")  # as a dataset takes them
KINDS = frozenset({"image"})


@dataclass(frozen=True)
class Still:
    """One image of the ZIP.

    Args:
        name: its path in the ZIP.
        pixels: BGR; None: it can't be read.
        code, detail: why, as BadPicture has them, or `member_damaged`.
        reserved_pixels: pixels of the memory that it counts for.
    """

    name: str
    pixels: Any = None
    code: str = ""
    detail: str = ""
    reserved_pixels: int = 0


@dataclass(frozen=True)
class Measured:
    """An image as a file, and how many pixels it has by its header."""

    path: Path
    pixels: int


@dataclass
class ImageBatch:
    """Images that go to the model at once, decoded or being decoded."""

    waiting: list[Future[Still]] = field(default_factory=list)
    pixels: int = 0

    def fits(self, pixels: int) -> bool:
        """Whether an image of so many pixels may come to it."""
        return not self.waiting or (len(self.waiting) < TOGETHER and self.pixels + pixels <= PIXELS_TOGETHER)

    def add(self, still: Future[Still], pixels: int) -> None:
        self.waiting.append(still)
        self.pixels += pixels

    def stills(self) -> list[Still]:
        return [future.result() for future in self.waiting]


class ImageSource:
    """Reads a ZIP; a context manager. Forks its processes when it is made: before torch is loaded.

    Args:
        path: the ZIP. folder: for what is unpacked, one image at a time.
        max_pixels: of an image. seconds: of processor time for one.

    Raises:
        InvalidInput: it is unsafe, damaged or no ZIP, or has no image.
    """

    def __init__(self, path: Path, folder: Path, limits: ArchiveLimits, max_pixels: int, seconds: float) -> None:
        self.folder, self.limits, self.max_pixels = folder, limits, max_pixels
        self.file = open(path, "rb")  # noqa: SIM115 (until `close`)
        try:
            self.listing = read_archive(self.file, limits, folder, KINDS)
            self.members = sorted(self.listing.members, key=lambda member: natural_key(name_of(member)))
            if not self.members:
                raise InvalidInput("no_images")
        except BaseException:
            self.file.close()
            raise
        self.budget = PixelBudget(PIXELS_IN_MEMORY, DECODERS)
        self.decoders = DecoderPool(DECODERS, DecodeLimits.of(max_pixels, seconds))
        self.threads = ThreadPoolExecutor(DECODERS, "decode")

    def __enter__(self) -> "ImageSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.decoders.abort()  # nobody waits for what is still being decoded
        self.threads.shutdown(cancel_futures=True)
        self.decoders.close()
        self.file.close()

    def pieces(self) -> Iterator[list[Still]]:
        """All images in the order of their names, in batches; the consumer hands each batch back to `release`.

        Raises:
            InvalidInput: the ZIP ends early.
        """
        pieces = deque([ImageBatch()])
        for number, member in enumerate(self.members):
            measured = self.measured(member, number)
            pixels = measured.pixels if isinstance(measured, Measured) else 0
            if not pieces[-1].fits(pixels):
                pieces.append(ImageBatch())
            while len(pieces) > 2 or (pieces[0].waiting and not self.budget.fits(pixels)):
                yield pieces.popleft().stills()
                pieces = pieces or deque([ImageBatch()])
            self.budget.acquire(pixels)
            pieces[-1].add(self.begun(member, measured), pixels)
        for piece in pieces:
            yield piece.stills()

    def release(self, stills: Sequence[Still]) -> None:
        """The pixels of a piece are not needed any more."""
        self.budget.release(sum(still.reserved_pixels for still in stills))

    def extracted(self, member: Member, number: int) -> Path | None:
        """Its content as a file; None: it is damaged.

        Raises:
            InvalidInput: the disk is full, or the ZIP ends before it.
        """
        check_space(self.folder, member.entry.size, self.limits.min_free)
        path = self.folder / f"image-{number}"
        try:
            with open(path, "wb") as file:
                for chunk in content(self.file, member.entry):
                    file.write(chunk)
        except InvalidInput as error:
            path.unlink()
            if error.code != "member_damaged":
                raise
            return None
        return path

    def measured(self, member: Member, number: int) -> Measured | Still:
        """An image as a file, by its header; or why it can't be read. See `extracted`."""
        path = self.extracted(member, number)
        if path is None:
            return Still(name_of(member), code="member_damaged")
        try:
            return Measured(path, self.decoders.run(pixels_of, path, self.max_pixels))
        except Exception as error:
            path.unlink()
            return unread(name_of(member), error)

    def begun(self, member: Member, measured: Measured | Still) -> Future[Still]:
        if isinstance(measured, Measured):
            return self.threads.submit(self.decoded, name_of(member), measured)
        future: Future[Still] = Future()
        future.set_result(measured)
        return future

    def decoded(self, name: str, image: Measured) -> Still:
        try:
            return Still(name, self.decoders.run(bgr_of, image.path, self.max_pixels), reserved_pixels=image.pixels)
        except Exception as error:
            return unread(name, error, image.pixels)
        finally:
            image.path.unlink()


def unread(name: str, error: Exception, memory: int = 0) -> Still:
    """An image that can't be read, and why.

    Raises:
        OSError: of the disk: not the image's fault.
        ForkServerGone: no process can be made: not the image's fault.
    """
    if isinstance(error, BadPicture):
        return Still(name, code=error.code, detail=str(error)[:200], reserved_pixels=memory)
    if isinstance(error, OverLimit):
        return Still(name, code="stopped", detail=error.what, reserved_pixels=memory)
    if isinstance(error, (OSError, ForkServerGone)):
        raise error
    logger.error("An image can't be decoded", exc_info=error)
    return Still(name, code="not_image", reserved_pixels=memory)


def name_of(member: Member) -> str:
    """Its path in the ZIP, as it may be written to a file system."""
    return "/".join(member.parts)


def pixels_of(path: Path, max_pixels: int) -> int:
    """By the header; in a decoder.

    Raises:
        BadPicture: see `read`.
    """
    with open(path, "rb") as file:
        return checked_pixels(opened(file, path, READ), max_pixels)


def bgr_of(path: Path, max_pixels: int) -> Any:
    """The pixels as ultralytics takes them, height x width x 3; in a decoder.

    Raises:
        BadPicture: see `read`.
    """
    with one_at_a_time() if pixels_of(path, max_pixels) > HUGE else nullcontext():
        return np.ascontiguousarray(np.asarray(read(path, max_pixels, READ))[..., ::-1])
