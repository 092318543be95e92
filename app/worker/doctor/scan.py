"""Reads each image once: checks, measures, hashes it, and makes its thumbnail."""

import hashlib
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image, ImageFile

from app.worker import cost
from app.worker.doctor import reader
from app.worker.doctor.measure import SHORTEST, measure
from app.worker.doctor.model import Picture
from app.worker.doctor.thumbnails import Thumbnails
from app.worker.orientation import BY_PILLOW, DAMAGE, TURNED, orientation, upright
from app.worker.picture import eight_bit
from app.worker.recode import KINDS, STORED, as_jpeg, keep

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked from the header, before anything is decoded
Image.init()  # not from two threads at once
open_image = Image.open  # taken before ultralytics could replace it with one that may install packages

# The decoders that are let near a file; what Pillow was built without is left out. JPEG's gives MPO too.
READABLE: list[str] = [
    kind for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000", "GIF", "PPM", "ICO")
    if kind in Image.OPEN
]  # fmt: skip
# What ultralytics takes, by Pillow's name of the format (its IMG_FORMATS).
ACCEPTED = {"JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000"}
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg"}, "MPO": {".jpg", ".jpeg"}, "PNG": {".png"}, "BMP": {".bmp"}, "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"}, "AVIF": {".avif"}, "JPEG2000": {".jp2"},
}  # fmt: skip
SMALLEST = 10  # pixels a side, ultralytics' limit
LARGE = 4096  # pixels of the longer side: each is decoded whole in every epoch, to be scaled down
TINY = 64  # pixels of the longer side: little is left of such an image after scaling up
HUGE = 16_000_000  # pixels: decoded one at a time, so that memory stays bounded
IN_MEMORY = 64 * 2**20  # bytes of a file
END = b"\xff\xd9"
MODES = {"F": "32-bit float", "I": "32-bit integer", "I;16": "16-bit", "I;16B": "16-bit", "CMYK": "CMYK", "LAB": "Lab"}
AHEAD = 64  # images in work or waiting to be taken
EARLY = 10_000  # images that are begun before they are asked for: each is a kilobyte until it is

_one_huge = threading.Lock()


@dataclass(frozen=True)
class ScanSpec:
    """What a scan needs to know.

    Args:
        max_pixels: an image with more is not decoded.
        converted: a folder for images that are stored as JPEG, see app/worker/recode.py; None: they stay as they are.
        thumbnails: the dataset's folder of thumbnails, `ab/abcdef….webp` by SHA-256; None: none are made.
        workers: threads; None: one a core.
    """

    max_pixels: int
    thumbnails: Path | None = None
    workers: int | None = None
    converted: Path | None = None


class Scan:
    """Reads images in threads; a context manager.

    Threads are enough: Pillow and OpenCV release Python's lock while they decode, resize and encode.
    """

    def __init__(self, spec: ScanSpec) -> None:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        self.spec = spec
        self.thumbnails = Thumbnails(spec.thumbnails) if spec.thumbnails else None
        self.pool = ThreadPoolExecutor(spec.workers or cores())
        self.begun: dict[Path, Future[Picture]] = {}

    def __enter__(self) -> "Scan":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def begin(self, path: Path) -> None:
        """Read an image now that may be asked for later, while these are few enough to be kept."""
        if len(self.begun) < EARLY:
            self.begun[path] = self._submit(path)

    def _submit(self, path: Path) -> Future[Picture]:
        return self.pool.submit(read_picture, path, self.spec.max_pixels, self.thumbnails, None, self.spec.converted)

    def pictures(
        self, paths: Sequence[Path], on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Picture]:
        """A Picture for each path, in their order. Memory does not grow with the number of paths.

        Args:
            on_progress: told (done, total) after each image, by the thread that iterates; what it raises ends it.

        Raises:
            OSError: a file cannot be read at all (permission, disk); damaged content is a finding, not an error.
        """
        if self.begun:
            for unused in self.begun.keys() - set(paths):
                self.begun.pop(unused).cancel()
        rest, waiting = iter(paths), deque[Future[Picture]]()
        for done in range(1, len(paths) + 1):
            while len(waiting) < AHEAD and (path := next(rest, None)) is not None:
                waiting.append(self.begun.pop(path) if path in self.begun else self._submit(path))
            yield waiting.popleft().result()
            if on_progress:
                on_progress(done, len(paths))


def scan(
    paths: Sequence[Path], spec: ScanSpec, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Picture]:
    """`Scan.pictures` of a scan of their own."""
    with Scan(spec) as running:
        yield from running.pictures(paths, on_progress)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2


def read_picture(
    path: Path, max_pixels: int, thumbnails: Thumbnails | None = None, suffix: str | None = None,
    converted: Path | None = None,
) -> Picture:  # fmt: skip
    """Judge one file from its header, then by decoding it; measure what was decoded.

    Args:
        suffix: of the name that the file will have; None: its own.
        converted: where images go that are stored as JPEG; None: they are judged as they are.
    """
    picture = Picture(bytes=path.stat().st_size)
    with open(path, "rb") as file:
        source: io.BytesIO | io.BufferedReader = io.BytesIO(file.read()) if picture.bytes <= IN_MEMORY else file
        digest = hashlib.file_digest(source, "sha256")
        try:
            look(source, suffix or STORED.get(path.suffix.lower(), path.suffix), picture, max_pixels)
            if picture.format in KINDS and converted and not picture.unsafe:
                source = convert(source, picture, converted)
                digest = hashlib.file_digest(source, "sha256")
            if picture.tail:
                digest.update(picture.tail)
                picture.bytes += len(picture.tail)
            picture.sha256 = digest.hexdigest()
            if not picture.unsafe:
                decode(source, picture, thumbnails, suffix or path.suffix)
        except MemoryError:
            raise
        except DAMAGE as error:
            picture.sha256 = digest.hexdigest()
            picture.add("error", "image_broken", unsafe=True, reason=reason(error))
    return picture


def convert(source: IO[bytes], picture: Picture, folder: Path) -> io.BytesIO:
    """The image as the revision stores it; its findings are of that."""
    lock = _one_huge if picture.width * picture.height > HUGE else nullcontext()
    with lock:
        content = as_jpeg(source, READABLE)
    made = Picture(bytes=len(content))
    file = io.BytesIO(content)
    look(file, ".jpg", made, picture.width * picture.height)
    made.add("info", "image_converted", format=KINDS[picture.format])
    for name in ("bytes", "width", "height", "format", "findings", "usable", "unsafe"):
        setattr(picture, name, getattr(made, name))
    picture.stored = keep(folder, content, hashlib.sha256(content).hexdigest())
    return file


def look(source: IO[bytes], suffix: str, picture: Picture, max_pixels: int) -> None:
    """What the header says: format, size, end."""
    source.seek(0)
    with open_image(source, formats=READABLE) as image:
        picture.width, picture.height = image.size
        picture.format = kind = image.format or "?"
        if image.width * image.height > max_pixels:
            picture.add("error", "image_too_large", unsafe=True, width=image.width, height=image.height,
                        limit=max_pixels)  # fmt: skip
        else:
            judge_cost(source, image, picture, max_pixels)
    if kind not in ACCEPTED:
        picture.add("error", "image_format", format=kind)
    elif suffix.lower() not in SUFFIXES[kind]:
        picture.add("warning", "image_disguised", format=kind, suffix=suffix)
    if min(picture.width, picture.height) < SMALLEST:
        picture.add("error", "image_too_small", width=picture.width, height=picture.height, limit=SMALLEST)
    elif max(picture.width, picture.height) < TINY:
        picture.add("info", "image_tiny", width=picture.width, height=picture.height, limit=TINY)
    elif max(picture.width, picture.height) > LARGE and not picture.unsafe:
        picture.add("info", "image_large", width=picture.width, height=picture.height)
    if kind == "JPEG" and not ends_well(source):
        picture.tail = END
        picture.add("info", "jpeg_end_missing")


def judge_cost(source: IO[bytes], image: Image.Image, picture: Picture, max_pixels: int) -> None:
    """Whether it may be decoded at all, here and in each epoch."""
    try:
        cost.check(source, image, max_pixels)
    except cost.TooCostly as error:
        picture.add("error", f"image_{error.what}", unsafe=True, count=error.count, limit=error.limit)


def ends_well(source: IO[bytes]) -> bool:
    source.seek(-2, 2)
    return source.read() == END


def decode(source: IO[bytes], picture: Picture, thumbnails: Thumbnails | None, suffix: str) -> None:
    """Read every byte of the picture, once: a JPEG at a fraction of its size, which finds the same damage sooner."""
    source.seek(0)
    lock = _one_huge if picture.width * picture.height > HUGE else nullcontext()
    with lock, open_image(source, formats=READABLE) as image:
        image.draft(None, small(image.size, SHORTEST))
        turned = orientation(image) if image.format in BY_PILLOW else None  # it forgets it when it has turned it
        image.load()
        mode = image.mode
        picture.orientation = turned or orientation(image)
        reduced = reduce(image)
    if picture.orientation > 1 and turned is None:
        reduced = upright(reduced, picture.orientation)
        if picture.orientation in TURNED:
            picture.width, picture.height = picture.height, picture.width
        picture.add("info", "exif_rotated", orientation=picture.orientation)
    pixels = as_trained(source, picture, np.asarray(reduced), mode, suffix)
    measure(pixels, picture)
    if thumbnails:
        thumbnails.make(pixels, picture.sha256)
        picture.thumbnail = True


def as_trained(source: IO[bytes], picture: Picture, pixels: np.ndarray, mode: str, suffix: str) -> np.ndarray:
    """The pixels that a training sees, where they may be others than Pillow's; says what is wrong with them."""
    if picture.bytes > IN_MEMORY:
        return pixels
    source.seek(0)
    data = source.read()
    if picture.format not in ACCEPTED or not reader.unusual(picture.format, mode, data):
        return pixels
    seen = reader.as_training(data, suffix)
    code = reader.trouble(seen, pixels)
    if seen is None or code not in {None, "flat"}:
        picture.add("error", "image_unread", unsafe=True, format=picture.format, mode=MODES.get(mode, mode))
        return pixels
    if code:
        picture.add("warning", "image_flat", mode=MODES.get(mode, mode))
    picture.height, picture.width = seen.shape[:2]
    factor = max(1, max(seen.shape[:2]) // SHORTEST)
    small_one = cv2.resize(seen, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return small_one if small_one.ndim == 2 else cv2.cvtColor(small_one, cv2.COLOR_BGR2RGB)


def reduce(image: Image.Image) -> Image.Image:
    """8 bit grey or RGB, the longer side below twice SHORTEST."""
    factor = max(image.size) // SHORTEST
    if image.mode == "P" or image.mode == "1":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if factor > 1 and not image.mode.startswith(("I;", "F")):
        image = image.reduce(factor)
    image = eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, image)
    return image if image.mode in {"L", "RGB"} else image.convert("RGB")


def small(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size with its longer side as given, never larger, at least 1."""
    factor = min(1.0, side / max(size))
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))


def reason(error: Exception) -> str:
    """Pillow's words; they name no path, since it was given an open file."""
    text = str(error) or type(error).__name__
    return "not an image" if "cannot identify image file" in text else text[:200]
