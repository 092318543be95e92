"""Reads a version for the writers of other formats: images, labels, classes."""

import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from app.core.json_object import JsonObject
from app.core.splits import SPLITS
from app.worker.formats.geometry import Box, Points, bounding_box
from app.worker.formats.paths import stem_of
from app.worker.formats.sizes import image_size

BOX = 5  # columns of a box


@dataclass(slots=True)
class RevisionImage:
    """An image of the version; `name` is its path below images/<split>/."""

    split: str
    name: str
    path: Path
    label: Path


@dataclass(slots=True)
class RevisionObject:
    """One row in pixels: a box, also a polygon if the row has one, and keypoints if the dataset has them."""

    kind: int
    box: Box
    outline: Points
    keypoints: list[tuple[float, float, int]]


@dataclass
class Revision:
    """A version's folder with its dataset.yaml."""

    folder: Path
    names: list[str]
    keypoints: tuple[int, int]  # number of keypoints and values of each (2 or 3); (0, 0) without keypoints
    document: JsonObject
    pictures: list[RevisionImage]
    dropped: Counter[str] = field(default_factory=Counter)  # images and rows that no writer can read, by code

    @classmethod
    def open(cls, folder: Path) -> "Revision":
        """Lists the images, sorted.

        Raises:
            OSError: there is no version.
        """
        document = yaml.safe_load((folder / "dataset.yaml").read_text(encoding="utf-8"))
        names = document["names"]
        names = [str(name) for _, name in sorted(names.items())] if isinstance(names, dict) else list(map(str, names))
        count, values = document.get("kpt_shape") or (0, 0)
        pictures = [picture for split in SPLITS for picture in images_of(folder, split)]
        return cls(folder, names, (count, values), document, pictures)

    @property
    def splits(self) -> list[str]:
        return [split for split in SPLITS if any(picture.split == split for picture in self.pictures)]

    @property
    def classification(self) -> bool:
        """Whether folders are the classes: there are no labels at all."""
        return not (self.folder / "labels").is_dir()

    def size(self, picture: RevisionImage) -> tuple[int, int] | None:
        """Width and height in pixels; None if the file is not an image, which is counted."""
        size = image_size(picture.path)
        if size is None:
            self.dropped["image_unreadable"] += 1
        return size

    def objects(self, picture: RevisionImage, size: tuple[int, int]) -> Iterator[RevisionObject]:
        """The objects of an image; rows that YOLO cannot use are counted and skipped."""
        try:
            text = picture.label.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return
        except UnicodeDecodeError:
            self.dropped["label_unreadable"] += 1
            return
        for line in text.splitlines():
            if line.strip():
                item = self.object(line.split(), size)
                if item:
                    yield item
                else:
                    self.dropped["row_unreadable"] += 1

    def object(self, columns: list[str], size: tuple[int, int]) -> RevisionObject | None:
        try:
            values = [float(column) for column in columns]
        except ValueError:
            return None
        if not all(map(math.isfinite, values)) or len(values) < BOX or values[0] % 1:
            return None
        kind, (width, height) = int(values[0]), size
        if not 0 <= kind < len(self.names):
            return None
        count, each = self.keypoints
        if len(values) == BOX or (count and len(values) == BOX + count * each):
            x, y, across, down = values[1] * width, values[2] * height, values[3] * width, values[4] * height
            box = (x - across / 2, y - down / 2, x + across / 2, y + down / 2)
            return RevisionObject(kind, clipped(box, size), [], keypoints_in_pixels(values[BOX:], each, size))
        if len(values) < 7 or len(values) % 2 == 0:
            return None
        outline = [(x * width, y * height) for x, y in zip(values[1::2], values[2::2], strict=True)]
        return RevisionObject(kind, clipped(bounding_box(outline), size), outline, [])


def clipped(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))


def keypoints_in_pixels(values: list[float], each: int, size: tuple[int, int]) -> list[tuple[float, float, int]]:
    """Keypoints in pixels with their visibility; without one, a point is visible unless it is at 0, 0."""
    keypoints = []
    for at in range(0, len(values), each or 1):
        x, y = values[at] * size[0], values[at + 1] * size[1]
        keypoints.append((x, y, int(values[at + 2]) if each == 3 else 2 * bool(x or y)))
    return keypoints


def images_of(folder: Path, split: str) -> Iterator[RevisionImage]:
    """The images of a split, sorted by name."""
    top = folder / "images" / split
    names = []
    for parent, _, files in os.walk(top):
        below = os.path.relpath(parent, top).replace(os.sep, "/")
        names += [name if below == "." else f"{below}/{name}" for name in files if not name.startswith(".")]
    for name in sorted(names):
        if not name.endswith((".npy", ".cache")):
            label = folder / "labels" / split / f"{stem_of(name)}.txt"
            yield RevisionImage(split, name, top / name, label)
