"""Reads each image once: checks, measures, hashes it, and makes its thumbnail."""

import hashlib
import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from PIL import ImageFile

from app.worker.decoders import DecodeLimits, DecoderPool, OverLimit, one_at_a_time, wall_seconds
from app.worker.orientation import DAMAGE
from app.worker.quality.header import READABLE, SUFFIXES, read_header
from app.worker.quality.model import ImageRecord
from app.worker.quality.pixels import HUGE, IN_MEMORY, decode
from app.worker.quality.processor_budget import ProcessorBudget
from app.worker.quality.thumbnails import Thumbnails
from app.worker.recode import KINDS, STORED, as_jpeg, store_jpeg

ENDED = {"crash": "the decoder crashed", "killed": "the decoder was killed, as where the memory of the server ran out"}
AHEAD = 64  # images being decoded or waiting for the consumer
EARLY = 10_000  # images read before they are requested: each takes a kilobyte until then


@dataclass(frozen=True)
class ScanSpec:
    """The options of a scan.

    Args:
        max_pixels: larger images are not decoded.
        converted: a folder for images that are stored as JPEG, see app/worker/recode.py; None: they are not converted.
        thumbnails: the dataset's folder of thumbnails, `ab/abcdef….webp` by SHA-256; None: none are written.
        workers: decoder processes; None: one per core.
        limits: per image; proportional for huge ones.
        hurry: see ImportSpec.
    """

    max_pixels: int
    thumbnails: Path | None = None
    workers: int | None = None
    converted: Path | None = None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    hurry: bool = False


class Scan:
    """Reads images in separate processes, see app/worker/decoders.py; a context manager.

    Its threads only wait for these processes.
    """

    def __init__(self, spec: ScanSpec) -> None:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        self.spec = spec
        self.spent = ProcessorBudget(spec.limits, spec.hurry)
        workers = spec.workers or cores()
        self.decoders = DecoderPool(workers, spec.limits)
        self.pool = ThreadPoolExecutor(workers)
        self.begun: dict[Path, Future[ImageRecord]] = {}

    def __enter__(self) -> "Scan":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # after an error, running decodings are no longer needed
            self.decoders.abort()
        self.pool.shutdown(cancel_futures=True)
        self.decoders.close()

    def begin(self, path: Path) -> None:
        """Start reading an image that may be requested later, up to a limit."""
        if len(self.begun) < EARLY:
            self.begun[path] = self._submit(path)

    def _submit(self, path: Path) -> Future[ImageRecord]:
        return self.pool.submit(self._read, path)

    def _read(self, path: Path) -> ImageRecord:
        """The image's record, or that of its header if decoding was killed."""
        try:
            picture = self._decoded(path)
            self.spent.add(picture.width * picture.height * picture.frames, picture.seconds)
            return picture
        except OverLimit as error:
            return self._costly(path, error.what)

    def _decoded(self, path: Path) -> ImageRecord:
        """If its decoder was killed from outside, the image is decoded once more: the memory may have been used by
        another one.
        """
        spec = self.spec
        question = (read_picture, path, spec.max_pixels, spec.thumbnails, None, spec.converted)
        try:
            return self.decoders.run(*question)
        except OverLimit as error:
            if error.what != "killed":
                raise
            return self.decoders.run(*question)

    def _costly(self, path: Path, what: str) -> ImageRecord:
        """The record of the header of an image whose decoding was killed, with a finding about the reason."""
        try:
            picture = self.decoders.run(scan_header, path, self.spec.max_pixels)
        except OverLimit:
            picture = ImageRecord(bytes=path.stat().st_size)
        seconds = self.spec.limits.seconds_for(picture.width * picture.height)
        if what == "time":
            self.spent.add(picture.width * picture.height, seconds)
        if what == "wall":
            seconds = wall_seconds(seconds) or seconds
        if what in {"time", "wall"}:
            return picture.add("error", "image_slow", unsafe=True, limit=round(seconds))
        if what == "memory":
            return picture.add("error", "image_memory", unsafe=True, limit=round(self.spec.limits.memory / 2**20))
        return picture.add("error", "image_broken", unsafe=True, reason=ENDED.get(what, ENDED["crash"]))

    def pictures(
        self, paths: Sequence[Path], on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[ImageRecord]:
        """An ImageRecord for each path, in order. Memory does not grow with the number of paths.

        Args:
            on_progress: called with (done, total) after each image, in the consumer's thread; an exception ends the
                scan.

        Raises:
            OSError: a file cannot be read at all (permission, disk); damaged contents are a finding, not an error.
            TooCostlyTogether: the images take too much time; the remaining ones are not read.
        """
        if self.begun:
            for unused in self.begun.keys() - set(paths):
                self.begun.pop(unused).cancel()
        rest, waiting = iter(paths), deque[Future[ImageRecord]]()
        for done in range(1, len(paths) + 1):
            while len(waiting) < AHEAD and (path := next(rest, None)) is not None:
                waiting.append(self.begun.pop(path) if path in self.begun else self._submit(path))
            yield waiting.popleft().result()
            if on_progress:
                on_progress(done, len(paths))


def scan(
    paths: Sequence[Path], spec: ScanSpec, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[ImageRecord]:
    """`Scan.pictures` with a new scan."""
    with Scan(spec) as running:
        yield from running.pictures(paths, on_progress)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2


def read_picture(
    path: Path,
    max_pixels: int,
    thumbnails: Path | None = None,
    suffix: str | None = None,
    converted: Path | None = None,
) -> ImageRecord:
    """Judge an image by its header, then decode and measure it.

    Args:
        thumbnails: see ScanSpec.
        suffix: of the file's future name; None: its own.
        converted: folder for images that are stored as JPEG; None: they are not converted.
    """
    began = time.process_time()
    picture = ImageRecord(bytes=path.stat().st_size)
    with open(path, "rb") as file:
        source: io.BytesIO | io.BufferedReader = io.BytesIO(file.read()) if picture.bytes <= IN_MEMORY else file
        digest = hashlib.file_digest(source, "sha256")
        try:
            read_header(source, suffix or STORED.get(path.suffix.lower(), path.suffix), picture, max_pixels)
            if picture.format in KINDS and converted and not picture.unsafe:
                source = convert(source, picture, converted)
                digest = hashlib.file_digest(source, "sha256")
            elif picture.format in {"JPEG", "MPO"} and is_tiff(path) and converted and not picture.unsafe:
                source, suffix = renamed(source, picture, converted), ".jpg"
                digest = hashlib.file_digest(source, "sha256")
            if picture.tail:
                digest.update(picture.tail)
                picture.bytes += len(picture.tail)
            picture.sha256 = digest.hexdigest()
            if not picture.unsafe:
                decode(source, picture, thumbnails_in(thumbnails) if thumbnails else None, suffix or path.suffix)
        except MemoryError:
            raise
        except DAMAGE as error:
            picture.sha256 = digest.hexdigest()
            picture.add("error", "image_broken", unsafe=True, reason=reason(error))
    picture.seconds = time.process_time() - began
    return picture


@lru_cache(maxsize=4)
def thumbnails_in(folder: Path) -> Thumbnails:
    return Thumbnails(folder)


def scan_header(path: Path, max_pixels: int) -> ImageRecord:
    """Format, size and hash of an image without decoding."""
    picture = ImageRecord(bytes=path.stat().st_size)
    with open(path, "rb") as file:
        picture.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            read_header(file, STORED.get(path.suffix.lower(), path.suffix), picture, max_pixels)
        except DAMAGE:
            pass
    picture.findings = [item for item in picture.findings if item["severity"] == "error"]
    return picture


def is_tiff(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES["TIFF"]


def renamed(source: IO[bytes], picture: ImageRecord, folder: Path) -> io.BytesIO:
    """A JPEG with a TIFF suffix, under the right one: under the wrong one, a training would not rotate it."""
    source.seek(0)
    content = source.read() + picture.tail
    picture.tail, picture.bytes = b"", len(content)
    picture.findings = [item for item in picture.findings if item["code"] != "image_disguised"]
    picture.stored = store_jpeg(folder, content, hashlib.sha256(content).hexdigest())
    return io.BytesIO(content)


def convert(source: IO[bytes], picture: ImageRecord, folder: Path) -> io.BytesIO:
    """The image as the version stores it; its findings are about that."""
    lock = one_at_a_time() if picture.width * picture.height > HUGE else nullcontext()
    with lock:
        content = as_jpeg(source, READABLE)
    converted = ImageRecord(bytes=len(content))
    file = io.BytesIO(content)
    read_header(file, ".jpg", converted, picture.width * picture.height)
    converted.add("info", "image_converted", format=KINDS[picture.format])
    for name in ("bytes", "width", "height", "format", "findings", "usable", "unsafe"):
        setattr(picture, name, getattr(converted, name))
    picture.stored = store_jpeg(folder, content, hashlib.sha256(content).hexdigest())
    return file


def reason(error: Exception) -> str:
    """Pillow's message, which has no path, since it was given an open file."""
    text = str(error) or type(error).__name__
    return "not an image" if "cannot identify image file" in text else text[:200]
