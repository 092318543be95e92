"""How an image is to be turned: one rule for import, thumbnails, training and tests. What counts is the mark that the
reader of training obeys (OpenCV 5 and ultralytics 8.4, tried with every mark in every format): EXIF in JPEG, MPO, WebP
and PNG (its eXIf chunk, wherever it stands), the tag of a TIFF, what Pillow says of an AVIF. An orientation in XMP, or
in a text chunk of a PNG, is obeyed neither there nor by browsers, and so it is not here."""

import struct
from typing import IO

from PIL import Image

TAG = 274
TURNED = frozenset({5, 6, 7, 8})  # lies on its side
PREFIX = b"Exif\0\0"
BY_PILLOW = frozenset({"TIFF"})  # turned by Pillow itself when it decodes
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
    """1 to 8; 1 is upright, or not marked. A PNG must have been loaded, or have its mark from `png_mark`."""
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
    """The decoded image by its orientation."""
    return image.transpose(UPRIGHT[turn]) if turn in UPRIGHT else image


def png_mark(file: IO[bytes]) -> bytes | None:
    """The EXIF block of a PNG, wherever it stands, without decoding the image."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            return file.read(length)
        if kind == b"IEND":
            break
        file.seek(length + 4, 1)
    return None
