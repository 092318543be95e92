"""Reads an image as training does: `ultralytics.utils.patches.imread` (release 8.4), through OpenCV.

Pillow reads more files than OpenCV, and some differently: floats, many bands, some compressions. An image that a
training cannot read ends it midway; one that it reads as black teaches it nothing. A test compares this with
ultralytics' own function.
"""

from typing import Any

import cv2
import numpy as np

from app.worker.cost import BASELINE, process_of

ALWAYS = {"TIFF", "WEBP", "BMP", "JPEG2000"}  # other formats only if unusual; AVIF is read by Pillow in training too
FLAT = 8  # gray levels between the darkest and the brightest, from which a training learns nothing
SPREAD = 64  # gray levels of the same image after scaling its values


def unusual(kind: str, mode: str, data: memoryview | bytes) -> bool:
    """Whether OpenCV may read this file differently from Pillow, or not at all."""
    if kind in ALWAYS:
        return True
    if kind in {"JPEG", "MPO"}:
        return process_of(data) not in BASELINE or mode not in {"L", "RGB"}
    return kind == "PNG" and mode not in {"L", "RGB", "RGBA", "P"}


def as_training(data: memoryview | bytes, suffix: str) -> np.ndarray | None:
    """(height, width, channels) BGR, or None if it cannot be read; of another type than uint8 if a training would fail
    on it.

    Args:
        suffix: of the file's name, by which TIFFs are recognized.
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
    """Why a training cannot use the image: `unread`, `depth` (it fails on the type), `flat` (it gets a single color,
    although the image has many), `bands` (two channels); None if it can.

    Args:
        pixels: as displayed in the pages, values scaled to 8 bits.
    """
    if decoded is None:
        return "unread"
    if decoded.dtype != np.uint8:
        return "depth"
    if decoded.ndim == 3 and decoded.shape[2] not in {1, 3}:
        return "bands"
    return "flat" if levels(decoded) < FLAT and levels(pixels) >= SPREAD else None


def levels(pixels: np.ndarray) -> int:
    """The range between the 1st and the 99th percentile."""
    low, high = np.percentile(pixels, (1, 99))
    return int(high - low)
