"""What an image costs to decode, known before it is decoded: scans of a JPEG, pages of a TIFF, frames of a GIF or WebP.

64 megapixels and 3,000 empty scans fit into 6 KB, and take minutes. Standard library and Pillow.
"""

from typing import IO

from PIL import Image

SCANS = 100  # of a progressive JPEG; encoders make 6 to 20, and one a coefficient would be 64 a component
PAGES = 4096  # of a TIFF: its directory is walked, not more
HEAD = 64 * 1024  # bytes looked at together
STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
SOS, EOI = 0xDA, 0xD9
SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
BASELINE = {0xC0, 0xC1, 0xC2}  # what every decoder of JPEG reads: Huffman, in one go or progressive


class TooCostly(Exception):
    """The image would take too long to decode, or too much memory. `what`: scans or pages; `count` of them."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(f"{count} {what} (at most {limit})")
        self.what, self.count, self.limit = what, count, limit


def check(file: IO[bytes], image: Image.Image, max_pixels: int) -> None:
    """Refuse what would cost too much; the file's place is kept.

    Args:
        image: opened from the file, not decoded.

    Raises:
        TooCostly
    """
    place = file.tell()
    try:
        if image.format in {"JPEG", "MPO"}:
            check_scans(file)
        elif image.format == "TIFF":
            check_pages(image, max_pixels)
    finally:
        file.seek(place)


def check_scans(file: IO[bytes]) -> None:
    count = scans(file)
    if count > SCANS:
        raise TooCostly("scans", count, SCANS)


def check_pages(image: Image.Image, max_pixels: int) -> None:
    """OpenCV, and so a training, decodes every page of a TIFF at once."""
    count = pages(image)
    if count > PAGES:
        raise TooCostly("pages", count, PAGES)
    most = max(1, 2 * max_pixels // max(1, image.width * image.height))
    if count > most:
        raise TooCostly("pages", count, most)


def pages(image: Image.Image) -> int:
    """How many pages a TIFF has, counted no further than is allowed; the image is on its first one again."""
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
    """How many scans a JPEG has at most; it is read until there are too many. Damaged ones count as far as they can be
    read."""
    file.seek(0)
    count, data = 0, file.read()
    if data.count(b"\xff\xda") <= SCANS:  # quick, and no fewer than there are
        return min(data.count(b"\xff\xda"), SCANS)
    at = 2
    while count <= SCANS:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return count
        kind = data[at + 1]
        if kind in {0x00, 0xFF} or kind in STANDALONE:  # stuffing, filling, restarts
            at += 1 if kind == 0xFF else 2
        elif kind == EOI:
            return count
        else:
            count += kind == SOS
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return count


def process_of(data: bytes) -> int:
    """The kind of a JPEG's frame, such as 0xC0; 0 where there is none."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind in SOF:
            return kind
        if kind == SOS:
            return 0
        at += 1 if kind == 0xFF else 2 if kind in STANDALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0
