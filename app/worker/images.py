"""One image file: can it be decoded whole, and would ultralytics take it? Pillow only; torch is never imported here."""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked from the header, before anything is decoded
Image.init()  # not from two threads at once

# The decoders that are let near a file; what Pillow was built without is left out. JPEG's gives MPO too.
READABLE: list[str] = [
    kind for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "GIF", "PPM", "ICO")
    if kind in Image.OPEN
]  # fmt: skip
# What ultralytics takes, by Pillow's name of the format (its IMG_FORMATS).
ACCEPTED = {"JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000"}
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg"}, "MPO": {".jpg", ".jpeg"}, "PNG": {".png"}, "BMP": {".bmp"}, "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
}  # fmt: skip
SMALLEST = 10  # pixels a side, ultralytics' limit


@dataclass
class Picture:
    """What an image file is. `unsafe`: it must not reach the training, which would end or fill the memory."""

    usable: bool = True
    unsafe: bool = False
    findings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, severity: str, code: str, unsafe: bool = False, **data: Any) -> "Picture":
        self.usable = self.usable and severity != "error"
        self.unsafe = self.unsafe or unsafe
        self.findings.append({"severity": severity, "code": code, "line": None, "data": data})
        return self


def read_image(path: Path, max_pixels: int) -> Picture:
    """Judge one image file from its header, then by decoding it."""
    picture = Picture()
    try:
        with Image.open(path, formats=READABLE) as image:
            width, height = image.size
            if width * height > max_pixels:
                return picture.add("error", "image_too_large", unsafe=True, width=width, height=height,
                                   limit=max_pixels)  # fmt: skip
            judge_header(image, path, picture)
            decode(image)
    except MemoryError:
        raise
    except (OSError, SyntaxError, ValueError, TypeError, struct.error, IndexError, EOFError, ArithmeticError) as error:
        # Pillow's decoders raise all of these on damaged files
        return picture.add("error", "image_broken", unsafe=True, reason=reason(error, path))
    return picture


def judge_header(image: Image.Image, path: Path, picture: Picture) -> None:
    """Format and size."""
    kind = image.format or "?"
    if kind not in ACCEPTED:
        picture.add("error", "image_format", format=kind)
    elif path.suffix.lower() not in SUFFIXES.get(kind, set()):
        picture.add("warning", "image_disguised", format=kind, suffix=path.suffix)
    if min(image.size) < SMALLEST:
        picture.add("error", "image_too_small", width=image.width, height=image.height, limit=SMALLEST)
    if kind == "JPEG" and not ends_well(path):
        picture.add("info", "jpeg_end_missing")


def decode(image: Image.Image) -> None:
    """Read every byte of the picture; a JPEG at an eighth of its size, which finds the same damage sooner."""
    image.draft("L", (max(1, image.width // 8), max(1, image.height // 8)))
    image.load()


def ends_well(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-2, 2)
        return file.read() == b"\xff\xd9"


def reason(error: Exception, path: Path) -> str:
    """Pillow's words without the server's paths."""
    text = str(error) or type(error).__name__
    return "not an image" if "cannot identify image file" in text else text.replace(str(path), path.name)[:200]
