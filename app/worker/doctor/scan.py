"""Reads each image once: checks, measures, hashes it, and makes its thumbnail."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.worker.doctor.model import Picture


@dataclass(frozen=True)
class ScanSpec:
    """What a scan needs to know.

    Args:
        max_pixels: an image with more is not decoded.
        thumbnails: the dataset's folder of thumbnails, `ab/abcdef….webp` by SHA-256; None: none are made.
        workers: threads; None: one a core.
    """

    max_pixels: int
    thumbnails: Path | None = None
    workers: int | None = None


def scan(
    paths: Sequence[Path], spec: ScanSpec, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Picture]:
    """A Picture for each path, in their order. Memory does not grow with the number of paths.

    Args:
        on_progress: told (done, total) after each image, by the thread that iterates; what it raises ends the scan.

    Raises:
        OSError: a file cannot be read at all (permission, disk); damaged content is a finding, not an error.
    """
    raise NotImplementedError
