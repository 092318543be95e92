"""Reads an image's size from its header, for formats that count in pixels and do not give it."""

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
    """Width and height in pixels as the image is displayed, and by which mark it is turned (EXIF, 1 to 8)."""

    size: tuple[int, int]
    turn: int = 1

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height of the pixels in the file."""
        return (self.size[1], self.size[0]) if self.turn in TURNED else self.size


class DisplayedSizes:
    """The displayed sizes of a dataset's images; each header is read once.

    Args:
        path_of: the file of an image.
    """

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self.path_of = path_of
        self._sizes: dict[str, DisplayedSize | None] = {}

    def of(self, image: str) -> DisplayedSize | None:
        """The size of an image; None where it is no image."""
        if image not in self._sizes:
            self._sizes[image] = read_size(self.path_of(image))
        return self._sizes[image]


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels as the image is displayed; None where it is no image."""
    size = read_size(path)
    return size.size if size else None


def read_size(path: Path) -> DisplayedSize | None:
    """The size of an image as it is displayed, and how it is turned; None where it is no image."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=READABLE) as image:
            warnings.simplefilter("ignore")
            (width, height), turn = image.size, turn_of(image, path)
            if image.format != "TIFF" and turn in TURNED:  # of a TIFF Pillow says the turned size
                width, height = height, width
            return DisplayedSize((width, height), turn) if width > 0 and height > 0 else None
    except Exception:  # a damaged header makes Pillow raise nearly anything; the scan says what is wrong with the image
        return None


def turn_of(image: Image.Image, path: Path) -> int:
    """The orientation of an image whose header was read."""
    if image.format == "PNG" and "exif" not in image.info:
        with open(path, "rb") as file:
            return in_exif(png_mark(file))
    return orientation(image)
