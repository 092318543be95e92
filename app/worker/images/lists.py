"""Writes the detections of many images: JSON, CSV, and YOLO labels."""

import csv
import json
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from app.core.label_lines import label_lines
from app.core.names import defused
from app.core.predictions import (
    DETECTIONS_CSV,
    DETECTIONS_JSON,
    LABELS_ZIP,
    ClassCount,
    UnreadImage,
    UnreadImages,
)
from app.core.shapes import Detection
from app.worker.images.source import Still

COLUMNS = ("image", "width", "height", "class", "confidence", "x1", "y1", "x2", "y2")
NAMED = 50  # unreadable images in the result; the JSON has all


class ImageLists:
    """Writes the detections of images as they are processed; complete once `close` returns.

    Args:
        folder: for the files.
        names: of the classes, by number.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.names = names
        self.json = open(folder / DETECTIONS_JSON, "x", encoding="utf-8")  # noqa: SIM115 (until `close`)
        self.csv = open(folder / DETECTIONS_CSV, "x", encoding="utf-8", newline="")  # noqa: SIM115
        self.packed = open(folder / LABELS_ZIP, "xb")  # noqa: SIM115
        self.labels = zipfile.ZipFile(self.packed, "w", zipfile.ZIP_DEFLATED)
        self.table = csv.writer(self.csv)
        self.table.writerow(COLUMNS)
        self.json.write('{"images": [')
        self.images, self.bytes = 0, 0
        self.counts: Counter[str] = Counter()
        self.unread: list[UnreadImage] = []
        self.label_names: set[str] = set()

    def add(self, still: Still, detections: list[Detection]) -> None:
        """Add an analyzed image."""
        height, width = still.pixels.shape[:2]
        row = {"image": still.name, "width": width, "height": height, "detections": detections}
        text = json.dumps(row, ensure_ascii=False)
        self.json.write((",\n" if self.images else "\n") + text)
        self.images, self.bytes = self.images + 1, self.bytes + 3 * len(text)
        for item in detections:
            self.counts[item["class"]] += 1
            cells = (defused(still.name), width, height, defused(item["class"]), item["confidence"], *item["bbox"])
            self.table.writerow(cells)
        lines = label_lines(detections, self.names, width, height)
        self.labels.writestr(self.label_name(still.name), "".join(f"{line}\n" for line in lines))

    def skip(self, still: Still) -> None:
        """Add an unreadable image."""
        self.unread.append({"image": still.name, "code": still.code, "detail": still.detail})

    def label_name(self, image: str) -> str:
        """The image's name with the suffix .txt, or appended if another image has that name."""
        path = PurePosixPath("labels", image)
        name = str(path.with_suffix(".txt"))
        if name.casefold() in self.label_names:
            name = f"{path}.txt"
        self.label_names.add(name.casefold())
        return name

    def classes(self) -> list[ClassCount]:
        """Most frequent first, with their numbers of detections."""
        return [{"class": name, "detections": count} for name, count in self.counts.most_common()]

    def unread_images(self) -> UnreadImages:
        """The number of unreadable images, and the first ones."""
        return {"count": len(self.unread), "first": self.unread[:NAMED]}

    def close(self, about: Mapping[str, object]) -> None:
        """Complete and sync the files; `about`: further content of the JSON."""
        rest = json.dumps({"unread": self.unread, **about}, ensure_ascii=False)
        self.json.write(f"\n], {rest[1:]}\n")
        self.labels.writestr("classes.txt", "".join(f"{one_line(name)}\n" for name in self.names))
        self.labels.close()
        for file in (self.json, self.csv, self.packed):
            file.flush()
            os.fsync(file.fileno())
            file.close()


def one_line(name: str) -> str:
    return " ".join(name.split())
