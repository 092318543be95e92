"""A labeled object for drawing and counting. Standard library only."""

import math
from array import array
from dataclasses import dataclass

from app.worker.quality.labels import BOX, Labels, Rules, box_of

Points = list[list[float]]


@dataclass(slots=True)
class LabelledShape:
    """Class, box (center, width, height as fractions of the image) and, if present, points or keypoints.

    `points`: of a polygon [x, y]; of keypoints [x, y] or [x, y, visibility].
    """

    line: int
    number: int  # of the class
    kind: str  # box, polygon, obb, keypoints
    x: float
    y: float
    w: float
    h: float
    points: Points | None = None

    def size(self, width: int, height: int) -> float:
        """Square root of the box's area in pixels of an image of this size."""
        return math.sqrt(max(0.0, self.w * width) * max(0.0, self.h * height))


def shapes(labels: Labels, rules: Rules) -> list[LabelledShape]:
    """The objects of a label file."""
    return [shape(line, values, labels, rules) for line, values in labels.objects]


def shape(line: int, values: array, labels: Labels, rules: Rules) -> LabelledShape:
    number, kind, points = int(values[0]), "box", None
    if rules.task == "pose":
        kind, points, box = "keypoints", pairs(values[BOX:], rules.dimensions), values[1:BOX]
    elif labels.polygons:
        kind, points, box = "obb" if labels.corners else "polygon", pairs(values[1:], 2), box_of(values)
    else:
        box = values[1:BOX]
    x, y, w, h = (round(value, 7) for value in box)
    return LabelledShape(line, number, kind, x, y, w, h, points)


def pairs(values: array, step: int) -> Points:
    rounded = [round(value, 6) for value in values]
    return [rounded[start : start + step] for start in range(0, len(rounded), step)]
