"""Decodes masks of the formats to polygons in pixels. Compressed data is decompressed only up to a limit.

numpy and OpenCV are imported only for datasets with masks.
"""

import base64
import binascii
import io
import re
import zlib
from collections.abc import Sequence
from typing import Any

from app.worker.decoders import OverLimit, allow_for, confined
from app.worker.formats.geometry import Points

MAX_PIXELS = 64_000_000  # per mask: the limit of images
MAX_TEXT = 32 * 1024**2  # characters of a mask in a JSON file
MAX_PARTS = 200  # per object; more are noise
SMOOTH = 0.6  # pixels: tolerance of the simplification, which turns steps of one pixel into lines

Mask = Any  # numpy's uint8 array, height × width, nonzero inside the object


class BadMask(ValueError):
    """A mask cannot be read, or is too large."""


def outlines(mask: Mask, left: float = 0, top: float = 0) -> list[Points]:
    """The polygons of a mask and of its holes, along the edges of its pixels; none for an empty mask.

    Args:
        left, top: position of the mask in the image.
    """
    import cv2
    import numpy

    filled = numpy.zeros((mask.shape[0] + 1, mask.shape[1] + 1), numpy.uint8)
    there = mask != 0
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):  # the corners of each pixel: its edges, not its center
        filled[down : down + mask.shape[0], across : across + mask.shape[1]] |= there
    contours, _ = cv2.findContours(filled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = [cv2.approxPolyDP(contour, SMOOTH, True)[:, 0, :] for contour in contours[:MAX_PARTS]]
    return [[(float(x) + left, float(y) + top) for x, y in part] for part in parts if len(part) > 2]


def checked_size(width: int, height: int) -> None:
    """Check the size of a mask.

    Raises:
    BadMask: the size is invalid.
    """
    if not (width > 0 and height > 0 and width * height <= MAX_PIXELS):
        raise BadMask("size")


def from_runs(counts: Sequence[int], width: int, height: int, by_column: bool = True) -> Mask:
    """A mask from run lengths that begin with background: COCO's go down the columns, CVAT's along the rows.

    Raises:
        BadMask: the runs do not fill the mask.
    """
    import numpy

    checked_size(width, height)
    if len(counts) > width * height + 1:
        raise BadMask("runs")
    try:
        runs = numpy.asarray(counts, dtype=numpy.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadMask("runs") from error
    if runs.ndim != 1 or (runs < 0).any() or (runs > width * height).any() or int(runs.sum()) > width * height:
        raise BadMask("runs")
    values = numpy.repeat(numpy.arange(len(runs)) % 2, runs).astype(numpy.uint8)
    values = numpy.concatenate([values, numpy.zeros(width * height - len(values), numpy.uint8)])
    return values.reshape(width, height).T if by_column else values.reshape(height, width)


def from_coco(segmentation: Any) -> Mask:
    """A mask from COCO's {"size": [height, width], "counts": numbers or compressed string}.

    Raises:
        BadMask: it is invalid.
    """
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
        raise BadMask("size")
    if isinstance(counts, str):
        counts = unpacked_runs(counts)
    if not isinstance(counts, list):
        raise BadMask("runs")
    return from_runs(counts, size[1], size[0])


def unpacked_runs(text: str) -> list[int]:
    """The runs of COCO's compressed string: six bits per character; from the third on, each run is relative to the last
    but one.

    See rleFrString in cocoapi's maskApi.c.
    """
    runs: list[int] = []
    value = shift = 0
    for char in text:
        code = ord(char) - 48
        if not 0 <= code < 64 or shift > 60:
            raise BadMask("runs")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def from_pairs(text: str, width: int, height: int) -> Mask:
    """A mask from Kaggle's "start length start length …", counted from 1 down the columns.

    Raises:
        BadMask: it is invalid.
    """
    import numpy

    checked_size(width, height)
    words = text.split()
    if len(words) % 2 or len(text) > MAX_TEXT or not re.fullmatch(r"[\d\s]+", text):
        raise BadMask("runs")
    values = numpy.zeros(width * height, numpy.uint8)
    for start, length in zip(words[::2], words[1::2], strict=True):
        if len(start) > 9 or len(length) > 9:
            raise BadMask("runs")
        values[int(start) - 1 : int(start) - 1 + int(length)] = 1
    return values.reshape(width, height).T


def from_picture(data: bytes) -> Mask:
    """The mask in a PNG: what is not black; with transparency, what is not transparent.

    Raises:
        BadMask: it is not an image, or takes too long to decode.
    """
    try:
        return confined(decoded, data)
    except OverLimit as error:
        raise BadMask("picture") from error


def decoded(data: bytes) -> Mask:
    import numpy
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            checked_size(*picture.size)
            allow_for(picture.width * picture.height)
            picture.load()
            if picture.mode in {"RGBA", "LA"}:
                return numpy.asarray(picture.getchannel("A"))
            grey = picture.convert("L") if picture.mode in {"P", "RGB"} else picture  # a palette has black and white
            values = numpy.asarray(grey)
            return (values != 0).astype(numpy.uint8)
    except BadMask:
        raise
    except Exception as error:  # Pillow's decoders raise various errors on damaged files
        raise BadMask("picture") from error


def from_text(text: Any, packed: bool = False) -> Mask:
    """The mask in a base64 PNG; `packed`: compressed by zlib, as Supervisely's.

    Raises:
        BadMask: it is invalid.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise BadMask("text")
    try:
        data = base64.b64decode(text, validate=False)
        if packed:
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(data, MAX_TEXT)
            if unpacker.unconsumed_tail:
                raise BadMask("size")
    except (binascii.Error, zlib.error, ValueError) as error:
        raise BadMask("text") from error
    return from_picture(data)


def from_brush(values: Any, width: int, height: int) -> Mask:
    """A mask from Label Studio's brush: run-length encoded, bit-packed bytes of an RGBA image; its alpha is the mask.

    Raises:
        BadMask: it is invalid.
    """
    import numpy

    checked_size(width, height)
    if (
        not isinstance(values, list)
        or len(values) > MAX_TEXT
        or not all(type(value) is int and 0 <= value < 256 for value in values)
    ):
        raise BadMask("runs")
    bits = BitReader(bytes(values))
    total = bits.read(32)
    word = bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if total != width * height * 4 or word > 16:
        raise BadMask("size")
    pixels = numpy.zeros(total, numpy.uint8)
    at = 0
    while at < total:
        same = bits.read(1)
        count = bits.read(sizes[bits.read(2)]) + 1
        if at + count > total:
            raise BadMask("runs")
        if same:
            pixels[at : at + count] = bits.read(word) & 255
        else:
            pixels[at : at + count] = [bits.read(word) & 255 for _ in range(count)]
        at += count
    return pixels.reshape(height, width, 4)[:, :, 3]


class BitReader:
    """Reads numbers of any bit length from bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, count: int) -> int:
        """The next number.

        Raises:
            BadMask: the bytes end before it.
        """
        first, last = self.at // 8, (self.at + count + 7) // 8
        if last > len(self.data):
            raise BadMask("runs")
        chunk = int.from_bytes(self.data[first:last], "big")
        self.at += count
        return (chunk >> (last * 8 - self.at)) & ((1 << count) - 1)
