"""Builds the index rows of one image."""

import json
from collections.abc import Iterable, Mapping

from app.worker.quality.index import IndexWriter
from app.worker.quality.label_origins import origin
from app.worker.quality.model import Entry
from app.worker.quality.shapes import LabelledShape

Sizes = Mapping[int, list[float]]  # by class, of its objects: the square root of a box's area, in pixels


class ImageRows:
    """Writes the rows of one image.

    Args:
        number: its id.
    """

    def __init__(self, writer: IndexWriter, number: int, entry: Entry) -> None:
        self.writer, self.number, self.entry = writer, number, entry

    def objects(self, drawn: Iterable[LabelledShape]) -> dict[int, list[float]]:
        """Write a row for each object; returns their sizes."""
        picture = self.entry.picture
        sizes: dict[int, list[float]] = {}
        for item in drawn:
            size = round(item.size(picture.width, picture.height), 3)
            sizes.setdefault(item.number, []).append(size)
            points = json.dumps(item.points, separators=(",", ":")) if item.points else None
            line = origin(self.entry, item.line)[1] or item.line
            box = item.x, item.y, item.w, item.h
            self.writer.add("object", None, self.number, item.number, item.kind, *box, points, line, size)
        return sizes

    def classes(self, sizes: Sizes) -> None:
        """Write a row for each class in the image."""
        for index, values in sizes.items():
            self.writer.add("image_class", index, self.number, len(values), min(values), max(values))

    def image(self, usable: bool, sizes: Sizes, codes: Iterable[str]) -> None:
        """Write the row of the image itself, and of its origin in the upload."""
        entry, picture = self.entry, self.entry.picture
        every = [value for values in sizes.values() for value in values]
        self.writer.add(
            "image",
            self.number,
            entry.file,
            entry.split,
            picture.width,
            picture.height,
            picture.bytes,
            picture.sha256,
            picture.format,
            len(every),
            min(every, default=None),
            max(every, default=None),
            entry.group,
            int(usable),
            int(picture.thumbnail),
            int(not picture.unsafe),
            picture.sharpness,
            picture.brightness,
            picture.contrast,
            " ".join(dict.fromkeys(codes)),
        )
        if entry.original or entry.source:
            self.writer.add("origin", self.number, entry.original, entry.source or None)
