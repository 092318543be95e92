"""The cost of decoding an image, estimated before it is decoded: scans of a JPEG, pages of a TIFF, tiles of a HEIC or
AVIF, frames of an animation. Of a GIF, only the first frame is ever decoded.

64 megapixels and 3,000 empty scans fit into 6 KB, and take minutes. Standard library and Pillow.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO

from PIL import Image

from app.worker import isobmff

SCANS = 100  # of a progressive JPEG; encoders use 6 to 20, and one per coefficient would be 64 per component
PAGES = 4096  # of a TIFF: its directory is not read further
LAYERS = 4  # limit of the total pixels of tiles, as a multiple of the largest image
STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
SOS, EOI = 0xDA, 0xD9
SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = {0xC0, 0xC1}
BASELINE = {0xC0, 0xC1, 0xC2}  # frame types that every JPEG decoder supports: Huffman, sequential or progressive


class TooCostly(Exception):
    """Decoding the image would take too much time or memory. `what`: scans, pages, frames or tiles (megapixels of
    them); `count` of these.
    """

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(f"{count} {what} (at most {limit})")
        self.what, self.count, self.limit = what, count, limit


def check(file: IO[bytes], image: Image.Image, max_pixels: int) -> None:
    """Refuse an image whose decoding costs too much; the file's offset is restored.

    Args:
        image: opened from the file, not decoded.

    Raises:
        TooCostly
    """
    offset = file.tell()
    try:
        if image.format in {"JPEG", "MPO"}:
            check_scans(file)
        elif image.format == "TIFF":
            check_pages(image, max_pixels)
        elif image.format in {"PNG", "WEBP", "AVIF", "HEIF"}:
            check_frames(image)
            check_tiles(file, image, max_pixels)
    finally:
        file.seek(offset)


def check_scans(file: IO[bytes]) -> None:
    count = scans(file)
    if count > SCANS:
        raise TooCostly("scans", count, SCANS)


def check_pages(image: Image.Image, max_pixels: int) -> None:
    """OpenCV, and so a training, decodes all pages of a TIFF at once."""
    count = pages(image)
    if count > PAGES:
        raise TooCostly("pages", count, PAGES)
    most = max(1, 2 * max_pixels // max(1, image.width * image.height))
    if count > most:
        raise TooCostly("pages", count, most)


def check_frames(image: Image.Image) -> None:
    """The header has the number of frames; each takes memory of the decoder, although only the first is decoded."""
    count = getattr(image, "n_frames", 1)
    if count > PAGES:
        raise TooCostly("frames", count, PAGES)


def check_tiles(file: IO[bytes], image: Image.Image, max_pixels: int) -> None:
    """Tiles may be larger than the image composed of them, and be used any number of times."""
    if image.format not in {"AVIF", "HEIF"}:
        return
    limit = LAYERS * max_pixels // 10**6
    try:
        count = isobmff.tile_pixels(file) // 10**6
    except isobmff.TooLong as error:
        raise TooCostly("tiles", isobmff.MOST_TILES, limit) from error
    except (struct.error, IndexError, OSError):  # damaged: the decoder reports it
        return
    if count > limit:
        raise TooCostly("tiles", count, limit)


def pages(image: Image.Image) -> int:
    """The number of pages of a TIFF, counted up to the limit; the image is then on its first page again."""
    count = 1
    try:
        while count <= PAGES:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    finally:
        image.seek(0)
    return count


def scans(file: IO[bytes]) -> int:
    """An upper bound of the number of scans in a JPEG, read up to the limit. Damaged files are counted as far as they
    can be read.
    """
    if all_in_one(view(file)):
        return 1
    file.seek(0)
    count, data = 0, file.read()
    most = data.count(b"\xff\xda")
    if most <= SCANS:  # a fast upper bound
        return most
    at = 2
    while count <= SCANS:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return count
        kind = data[at + 1]
        if kind in {0x00, 0xFF} or kind in STANDALONE:  # stuffing, fill bytes, restarts
            at += 1 if kind == 0xFF else 2
        elif kind == EOI:
            return count
        else:
            count += kind == SOS
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return count


def view(file: IO[bytes]) -> memoryview | bytes:
    """A file's contents, without a copy if it is in memory."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer()
    file.seek(0)
    return file.read()


def all_in_one(data: memoryview | bytes) -> bool:
    """Whether the first scan of a JPEG is complete, as in nearly all: decoders then ignore further scans."""
    frame = scan = None
    for kind, at in segments(data):
        if kind in SOF:
            frame = kind, data[at + 9 : at + 10]  # the number of components
        elif kind == SOS:
            scan = data[at + 4 : at + 5]
    return frame is not None and frame[0] in SEQUENTIAL and frame[1] == scan


def process_of(data: memoryview | bytes) -> int:
    """The frame type of a JPEG, such as 0xC0; 0 without one."""
    return next((kind for kind, _ in segments(data) if kind in SOF), 0)


def segments(data: memoryview | bytes) -> Iterator[tuple[int, int]]:
    """The types and offsets of a JPEG's marker segments up to its first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF or kind in STANDALONE:
            at += 1 if kind == 0xFF else 2
            continue
        if kind in {0x00, EOI}:  # not a marker: decoders skip these two bytes, or stop
            return
        yield kind, at
        if kind == SOS:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
