"""Decodes an image once, as training sees it, measures it and writes its thumbnail."""

from contextlib import nullcontext
from typing import IO

import cv2
import numpy as np
from PIL import Image

from app.worker import cost
from app.worker.decoders import ORDINARY, one_at_a_time
from app.worker.orientation import BY_PILLOW, TURNED, orientation, upright
from app.worker.picture import eight_bit
from app.worker.quality import reader
from app.worker.quality.header import ACCEPTED, READABLE, open_image
from app.worker.quality.measure import SHORTEST, measure
from app.worker.quality.model import ImageRecord
from app.worker.quality.thumbnails import Thumbnails

HUGE = ORDINARY  # pixels: larger images are decoded one at a time, to limit memory
IN_MEMORY = 64 * 2**20  # bytes of a file
MODES = {"F": "32-bit float", "I": "32-bit integer", "I;16": "16-bit", "I;16B": "16-bit", "CMYK": "CMYK", "LAB": "Lab"}


def decode(
    source: IO[bytes],
    picture: ImageRecord,
    thumbnails: Thumbnails | None,
    suffix: str,
    opened: Image.Image | None = None,
) -> None:
    """Decode the image once: a JPEG at reduced size, which detects the same damage faster.

    Args:
        suffix: of the file's future name.
        opened: the image, if its header was read from the same source and nothing else was done with it.
    """
    source.seek(0)
    lock = one_at_a_time() if picture.width * picture.height > HUGE else nullcontext()
    with lock, opened or open_image(source, formats=READABLE) as image:
        image.draft(None, small(image.size, SHORTEST))
        turned = orientation(image) if image.format in BY_PILLOW else None  # Pillow drops the tag after rotating
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
        thumbnails.write(pixels, picture.sha256)
        picture.thumbnail = True


def as_trained(source: IO[bytes], picture: ImageRecord, pixels: np.ndarray, mode: str, suffix: str) -> np.ndarray:
    """The pixels that a training sees, if they may differ from Pillow's; adds findings."""
    if picture.bytes > IN_MEMORY:
        return pixels
    data = cost.view(source)
    if picture.format not in ACCEPTED or not reader.unusual(picture.format, mode, data):
        return pixels
    decoded = reader.as_training(data, suffix)
    code = reader.trouble(decoded, pixels)
    if decoded is None or code not in {None, "flat"}:
        picture.add("error", "image_unread", unsafe=True, format=picture.format, mode=MODES.get(mode, mode))
        return pixels
    if code:
        picture.add("warning", "image_flat", mode=MODES.get(mode, mode))
    picture.height, picture.width = decoded.shape[:2]
    factor = max(1, max(decoded.shape[:2]) // SHORTEST)
    size = max(1, round(picture.width / factor)), max(1, round(picture.height / factor))
    small_one = cv2.resize(decoded, size, interpolation=cv2.INTER_AREA)
    return small_one if small_one.ndim == 2 else cv2.cvtColor(small_one, cv2.COLOR_BGR2RGB)


def reduce(image: Image.Image) -> Image.Image:
    """8 bit gray or RGB, the longer side below twice SHORTEST."""
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
