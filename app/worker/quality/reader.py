"""Reads an image as training does: `ultralytics.utils.patches.imread` (release 8.4), through OpenCV.

Pillow reads more than OpenCV does, and reads it otherwise: floats, many bands, some compressions. What a training
cannot read ends it in the middle; what it reads black, it learns nothing from. A test compares this with
ultralytics' own.
"""

from typing import Any

import cv2
import numpy as np

from app.worker.cost import BASELINE, process_of

ALWAYS = {"TIFF", "WEBP", "BMP", "JPEG2000"}  # of others only what is unusual; AVIF is read by Pillow there too
FLAT = 8  # levels between the darkest and the brightest, of which a training learns nothing
SPREAD = 64  # levels that the same image has when its values are spread


def unusual(kind: str, mode: str, data: memoryview | bytes) -> bool:
    """Whether OpenCV may read this file otherwise than Pillow, or not at all."""
    if kind in ALWAYS:
        return True
    if kind in {"JPEG", "MPO"}:
        return process_of(data) not in BASELINE or mode not in {"L", "RGB"}
    return kind == "PNG" and mode not in {"L", "RGB", "RGBA", "P"}


def as_training(data: memoryview | bytes, suffix: str) -> np.ndarray | None:
    """(height, width, channels) BGR, or None where it cannot be read; of another type than uint8 where a training
    would fail on it.

    Args:
        suffix: of the file's name, which decides for TIFFs.
    """
    raw = np.frombuffer(data, np.uint8)
    pixels: Any = None
    try:
        if suffix.lower() in {".tif", ".tiff"}:
            good, frames = cv2.imdecodemulti(raw, cv2.IMREAD_UNCHANGED)
            if good and frames and frames[0].ndim == 3:
                pixels = frames[0][..., :3]
        if pixels is None:
            pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if pixels is not None and pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8).astype(np.uint8)
    return pixels


def trouble(decoded: np.ndarray | None, pixels: np.ndarray) -> str | None:
    """Why a training cannot use what it sees: `unread`, `depth` (it fails on the type), `flat` (it sees one colour
    where the picture has many), `bands` (two channels); None where nothing is wrong.

    Args:
        pixels: the picture as the pages would show it, its values spread to 8 bits.
    """
    if decoded is None:
        return "unread"
    if decoded.dtype != np.uint8:
        return "depth"
    if decoded.ndim == 3 and decoded.shape[2] not in {1, 3}:
        return "bands"
    return "flat" if levels(decoded) < FLAT and levels(pixels) >= SPREAD else None


def levels(pixels: np.ndarray) -> int:
    """Between the 1st and the 99th percentile."""
    low, high = np.percentile(pixels, (1, 99))
    return int(high - low)
