"""The pixels of a mask as numbers: of classes or objects, or of colors."""

from pathlib import Path
from typing import Any

from app.worker.decoders import OverLimit, allow_for, confined
from app.worker.formats import mask_codecs
from app.worker.formats.mask_codecs import BadMask

COLOURED = 1 << 24  # added to a color, red · 65536 + green · 256 + blue
FLAT = 0.85  # share of the pixels
MOST = 4096  # values per mask: a photograph has more
JPEG_NOISE = 24  # deviation of black and white after JPEG compression
JPEG_FLAT = 0.97  # share of the pixels
SOFT_GREYS = 8  # values between black and white that indicate a soft edge
SOFT_COLOURS = 16  # the same for colors without an area


def read_pixels(path: Path) -> Any:
    """A mask as an array of numbers.

    Raises:
        BadMask: it is not an image, is too large, or takes too long to decode.
    """
    try:
        return confined(decoded, path)
    except OverLimit as error:
        raise BadMask("picture") from error


def decoded(path: Path) -> Any:
    import numpy
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "BMP", "TIFF", "JPEG")) as picture:
            mask_codecs.checked_size(*picture.size)
            allow_for(picture.width * picture.height)
            picture.load()
            return black_and_white(picture, numpy) if picture.format == "JPEG" else pixels_of(picture, numpy)
    except (BadMask, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise various errors on damaged files
        raise BadMask("picture") from error


def pixels_of(picture: Any, numpy: Any) -> Any:
    """Values of an image with one channel or a palette; colors of another one, unless it is gray."""
    if picture.mode in {"RGB", "RGBA", "CMYK"}:
        values = numpy.asarray(picture.convert("RGB")).astype(numpy.int32)
        red, green, blue = values[..., 0], values[..., 1], values[..., 2]
        if (red == green).all() and (green == blue).all():
            return hardened(red, numpy)
        return hardened_colours(COLOURED + (red << 16) + (green << 8) + blue, numpy)
    values = numpy.asarray(picture.getchannel(0) if picture.mode == "LA" else picture)
    if values.dtype.kind not in "iub":
        raise BadMask("floats")
    soft = values.dtype.kind != "b" and picture.mode != "P"
    return hardened(values.astype(numpy.int32), numpy) if soft else values.astype(numpy.int32)


def black_and_white(picture: Any, numpy: Any) -> Any:
    """The values of a JPEG: compression preserves which pixels are light, but no other values.

    Raises:
        BadMask: it is a photograph, or has other values.
    """
    values = numpy.asarray(picture.convert("L"))
    extreme = (values <= JPEG_NOISE) | (values >= 255 - JPEG_NOISE)
    if extreme.mean() < JPEG_FLAT or not (values > 127).any():
        raise BadMask("picture")
    return numpy.where(values > 127, 255, 0).astype(numpy.int32)


def hardened(values: Any, numpy: Any) -> Any:
    """Black and white, if the mask is that except for soft edges (from anti-aliasing or resizing); otherwise
    unchanged.
    """
    if not values.size or values.min() < 0 or values.max() > 255:
        return values
    counts = numpy.bincount(values.ravel(), minlength=256)
    between = counts[1:255]
    if (between > 0).sum() < SOFT_GREYS or not counts[255]:
        return values
    if counts[255] > 4 * between.sum() or not (set(with_area(values, numpy).tolist()) - {0, 255}):
        return numpy.where(values >= 128, 255, 0).astype(values.dtype)
    return values


def with_area(values: Any, numpy: Any) -> Any:
    """The values of pixels surrounded by the same value."""
    same = values[1:-1, 1:-1]
    inner = numpy.ones(same.shape, bool)
    for down, across in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inner &= values[down : down + same.shape[0], across : across + same.shape[1]] == same
    return numpy.unique(same[inner])


def hardened_colours(values: Any, numpy: Any) -> Any:
    """Replace colors of soft edges by the nearest color that has an area."""
    import cv2

    solid = with_area(values, numpy)
    edge = ~numpy.isin(values, solid)
    if not len(solid) or len(numpy.unique(values)) - len(solid) < SOFT_COLOURS or edge.mean() > 1 - FLAT:
        return values
    _, labels = cv2.distanceTransformWithLabels(
        edge.astype(numpy.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = numpy.zeros(labels.max() + 1, values.dtype)
    nearest[labels[~edge]] = values[~edge]
    return numpy.where(edge, nearest[labels], values)


def values_in(pixels: Any) -> list[int]:
    """The distinct values of a mask.

    Raises:
        BadMask: there are too many for a mask.
    """
    import numpy

    values = numpy.unique(pixels)
    if len(values) > MOST:
        raise BadMask("values")
    return [int(value) for value in values]


def palette_of(path: Path) -> list[int] | None:
    """The colors of a mask's palette by index, in the form of `read_pixels`; None without one."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "BMP", "TIFF")) as picture:
            colours = picture.getpalette("RGB") if picture.mode == "P" else None
    except Exception:  # see above
        return None
    if not colours:
        return None
    triples = zip(colours[::3], colours[1::3], colours[2::3], strict=False)
    return [COLOURED + (red << 16) + (green << 8) + blue for red, green, blue in triples]


def is_flat(pixels: Any) -> bool:
    """Whether nearly all pixels equal their neighbor, as in masks and not in photographs."""
    return bool((pixels[:, 1:] == pixels[:, :-1]).mean() >= FLAT) if pixels.shape[1] > 1 else False
