"""The objects of a COCO file: their kinds, and their rows."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.box_numbers import sides
from app.worker.formats.draft_boxes import Numbers
from app.worker.formats.geometry import Box, Points, RowBuilder, bounding_box, corners_of, join_outlines, number
from app.worker.formats.model import Finding, Row, finding
from app.worker.formats.table_cells import literal
from app.worker.formats.table_cells import numbers_of as numbers_in

if TYPE_CHECKING:
    from app.worker.formats.coco_coordinates import Coordinates

Span = tuple[float, float]
NUMBER_TYPES = frozenset({int, float})
IDS = 100  # sampled image ids, to detect their type
BOXES = 5000  # sampled boxes
MARKS = frozenset({0, 1, 2})  # visibility of keypoints
MOST_TEXT = 100_000  # characters of a polygon written as a string
NO = {"", "0", "0.0", "false", "no", "none"}
SAME = 0.5  # pixels: a polygon that differs less from its box is the box


@dataclass
class ObjectCounts:
    """Counts of the first pass. Kinds: box, polygon, pose (counted in addition)."""

    counts: Counter[str] = field(default_factory=Counter)
    classes: Counter[Any] = field(default_factory=Counter)
    images: set[Any] = field(default_factory=set)  # some ids
    keypoints: int = 0  # maximum per object
    boxes: list[tuple[Any, Any, Numbers]] = field(default_factory=list)  # image, class, numbers of the first ones
    spans: list[Span] = field(default_factory=list)  # of the first polygons

    def add(self, element: JsonObject) -> None:
        key = element.get("category_id")
        if not isinstance(key, int | str):
            return
        self.classes[key] += 1
        image = element.get("image_id")
        if isinstance(image, int | str):
            if len(self.images) < IDS:
                self.images.add(image)
            if len(self.boxes) < BOXES and (box := numbers_of(element.get("bbox"))):
                self.boxes.append((image, key, box))
        if element.get("iscrowd"):
            return
        self.counts["polygon" if is_polygon(element) else "box"] += 1
        if len(self.spans) < BOXES and (span := span_of(element.get("segmentation"))):
            self.spans.append(span)
        points = element.get("keypoints")
        if isinstance(points, list) and len(points) >= 3 and any(mark for mark in points[2::3]):
            self.counts["pose"] += 1
            self.keypoints = max(self.keypoints, len(points) // 3)


def span_of(segmentation: Any) -> Span | None:
    """The smallest and the largest number in a polygon."""
    part = next((part for part in segmentation if part), None) if isinstance(segmentation, list) else None
    if not isinstance(part, list) or not NUMBER_TYPES.issuperset(map(type, part)):
        return None
    return min(part), max(part)


def normalised(element: JsonObject) -> JsonObject:
    """An object in standard form: a flat polygon (VIA) becomes a list of polygons; keypoints without a visibility, or
    with a score instead, get one; a box written as a string or a dictionary becomes a list.
    """
    if isinstance(element.get("bbox"), dict | str):
        element = element | {"bbox": parse_box(element["bbox"])}
    if isinstance(crowd := element.get("iscrowd"), str):
        element = element | {"iscrowd": crowd.strip().casefold() not in NO}
    if isinstance(outline := element.get("segmentation"), str):
        element = element | {"segmentation": parse_text(outline)}
    points = element.get("keypoints")
    if (
        isinstance(points, list)
        and points
        and NUMBER_TYPES.issuperset(map(type, points))
        and not MARKS.issuperset(points[2::3])
    ):
        element = element | {"keypoints": with_visibility(points)}
    outline = element.get("segmentation")
    if isinstance(outline, list) and len(outline) >= 6 and type(outline[0]) in NUMBER_TYPES:
        return element | {"segmentation": [outline]}
    return element


def parse_box(box: Any) -> list[float]:
    """The left, top, width and height of a box; empty if unreadable."""
    values = parse_text(box) if isinstance(box, str) else box
    if not isinstance(values, dict | list):
        return []
    numbers, form = numbers_in(values)
    if form == "corners":
        left, top, right, bottom = numbers
        return [left, top, right - left, bottom - top]
    return list(numbers)


def parse_text(text: str) -> Any:
    """The value of a string that another program has printed into the file."""
    return literal(text) if len(text) <= MOST_TEXT else None


def with_visibility(values: list[float]) -> list[float]:
    """Keypoints as x, y, visibility: pairs are visible except at 0, 0; scores if above 0."""
    scores = values[2::3]
    if len(values) % 3 == 0 and all(0 <= score <= 1 for score in scores) and max(values) > 1:
        return [2 * (value > 0) if index % 3 == 2 else value for index, value in enumerate(values)]
    if len(values) % 2:
        return values
    return [part for x, y in zip(values[::2], values[1::2], strict=True) for part in (x, y, 2 * bool(x or y))]


def is_polygon(element: JsonObject) -> bool:
    """Whether its polygon is more than its box."""
    parts = element.get("segmentation")
    if isinstance(parts, dict) and parts.get("counts"):
        return True
    if not isinstance(parts, list) or not parts:
        return False
    return len(parts) > 1 or not is_box(parts[0], element.get("bbox"))


def is_box(part: Any, box: Any) -> bool:
    """Whether a polygon of four corners is the box: some tools write each box this way too."""
    if not isinstance(part, list) or len(part) not in {8, 10} or not isinstance(box, list) or len(box) != 4:
        return False
    left, top, width, height = map(number, box)
    corners = {(left, top), (left + width, top), (left + width, top + height), (left, top + height)}
    points = [(number(x), number(y)) for x, y in zip(part[::2], part[1::2], strict=True)]
    return all(any(math.dist(point, corner) <= SAME for corner in corners) for point in points) and all(
        any(math.dist(point, corner) <= SAME for point in points) for corner in corners
    )


class CocoObjects:
    """Creates the rows of one file.

    Args:
        keypoints: per row; 0 unless the task is pose.
        coordinates: of boxes and polygons.
    """

    def __init__(
        self, file: str, task: str, keypoints: int, findings: list[Finding], coordinates: "Coordinates"
    ) -> None:
        self.file, self.task, self.keypoints, self.findings = file, task, keypoints, findings
        self.coordinates = coordinates

    def note(self, code: str, line: int, severity: str = "warning", **data: Any) -> None:
        self.findings.append(finding(severity, code, self.file, line, **data))

    def convert(
        self,
        element: JsonObject,
        line: int,
        image: str,
        size: tuple[int, int],
        kind: int,
        name: str,
        rows: list[Row],
    ) -> None:
        """Add the row of an object, or a finding."""
        class_name = printable_name(name)
        if element.get("iscrowd"):
            self.note("object_crowd", line, "info", of=image, name=class_name)
            return
        of_object = self.coordinates.of(numbers_of(element.get("bbox")) or ())
        shapes = RowBuilder(self.file, image, size, rows, self.findings, of_object.frame(image, size))
        parts = of_object.parts(polygons(element.get("segmentation")), size)
        if isinstance(element.get("segmentation"), dict) and (self.task == "segment" or not element.get("bbox")):
            parts = mask_outlines(element["segmentation"])
        box = box_of(element.get("bbox"), of_object.boxes) or (
            bounding_box([point for part in parts for point in part]) if parts else None
        )
        if box is None:
            code = "mask_left_out" if isinstance(element.get("segmentation"), dict) else "object_no_box"
            self.note(code, line, of=image, name=class_name)
        elif self.task == "segment":
            self.outline(element, line, image, shapes, parts, box, kind, name)
        elif self.task == "obb":
            four = parts[0] if len(parts) == 1 and len(parts[0]) == 4 else corners_of(box)
            shapes.corners(kind, name, four, line)
        elif self.task == "pose":
            shapes.pose(kind, name, box, keypoint_values(element.get("keypoints"), self.keypoints), line)
        else:
            shapes.box(kind, name, box, line)

    def outline(
        self,
        element: JsonObject,
        line: int,
        image: str,
        shapes: RowBuilder,
        parts: list[Points],
        box: Box,
        kind: int,
        name: str,
    ) -> None:
        """Add the polygon of an object; a box becomes its four corners."""
        if parts:
            shapes.polygon(kind, name, join_outlines(parts), line)
        elif isinstance(element.get("segmentation"), dict):
            self.note("mask_left_out", line, of=image, name=printable_name(name))
        else:
            self.note("box_as_polygon", line, "info", of=image, name=printable_name(name))
            shapes.polygon(kind, name, corners_of(box), line)


def mask_outlines(segmentation: Any) -> list[Points]:
    """The polygons of a run-length mask; empty if it cannot be read."""
    try:
        return mask_codecs.outlines(mask_codecs.from_coco(segmentation))
    except mask_codecs.BadMask:
        return []


def polygons(segmentation: Any) -> list[Points]:
    """The polygons of an object, each with at least three points."""
    parts = segmentation if isinstance(segmentation, list) else []
    if parts and not isinstance(parts[0], list):  # a polygon without its enclosing list
        parts = [parts]
    outlines = []
    for part in parts:
        if isinstance(part, list) and len(part) >= 6:
            values = part if NUMBER_TYPES.issuperset(map(type, part)) else [number(value) for value in part]
            values = values[: len(values) // 2 * 2]
            outlines.append(list(zip(values[::2], values[1::2], strict=True)))
    return outlines


def numbers_of(values: Any) -> Numbers | None:
    """The four numbers of a box."""
    if not isinstance(values, list) or len(values) != 4:
        return None
    first, second, third, fourth = map(number, values)
    return first, second, third, fourth


def box_of(values: Any, way: str) -> Box | None:
    """Left, top, right, bottom; a box without an area has coinciding sides."""
    numbers = numbers_of(values)
    if numbers is None:
        return None
    left, top, right, bottom = sides(numbers, way)
    return (left, top, right, bottom) if not (right <= left or bottom <= top) else (left, top, left, top)


def keypoint_values(values: Any, count: int) -> list[tuple[float, float, int]]:
    """Keypoints as x, y and visibility, padded with invisible ones."""
    values = values if isinstance(values, list) else []
    keypoints = []
    for x, y, visibility in zip(values[::3], values[1::3], values[2::3], strict=False):
        point = number(x), number(y)
        flag = number(visibility)
        keypoints.append((*point, int(flag) if math.isfinite(flag) and all(map(math.isfinite, point)) else 0))
    return (keypoints + [(0.0, 0.0, 0)] * count)[:count]
