"""Reads untrusted images: checked before decoding, rotated upright, 8 bit RGB; and draws boxes."""

import os
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageCms, ImageDraw, ImageFile, ImageFont

from app.core.shapes import Detection
from app.worker import cost, plugins  # noqa: F401 (they are in Image.OPEN from then on)
from app.worker.decoders import OverLimit, allow_for, confined
from app.worker.orientation import BY_PILLOW, orientation, upright

FORMATS: list[str] = [
    kind for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000") if kind in Image.OPEN
]  # the formats that training reads; JPEG includes MPO
# Signatures of files that are often mistaken for such an image.
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypheim", "HEIC"),
    (4, b"ftyphevc", "HEIC"),
    (4, b"ftypcrx", "Canon RAW"),
    (4, b"ftyp", "MP4"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\3\4", "ZIP"),
    (0, b"Rar!", "RAR"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"<svg", "SVG"),
    (0, b"<html", "HTML"),
    (0, b"<!DOCTYPE html", "HTML"),
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (0, b"DICM", "DICOM"),
    (128, b"DICM", "DICOM"),
    (0, b"\x93NUMPY", "NumPy"),
)
DAMAGED = (OSError, ValueError, TypeError, SyntaxError, KeyError, struct.error)  # from headers that can't be parsed
LONGEST = 65_500  # maximum side of a JPEG in pixels
open_image = Image.open  # saved before ultralytics replaces it with one that may install packages
Image.MAX_IMAGE_PIXELS = None  # our own check is done first, by the header

# The same as in the pages (static/js/ui/palette.js): a class keeps its color.
COLOURS = (
    "#5346c9",
    "#b34700",
    "#00706a",
    "#a3286f",
    "#1f5fae",
    "#7a5b00",
    "#8b2f2f",
    "#3d6b1f",
    "#7b3fb0",
    "#0d6c8c",
    "#9a3d12",
    "#4f5d73",
    "#b02a4c",
    "#2f7048",
    "#6b4f3a",
    "#3f4fa0",
)


class BadPicture(Exception):
    """The image cannot be used. `code`: `not_image`, `empty`, `other_format` (detail: its name), `cut_short`,
    `too_many_pixels`, `too_costly`, `stopped` (over a limit of time or memory) or `busy` (other images are slow).
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return BadPicture, (self.code, str(self))


def read_confined(path: Path, max_pixels: int, run: Callable[..., Any] = confined) -> Image.Image:
    """As `read`, in a decoder: see app/worker/decoders.py.

    Args:
        run: of a decoder pool; by default, of the process's own decoder.

    Raises:
        BadPicture: as `read`, and if it exceeds a limit of time or memory.
    """
    try:
        size, data = run(rgb_of, path, max_pixels)
    except OverLimit as error:
        raise BadPicture("stopped", f"decoding was stopped ({error.what})") from error
    return Image.frombytes("RGB", size, data)


def rgb_of(path: Path, max_pixels: int) -> tuple[tuple[int, int], bytes]:
    """Width and height, and the pixels."""
    picture = read(path, max_pixels)
    return picture.size, picture.tobytes()


def read(path: Path, max_pixels: int, formats: Sequence[str] = FORMATS) -> Image.Image:
    """The image, upright by its EXIF orientation, as RGB; the first frame of an animation.

    Raises:
        BadPicture: it has another format, is truncated, or exceeds `max_pixels` (checked before decoding).
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # as an open file: given a name, Pillow memory-maps some TIFFs and rotates them twice
    with open(path, "rb") as file:
        picture = opened(file, path, formats)
        allow_for(checked_pixels(picture, max_pixels))
        try:
            cost.check(file, picture, max_pixels)
        except cost.TooCostly as error:
            raise BadPicture("too_costly", str(error)) from error
        except DAMAGED as error:  # a TIFF whose pages can't be read
            raise BadPicture("cut_short", f"{picture.format}: {error}") from error
        try:
            picture.load()
            turn = 1 if picture.format in BY_PILLOW else orientation(picture)
            return coloured(upright(eight_bit(picture), turn))
        except MemoryError:
            raise
        except OSError as error:
            raise BadPicture("cut_short", f"{picture.format}: {error}") from error
        except Exception as error:  # each decoder raises its own errors
            raise BadPicture("not_image", f"{type(error).__name__}: {error}") from error


def checked_pixels(picture: Image.Image, max_pixels: int) -> int:
    """The number of pixels of an image that is not decoded yet.

    Raises:
        BadPicture: more than `max_pixels`.
    """
    pixels = picture.width * picture.height
    if pixels > max_pixels:
        raise BadPicture("too_many_pixels", f"{picture.width} x {picture.height}")
    return pixels


def opened(file: IO[bytes], path: Path, formats: Sequence[str]) -> Image.Image:
    """The image after reading its header."""
    head = file.read(160)
    if not head:
        raise BadPicture("empty", "")
    file.seek(0)
    try:
        return open_image(file, formats=list(formats))
    except Exception as error:
        name = next((name for at, mark, name in SIGNATURES if head[at:].lower().startswith(mark.lower())), None)
        if name:
            raise BadPicture("other_format", name) from error
        raise BadPicture("not_image", "") from error  # Pillow's message has the path of the file


def coloured(picture: Image.Image) -> Image.Image:
    """RGB, as OpenCV reads it for training: transparent pixels keep their color."""
    if picture.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, *profiles, outputMode="RGB") or picture
    return picture.convert("RGB")


def eight_bit(picture: Image.Image) -> Image.Image:
    """16 bit gray as OpenCV reads it for training (the high byte); floats scaled to 0 to 255."""
    import numpy

    if picture.mode != "F" and not picture.mode.startswith("I"):
        return picture
    values = numpy.asarray(picture)
    if picture.mode == "F":
        values = numpy.nan_to_num(values.astype("float64"), posinf=0.0, neginf=0.0)
        span = float(values.max() - values.min()) or 1.0
        return Image.fromarray(((values - values.min()) * (255 / span)).astype("uint8"))
    return Image.fromarray((values.clip(0, 65535).astype("uint16") >> 8).astype("uint8"))


def draw(picture: Image.Image, detections: list[Detection], order: dict[str, int]) -> Image.Image:
    """A copy with a box and a label for each detection, one color per class; `order` numbers the classes."""
    drawn = picture.copy()
    canvas = ImageDraw.Draw(drawn)
    width = max(2, round((drawn.width + drawn.height) * 0.0015))
    font = label_font(max(12, round((drawn.width + drawn.height) * 0.012)))
    for item in reversed(detections):  # the most confident last, so that it stays readable where boxes overlap
        colour = COLOURS[order.get(item["class"], 0) % len(COLOURS)]
        if "top5" not in item:  # a class of the entire image has no shape
            draw_shape(canvas, item, colour, width)
        text = f"{item['class']} {item['confidence']:.2f}".replace("\n", " ")
        draw_label(canvas, drawn.size, item["bbox"], text, colour, font)
    return drawn


def draw_shape(canvas: ImageDraw.ImageDraw, item: Detection, colour: str, width: int) -> None:
    """The polygon or oriented box if there is one, otherwise the box; and its keypoints."""
    points = [tuple(point) for point in item.get("polygon") or item.get("corners") or []]
    if len(points) > 2:
        canvas.line([*points, points[0], points[1]], fill=colour, width=width, joint="curve")
    else:
        canvas.rectangle(item["bbox"], outline=colour, width=width)
    for x, y, *confidence in item.get("keypoints", []):
        if not confidence or confidence[0] >= 0.5:
            canvas.circle((x, y), width * 1.5, fill=colour, outline="#ffffff")


def draw_label(
    canvas: ImageDraw.ImageDraw, size: tuple[int, int], bbox: list[float], text: str, colour: str, font: Any
) -> None:
    """The text on its color above the box, or inside if there is no space, never outside the image."""
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    wide, high = right - left + 6, bottom - top + 6
    x = max(0, min(bbox[0], size[0] - wide))
    y = bbox[1] - high if bbox[1] >= high else min(max(0, bbox[1]), max(0, size[1] - high))
    canvas.rectangle((x, y, x + wide, y + high), fill=colour)
    canvas.text((x + 3 - left, y + 3 - top), text, fill=readable_on(colour), font=font)


def readable_on(colour: str) -> str:
    """Black or white, whichever has more contrast."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


@lru_cache(maxsize=16)
def label_font(size: int) -> Any:
    """DejaVu Sans, included in matplotlib: it has the letters of Portuguese."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def within(picture: Image.Image) -> Image.Image:
    """The image, reduced if its longer side exceeds a JPEG's maximum."""
    longest = max(picture.size)
    if longest <= LONGEST:
        return picture
    sides = [max(1, side * LONGEST // longest) for side in picture.size]
    return picture.resize((sides[0], sides[1]))


def save(picture: Image.Image, path: Path) -> None:
    """Write a JPEG atomically."""
    draft = path.with_name(path.name + ".tmp")
    try:
        with open(draft, "wb") as file:
            within(picture).save(file, "JPEG", quality=90)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
