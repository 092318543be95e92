"""The orientation of an image, by the same rule in imports, thumbnails, training and tests: that of the libraries which
training reads with (OpenCV 5 and ultralytics 8.4, tested with every orientation in every format): EXIF in JPEG, MPO,
WebP and PNG (its eXIf chunk at any position), the tag of a TIFF, Pillow's value for an AVIF. An orientation in XMP, or
in a text chunk of a PNG, is ignored there and by browsers, and therefore here too.
"""

import struct
from typing import IO

from PIL import Image

TAG = 274
TURNED = frozenset({5, 6, 7, 8})  # rotated by 90° or 270°
PREFIX = b"Exif\0\0"
BY_PILLOW = frozenset({"TIFF"})  # rotated by Pillow itself during decoding
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow's decoders raise all of these on damaged files
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, struct.error, IndexError, EOFError, ArithmeticError, KeyError)


def orientation(image: Image.Image) -> int:
    """1 to 8; 1 is upright, or unspecified. A PNG must be loaded, or its orientation come from `png_mark`."""
    try:
        if image.format == "TIFF":
            value = getattr(image, "tag_v2", {}).get(TAG, 1)
        elif image.format in {"AVIF", "HEIF"}:
            value = image.getexif().get(TAG, 1)
        else:
            value = in_exif(image.info.get("exif"))
    except DAMAGE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def in_exif(data: bytes | None) -> int:
    """The orientation in an EXIF block."""
    if not data or data.removeprefix(PREFIX)[:2] not in {b"II", b"MM"}:
        return 1
    exif = Image.Exif()
    exif.load(data)
    return exif.get(TAG, 1)  # type: ignore[no-any-return]


def upright(image: Image.Image, turn: int) -> Image.Image:
    """The decoded image, rotated upright."""
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def png_mark(file: IO[bytes]) -> bytes | None:
    """The EXIF block of a PNG, at any position, without decoding the image."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            return file.read(length)
        if kind == b"IEND":
            break
        file.seek(length + 4, 1)
    return None
