"""The size of an image from its header: for formats that count in pixels and do not say how many there are."""

import warnings
from pathlib import Path

from PIL import Image

TURNED = {5, 6, 7, 8}  # EXIF orientations that lie on their side
READABLE = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels as the image is shown, as ultralytics' `exif_size`; None where it is no image."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=READABLE) as image:
            warnings.simplefilter("ignore")
            width, height = image.size
            if image.format == "JPEG" and image.getexif().get(274) in TURNED:
                width, height = height, width
            return (width, height) if width > 0 and height > 0 else None
    except Exception:  # a damaged header makes Pillow raise nearly anything; the scan says what is wrong with the image
        return None
