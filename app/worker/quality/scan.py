"""Reads each image once: checks, measures, hashes it, and makes its thumbnail."""

import hashlib
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageFile

from app.worker.decoders import DecodeLimits, DecoderPool, OverLimit, Result, one_at_a_time, wall_seconds
from app.worker.orientation import DAMAGE
from app.worker.quality.header import READABLE, SUFFIXES, read_header
from app.worker.quality.image_queue import ImageQueue, QueuedImage
from app.worker.quality.model import ImageRecord
from app.worker.quality.pixels import HUGE, IN_MEMORY, decode
from app.worker.quality.processor_budget import ProcessorBudget
from app.worker.quality.thumbnails import Thumbnails
from app.worker.recode import KINDS, STORED, as_jpeg, store_jpeg

ENDED = {"crash": "the decoder crashed", "killed": "the decoder was killed, as where the memory of the server ran out"}
AHEAD = 32  # per decoder: images being decoded or waiting for the consumer
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
        self.queue = ImageQueue(workers)
        self.threads = [threading.Thread(target=self._work, name="scan", daemon=True) for _ in range(workers)]
        self.begun: dict[Path, Future[ImageRecord]] = {}

    def __enter__(self) -> "Scan":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.queue.close()
        if kind is not None:  # after an error, running decodings are no longer needed
            self.decoders.abort()
        for thread in self.threads:
            thread.join()
        self.decoders.close()

    def begin(self, path: Path) -> None:
        """Start reading an image that may be requested later, up to a limit."""
        if len(self.begun) < EARLY:
            self.begun[path] = self.queue.add(path)

    def _work(self) -> None:
        while images := self.queue.next_batch():
            try:
                results = self._decode(images)
            except BaseException as error:  # raised where the records are needed
                for image in images:
                    image.record.set_exception(error)
                continue
            self.queue.requeue([image for position, image in enumerate(images) if position not in results])
            for position, result in results.items():
                self._resolve(images[position], result)

    def _decode(self, images: Sequence[QueuedImage]) -> dict[int, Result]:
        """What `read_picture` returned or raised for some of the images, see `DecoderPool.run_batch`."""
        return self.decoders.run_batch(read_picture, [self._question(image.path) for image in images])

    def _question(self, path: Path) -> tuple[Path, int, Path | None, None, Path | None]:
        """The arguments of `read_picture`."""
        return path, self.spec.max_pixels, self.spec.thumbnails, None, self.spec.converted

    def _resolve(self, image: QueuedImage, result: Result) -> None:
        try:
            record = self._record(image.path, *result)
        except BaseException as error:
            image.record.set_exception(error)
        else:
            image.record.set_result(record)

    def _record(self, path: Path, succeeded: bool, answer: Any) -> ImageRecord:
        """The image's record, or that of its header if decoding was killed. If the decoder was killed from outside, the
        image is decoded once more: the memory may have been used by another one.
        """
        try:
            if isinstance(answer, OverLimit) and answer.what == "killed":
                succeeded, answer = True, self.decoders.run(read_picture, *self._question(path))
            if not succeeded:
                raise answer
        except OverLimit as error:
            return self._costly(path, error.what)
        picture: ImageRecord = answer
        self.spent.add(picture.width * picture.height * picture.frames, picture.seconds)
        return picture

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
        ahead = AHEAD * len(self.threads)
        for done in range(1, len(paths) + 1):
            while len(waiting) < ahead and (path := next(rest, None)) is not None:
                waiting.append(self.begun.pop(path) if path in self.begun else self.queue.add(path))
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
            name = suffix or STORED.get(path.suffix.lower(), path.suffix)
            image: Image.Image | None = read_header(source, name, picture, max_pixels)
            if picture.format in KINDS and converted and not picture.unsafe:
                source, image = convert(source, picture, converted), None
                digest = hashlib.file_digest(source, "sha256")
            elif picture.format in {"JPEG", "MPO"} and is_tiff(path) and converted and not picture.unsafe:
                source, suffix, image = renamed(source, picture, converted), ".jpg", None
                digest = hashlib.file_digest(source, "sha256")
            if picture.tail:
                digest.update(picture.tail)
                picture.bytes += len(picture.tail)
            picture.sha256 = digest.hexdigest()
            if not picture.unsafe:
                writer = thumbnails_in(thumbnails) if thumbnails else None
                opened = image if picture.format == "JPEG" else None
                decode(source, picture, writer, suffix or path.suffix, opened)
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
