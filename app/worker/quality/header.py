"""Reads the header of an image: format and size, whether it may be decoded, and faults that are visible before
decoding.
"""

from typing import IO

from PIL import Image

from app.worker import cost, plugins, recode  # noqa: F401 (what they read is in Image.OPEN from then on)
from app.worker.decoders import allow_for
from app.worker.quality.model import ImageRecord

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked in the header, before decoding
open_image = Image.open  # saved before ultralytics could replace it with one that may install packages

# The allowed decoders; those that Pillow was built without are dropped. JPEG includes MPO.
READABLE: list[str] = [
    kind
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000", "GIF", "PPM", "ICO")
    if kind in Image.OPEN
]
# Formats that ultralytics accepts, by Pillow's name (its IMG_FORMATS).
ACCEPTED = {"JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000"}
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "BMP": {".bmp"},
    "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
    "AVIF": {".avif"},
    "JPEG2000": {".jp2"},
}
SMALLEST = 10  # pixels a side, ultralytics' limit
LARGE = 4096  # pixels of the longer side: larger images are decoded in every epoch, only to be reduced
TINY = 64  # pixels of the longer side: enlarging such an image leaves little detail
END = b"\xff\xd9"


def read_header(source: IO[bytes], suffix: str, picture: ImageRecord, max_pixels: int) -> Image.Image:
    """Read format, size and end; the image is open then, but not decoded."""
    source.seek(0)
    image = open_image(source, formats=READABLE)
    picture.width, picture.height = image.size
    picture.format = kind = image.format or "?"
    if image.width * image.height > max_pixels:
        picture.add("error", "image_too_large", unsafe=True, width=image.width, height=image.height, limit=max_pixels)
    else:
        judge_cost(source, image, picture, max_pixels)
        judge_frames(image, suffix, picture, max_pixels)
        if not picture.unsafe:
            picture.frames = frames_read(image, suffix)
            allow_for(image.width * image.height * picture.frames)
    if kind not in ACCEPTED:
        picture.add("error", "image_format", format=kind)
    elif suffix.lower() not in SUFFIXES[kind]:
        picture.add("warning", "image_disguised", format=kind, suffix=suffix)
    if min(picture.width, picture.height) < SMALLEST:
        picture.add("error", "image_too_small", width=picture.width, height=picture.height, limit=SMALLEST)
    elif max(picture.width, picture.height) < TINY:
        picture.add("info", "image_tiny", width=picture.width, height=picture.height, limit=TINY)
    elif max(picture.width, picture.height) > LARGE and not picture.unsafe:
        picture.add("info", "image_large", width=picture.width, height=picture.height)
    if kind == "JPEG" and not ends_well(source):
        picture.tail = END
        picture.add("info", "jpeg_end_missing")
    return image


def judge_cost(source: IO[bytes], image: Image.Image, picture: ImageRecord, max_pixels: int) -> None:
    """Check whether it may be decoded, here and in each epoch."""
    try:
        cost.check(source, image, max_pixels)
    except cost.TooCostly as error:
        picture.add("error", f"image_{error.what}", unsafe=True, count=error.count, limit=error.limit)


def judge_frames(image: Image.Image, suffix: str, picture: ImageRecord, max_pixels: int) -> None:
    """Check the frames: a training decodes every frame of a file with a TIFF suffix, whatever its format."""
    if picture.format == "TIFF":
        return
    count, limit = frames_read(image, suffix), max(1, 2 * max_pixels // max(1, picture.width * picture.height))
    if count > limit:
        picture.add("error", "image_frames", unsafe=True, count=count, limit=limit)


def frames_read(image: Image.Image, suffix: str) -> int:
    """The number of frames that OpenCV, and so a training, decodes at once: all of a TIFF, and of a file with its
    suffix.
    """
    return getattr(image, "n_frames", 1) if image.format == "TIFF" or suffix.lower() in SUFFIXES["TIFF"] else 1


def ends_well(source: IO[bytes]) -> bool:
    source.seek(-2, 2)
    return source.read() == END
