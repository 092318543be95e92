"""Reads an image's size from its header, for pixel formats without sizes."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from app.worker import recode  # noqa: F401 (Pillow reads HEIC from then on)
from app.worker.orientation import TURNED, in_exif, orientation, png_mark

READABLE = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "HEIF")


@dataclass(frozen=True, slots=True)
class DisplayedSize:
    """Width and height in pixels of the displayed image, and its EXIF orientation (1 to 8)."""

    size: tuple[int, int]
    turn: int = 1

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height of the pixels in the file."""
        return (self.size[1], self.size[0]) if self.turn in TURNED else self.size


class DisplayedSizes:
    """The displayed sizes of a dataset's images; each header is read once.

    Args:
        path_of: returns the file of an image.
    """

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self.path_of = path_of
        self._sizes: dict[str, DisplayedSize | None] = {}

    def of(self, image: str) -> DisplayedSize | None:
        """The size of an image; None if it is not an image."""
        if image not in self._sizes:
            self._sizes[image] = read_size(self.path_of(image))
        return self._sizes[image]


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels of the displayed image; None if it is not an image."""
    size = read_size(path)
    return size.size if size else None


def read_size(path: Path) -> DisplayedSize | None:
    """The size of the displayed image and its orientation; None if it is not an image."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=READABLE) as image:
            warnings.simplefilter("ignore")
            (width, height), turn = image.size, turn_of(image, path)
            if image.format != "TIFF" and turn in TURNED:  # for a TIFF, Pillow returns the rotated size
                width, height = height, width
            return DisplayedSize((width, height), turn) if width > 0 and height > 0 else None
    except Exception:  # Pillow raises various errors on damaged headers; the scan will report the fault
        return None


def turn_of(image: Image.Image, path: Path) -> int:
    """The orientation of an image whose header was read."""
    if image.format == "PNG" and "exif" not in image.info:
        with open(path, "rb") as file:
            return in_exif(png_mark(file))
    return orientation(image)
