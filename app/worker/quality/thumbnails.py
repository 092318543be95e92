"""Thumbnails: one per distinct image, as WebP, shared by the versions of a dataset."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIDE = 240  # maximum pixels of the longer side: a tile of the page has 208 to 230; encoding is half of a scan's work
QUALITY, METHOD = 60, 0  # method 4 takes four times as long and saves a fifth


class Thumbnails:
    """The thumbnails in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folders: set[str] = set()  # subfolders
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.webp"

    def write(self, pixels: np.ndarray, sha256: str) -> None:
        """Write the thumbnail of an upright image atomically, unless it exists.

        Args:
            pixels: (height, width, 3) RGB or (height, width) gray, uint8.
        """
        path = self.path(sha256)
        if is_written(path):
            return
        if sha256[:2] not in self.folders:
            path.parent.mkdir(exist_ok=True)
            self.folders.add(sha256[:2])
        small = Image.fromarray(shrunk(pixels))
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # two decoders may process the same image
        try:
            small.save(draft, "WEBP", quality=QUALITY, method=METHOD)
            os.replace(draft, path)  # not synced: one that is empty after a crash is written again
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """The image with its longer side at most SIDE. It is below twice that (see `reduce`): linear interpolation is
    precise enough.
    """
    height, width = pixels.shape[:2]
    factor = SIDE / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def is_written(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
