"""Thumbnails: one a distinct image, as WebP, shared by the revisions of a dataset."""

import os
import threading
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIDE = 256  # pixels of the longer side at most; 320 take half as long again
QUALITY, METHOD = 60, 0  # method 4 takes four times as long and saves a fifth


class Thumbnails:
    """The thumbnails in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: set[str] = set()  # subfolders
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.webp"

    def make(self, image: Image.Image, sha256: str) -> None:
        """Write the thumbnail of an upright image unless it is there; whole or not at all."""
        path = self.path(sha256)
        if is_whole(path):
            return
        if sha256[:2] not in self.made:
            path.parent.mkdir(exist_ok=True)
            self.made.add(sha256[:2])
        small = shrunk(image)
        draft = path.with_name(f".{path.name}.{threading.get_ident()}.tmp")  # two threads may meet the same image
        try:
            small.save(draft, "WEBP", quality=QUALITY, method=METHOD)
            os.replace(draft, path)  # not synced: one that a crash empties is made again
        finally:
            draft.unlink(missing_ok=True)


def shrunk(image: Image.Image) -> Image.Image:
    """The image with its longer side at SIDE at most. It is below twice that (see `reduce`): linear is exact enough."""
    factor = SIDE / max(image.size)
    if factor >= 1:
        return image
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return Image.fromarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_LINEAR))


def is_whole(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
