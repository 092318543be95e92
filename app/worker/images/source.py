"""The images of a ZIP, read and decoded in limited processes, several in parallel."""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np  # imported before the decoders are forked

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
TOGETHER = 8  # images per batch of the model
PIXELS_TOGETHER = 16_000_000  # of a batch, unless a single image has more
PIXELS_IN_MEMORY = 5 * PIXELS_TOGETHER  # of all decoded images that are not analyzed yet, unless a single one has more
HUGE = ORDINARY  # pixels: larger images are decoded one at a time
READ = (*FORMATS, "HEIF")  # the same as for datasets
KINDS = frozenset({"image"})


@dataclass(frozen=True)
class Still:
    """One image of the ZIP.

    Args:
        name: its path in the ZIP.
        pixels: BGR; None: unreadable.
        code, detail: the reason, as in BadPicture, or `member_damaged`.
        reserved_pixels: its share of the memory limit.
    """

    name: str
    pixels: Any = None
    code: str = ""
    detail: str = ""
    reserved_pixels: int = 0


@dataclass(frozen=True)
class Measured:
    """An extracted image, and its number of pixels by its header."""

    path: Path
    pixels: int


@dataclass
class ImageBatch:
    """Images for one call of the model, decoded or being decoded."""

    waiting: list[Future[Still]] = field(default_factory=list)
    pixels: int = 0

    def fits(self, pixels: int) -> bool:
        """Whether an image of so many pixels may be added."""
        return not self.waiting or (len(self.waiting) < TOGETHER and self.pixels + pixels <= PIXELS_TOGETHER)

    def add(self, still: Future[Still], pixels: int) -> None:
        self.waiting.append(still)
        self.pixels += pixels

    def stills(self) -> list[Still]:
        return [future.result() for future in self.waiting]


class ImageSource:
    """Reads a ZIP; a context manager. It forks its processes when created, which must be before torch is loaded.

    Args:
        path: the ZIP. folder: for extracted files, one image at a time.
        max_pixels: per image. seconds: CPU time per image.

    Raises:
        InvalidInput: it is unsafe, damaged, not a ZIP, or has no image.
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
        self.decoders.abort()  # abort decodings that are no longer needed
        self.threads.shutdown(cancel_futures=True)
        self.decoders.close()
        self.file.close()

    def pieces(self) -> Iterator[list[Still]]:
        """All images in order of their names, in batches; the consumer passes each batch to `release`.

        Raises:
            InvalidInput: the ZIP is truncated.
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
        """Release the memory of a batch."""
        self.budget.release(sum(still.reserved_pixels for still in stills))

    def extracted(self, member: Member, number: int) -> Path | None:
        """A member's contents as a file; None: it is damaged.

        Raises:
            InvalidInput: the disk is full, or the ZIP is truncated.
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
        """An extracted image with its size; or the reason why it is unreadable. See `extracted`."""
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
    """An unreadable image, with the reason.

    Raises:
        OSError: a fault of the disk, not of the image.
        ForkServerGone: no process can be started; not a fault of the image.
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
    """Its path in the ZIP, valid for a file system."""
    return "/".join(member.parts)


def pixels_of(path: Path, max_pixels: int) -> int:
    """From the header; in a decoder.

    Raises:
        BadPicture: see `read`.
    """
    with open(path, "rb") as file:
        return checked_pixels(opened(file, path, READ), max_pixels)


def bgr_of(path: Path, max_pixels: int) -> Any:
    """The pixels for ultralytics, height x width x 3; in a decoder.

    Raises:
        BadPicture: see `read`.
    """
    with one_at_a_time() if pixels_of(path, max_pixels) > HUGE else nullcontext():
        return np.ascontiguousarray(np.asarray(read(path, max_pixels, READ))[..., ::-1])
