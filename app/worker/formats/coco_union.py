"""Several COCO files about the same images: one per class, or one per annotator. Their objects are merged, without
repeated ones.
"""

from collections import Counter
from collections.abc import Iterable

from app.core.names import printable_name
from app.worker.formats.geometry import Box, bounding_box
from app.worker.formats.model import Decision, Item, Row, decision

SAME = 0.8  # IoU of two boxes of the same object
LISTED = 10  # files that are named


class Union:
    """Merges what each file adds to images of earlier files.

    Args:
        poses: whether rows have keypoints after their box.
    """

    def __init__(self, poses: bool) -> None:
        self.poses = poses
        self.earlier_rows: dict[str, int] = {}  # rows of each image before the current file
        self.shared: set[str] = set()
        self.files: list[str] = []
        self.twice = 0

    def begin(self, items: Iterable[Item]) -> None:
        """Record the rows of the next file's images, before its objects are read."""
        self.earlier_rows = {item.image: len(item.rows or ()) for item in items}

    def end(self, path: str, items: Iterable[Item], repeated: set[str]) -> None:
        """After them: remove repeated objects."""
        self.files.append(path)
        for item in items:
            if item.image in repeated:
                self.shared.add(item.image)
                count = self.earlier_rows.pop(item.image, 0)
                if count and item.rows:
                    item.rows = self.without_duplicates(item.rows[:count], item.rows[count:])

    def without_duplicates(self, old: list[Row], new: list[Row]) -> list[Row]:
        """The rows of earlier files, and the new ones without repeated objects."""
        earlier = Counter(row.text for row in old)
        boxes = [(row.text.split(" ", 1)[0], self.box(row)) for row in old]
        unique = []
        for row in new:
            kind, row_box = row.text.split(" ", 1)[0], self.box(row)
            if earlier[row.text] or any(
                kind == earlier_kind and overlap(row_box, box) >= SAME for earlier_kind, box in boxes
            ):
                self.twice += 1
            else:
                unique.append(row)
        return old + unique

    def box(self, row: Row) -> Box:
        """Left, top, right, bottom as fractions of the image."""
        values = [float(value) for value in row.text.split()[1:]]
        if len(values) == 4 or self.poses:
            x, y, width, height = values[:4]
            return x - width / 2, y - height / 2, x + width / 2, y + height / 2
        return bounding_box(zip(values[::2], values[1::2], strict=True))

    def decisions(self) -> list[Decision]:
        """The decision that reports the merge."""
        if not self.shared:
            return []
        names = ", ".join(map(printable_name, self.files[:LISTED]))
        return [decision("files_united", None, None, files=names, count=len(self.shared), twice=self.twice)]


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)
