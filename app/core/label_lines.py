"""Writes detections as the lines of a YOLO label file. Pure."""

from collections.abc import Sequence

from app.core.shapes import Detection

VISIBLE = 0.5  # confidence from which a keypoint counts as visible


def label_lines(detections: Sequence[Detection], names: Sequence[str], width: int, height: int) -> list[str]:
    """One line per detection, in order: the class number, then the geometry of the model's task, as fractions of the
    image's width and height.
    """
    numbers = {name: number for number, name in enumerate(names)}
    return [" ".join([str(numbers.get(item["class"], 0)), *shape(item, width, height)]) for item in detections]


def shape(item: Detection, width: int, height: int) -> list[str]:
    """A polygon, the corners of an oriented box, a box with its keypoints, or a box; empty for classification."""
    if "top5" in item:
        return []
    x1, y1, x2, y2 = item["bbox"]
    if "polygon" in item or "corners" in item:
        points = item.get("corners") or item["polygon"]
        return shares(points if len(points) > 2 else [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], width, height)
    box = shares([[(x1 + x2) / 2, (y1 + y2) / 2], [x2 - x1, y2 - y1]], width, height)
    for x, y, *confidence in item.get("keypoints", ()):
        visible = not confidence or confidence[0] >= VISIBLE
        box += [*shares([[x, y]], width, height), "2"] if visible else ["0", "0", "0"]
    return box


def shares(points: Sequence[Sequence[float]], width: int, height: int) -> list[str]:
    return [f"{min(1.0, max(0.0, value / size)):.6g}" for x, y in points for value, size in ((x, width), (y, height))]
