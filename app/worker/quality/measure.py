"""Measures an image: perceptual hash, sharpness, brightness, contrast.

All are measured on the image reduced to a longer side of 256 to 511 pixels, so that they do not depend on its size.
"""

import cv2
import numpy as np

from app.worker.quality.model import ImageRecord

cv2.setNumThreads(1)  # a scan already has a thread per core

SHORTEST = 256  # pixels of the longer side of a reduced image, at least, if the image has them

# Between the 1st and the 99th percentile of gray, a blank image has at most this range. Chosen for an empty page or a
# covered camera, after JPEG; the palest photograph of BCCD has 60.
BLANK_RANGE = 12
# Dark: the 99th percentile of the brightness is below 0.32, as in the check `dark` of CleanVision (Cleanlab's default).
DARK_PERCENTILE_99 = 0.32 * 255
# Blurred: sharpness below. Calibrated on BCCD (640 pixels wide): its 364 photographs have 0.43 or more; with a Gaussian
# blur of 6 pixels, 95 of 100 are below, of 4 pixels half of them.
BLURRED = 0.30


def measure(pixels: np.ndarray, picture: ImageRecord) -> None:
    """Measure a reduced, upright image, and add findings.

    Args:
        pixels: (height, width, 3) RGB or (height, width) gray, uint8.
    """
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    low, high, mean, deviation = spread(grey)
    picture.brightness, picture.contrast = round(mean, 2), round(deviation, 2)
    if high - low <= BLANK_RANGE:
        picture.sharpness = 0.0
        picture.add("warning", "image_blank", brightness=round(mean))
        return
    picture.phash = phash(grey)
    picture.sharpness = round(1 - blur(grey), 4)
    if high < DARK_PERCENTILE_99:
        picture.add("warning", "image_dark", brightness=round(mean))
    if picture.sharpness < BLURRED:
        picture.add("warning", "image_blurred", sharpness=picture.sharpness, limit=BLURRED)


def spread(grey: np.ndarray) -> tuple[int, int, float, float]:
    """1st and 99th percentile, mean and standard deviation."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    levels, total = np.arange(256), int(counts.sum())
    low, high = np.searchsorted(np.cumsum(counts), [0.01 * total, 0.99 * total])
    mean = float(counts @ levels) / total
    return int(low), int(high), mean, float(np.sqrt(counts @ (levels - mean) ** 2 / total))


def cosines(size: int, count: int) -> np.ndarray:
    """The first rows of the DCT-II matrix, as scipy.fftpack.dct scales it."""
    row, column = np.arange(count)[:, None], np.arange(size)[None, :]
    return (2 * np.cos(np.pi * row * (2 * column + 1) / (2 * size))).astype(np.float32)


COSINES = cosines(32, 8)


def phash(grey: np.ndarray) -> int:
    """The perceptual hash of ImageHash 4.3 (`imagehash.phash`) of a (height, width) uint8 array: signs of the 8 × 8
    lowest frequencies relative to their median, the first frequency in the highest bit; but from averaged pixels, which
    is faster than Lanczos.
    """
    pixels = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = COSINES @ pixels @ COSINES.T
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def blur(grey: np.ndarray) -> float:
    """The share of the differences between neighbors that remains after another blur, 0 (sharp) to 1 (blurred).

    Crété-Roffet et al., The blur effect: perception and estimation with a new no-reference perceptual blur metric, SPIE
    6492, 2007; box of 9 pixels. The paper uses the worse direction; here both are combined, since any image of stripes
    is blurred along them.

    Args:
        grey: (height, width), uint8.
    """
    (across, lost_across), (down, lost_down) = differences(grey, 1), differences(grey, 0)
    total = across + down
    return 1 - (lost_across + lost_down) / total if total else 1.0


def differences(grey: np.ndarray, axis: int) -> tuple[float, float]:
    """The sum of the differences between neighbors along an axis, and how much of it a blur along that axis removes."""
    box = (9, 1) if axis else (1, 9)
    before = steps(grey, axis)
    after = steps(cv2.blur(grey, box, borderType=cv2.BORDER_REPLICATE), axis)
    return total_of(before), total_of(cv2.subtract(before, after))


def steps(grey: np.ndarray, axis: int) -> np.ndarray:
    """The absolute differences between neighbors along an axis."""
    if grey.shape[axis] < 2:
        return np.zeros((0, 0), np.uint8)
    return cv2.absdiff(grey[:, 1:], grey[:, :-1]) if axis else cv2.absdiff(grey[1:], grey[:-1])


def total_of(values: np.ndarray) -> float:
    """The sum of all values."""
    return float(cv2.sumElems(values)[0]) if values.size else 0.0
