"""Converts shapes in pixels to YOLO rows: clipped at the image's edge, normalized, and dropped if nothing remains.

Pixels count from 0 at the image's left and top edge; a box is (left, top, right, bottom), a polygon (x, y) pairs.
"""

import math
from collections.abc import Iterable, Sequence
from operator import mul
from typing import Any

from app.core.names import printable_name
from app.worker.formats.coordinate_frames import CoordinateFrame
from app.worker.formats.model import Finding, Row, finding

Box = tuple[float, float, float, float]
Points = list[tuple[float, float]]

EDGE = 0.01  # pixels: a smaller excess is rounding in the tool that wrote it
CIRCLE = 36  # corners of the polygon for a circle
MAX_COORDINATE = 1e9  # pixels: larger coordinates are invalid; sums and products of smaller ones are exact enough
MAX_SIDE = 1_000_000  # pixels: larger declared sides are damaged


def number(value: Any) -> float:
    """A number from a file's text or JSON; nan for anything else, and out of range."""
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        parsed = float(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan
    return parsed if abs(parsed) < MAX_COORDINATE else math.nan


def side(value: Any) -> int:
    """An image's width or height from a file; 0 if missing."""
    length = number(value)
    return int(length) if 1 <= length <= MAX_SIDE else 0


def format_number(value: float) -> str:
    """Six decimals, trimmed: a thousandth of a pixel at 1,000 pixels."""
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"


def box_text(kind: int, box: Box, size: tuple[int, int]) -> str:
    """A row "class x y w h", normalized."""
    left, top, right, bottom = box
    width, height = size
    values = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height)
    return " ".join([str(kind), *map(format_number, values)])


def points_text(kind: int, points: Iterable[tuple[float, float]], size: tuple[int, int]) -> str:
    """A row "class x1 y1 x2 y2 …", normalized."""
    width, height = size
    values = [value for x, y in points for value in (x / width, y / height)]
    text = ("%.6f " * len(values)) % tuple(values)  # one formatting call: polygons are most of a large file
    while "0 " in text:
        text = text.replace("0 ", " ")  # at most six times: the decimal point stops it
    return f"{kind} {text.replace('. ', ' ').rstrip()}"


def bounding_box(points: Iterable[tuple[float, float]]) -> Box:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def corners_of(box: Box) -> Points:
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def rotated_box(box: Box, degrees: float) -> Points:
    """The corners of a box that is rotated clockwise about its center, as in CVAT's `rotation`."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x + (px - x) * cos - (py - y) * sin, y + (px - x) * sin + (py - y) * cos) for px, py in corners_of(box)]


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> Points:
    """A polygon for an ellipse."""
    turn = math.radians(degrees)
    angles = [2 * math.pi * step / CIRCLE for step in range(CIRCLE)]
    flat = [(radius_x * math.cos(angle), radius_y * math.sin(angle)) for angle in angles]
    return [(x + a * math.cos(turn) - b * math.sin(turn), y + a * math.sin(turn) + b * math.cos(turn)) for a, b in flat]


def area(points: Points) -> float:
    """The area of a polygon, by the shoelace formula."""
    xs, ys = zip(*points, strict=True)
    return abs(sum(map(mul, xs, ys[1:] + ys[:1])) - sum(map(mul, ys, xs[1:] + xs[:1]))) / 2


def join_outlines(parts: Sequence[Points]) -> Points:
    """Several polygons of one object as one, connected between near points there and back (as in ultralytics'
    `merge_multi_segment`): YOLO has one polygon per object.
    """
    joined = list(parts[0])
    for part in parts[1:]:
        here, there = nearest_points(joined, part)
        joined[here + 1 : here + 1] = [*part[there:], *part[: there + 1], joined[here]]
    return joined


def nearest_points(first: Points, second: Points) -> tuple[int, int]:
    """The indexes of two near points; of long polygons only some are compared, to limit the time."""
    steps = max(1, len(first) // 64), max(1, len(second) // 64)
    pairs = ((a, b) for a in range(0, len(first), steps[0]) for b in range(0, len(second), steps[1]))
    return min(pairs, key=lambda pair: math.dist(first[pair[0]], second[pair[1]]))


def clip_polygon(points: Points, width: float, height: float) -> Points:
    """The part of a polygon inside the image (Sutherland and Hodgman, 1974)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        clipped: Points = []
        for before, after in zip([points[-1], *points[:-1]], points, strict=True):
            inside_before, inside_after = ((p[axis] - limit) * sign >= 0 for p in (before, after))
            if inside_before != inside_after:
                share = (limit - before[axis]) / (after[axis] - before[axis])
                cut = [before[0] + share * (after[0] - before[0]), before[1] + share * (after[1] - before[1])]
                cut[axis] = limit
                clipped.append((cut[0], cut[1]))
            if inside_after:
                clipped.append(after)
        if not clipped:
            return []
        points = clipped
    return points


class RowBuilder:
    """Creates rows from the shapes of one image, and findings for those that cannot be rows.

    Args:
        size: width and height in pixels that the shapes refer to.
        frame: if they do not refer to the displayed image; `size` is then of the image they refer to.
    """

    def __init__(
        self,
        file: str,
        image: str,
        size: tuple[int, int],
        rows: list[Row],
        findings: list[Finding],
        frame: CoordinateFrame | None = None,
    ) -> None:
        self.file, self.image, self.size = file, image, frame.size if frame else size
        self.frame = frame
        self.rows, self.findings = rows, findings

    def note(self, severity: str, code: str, line: int | None, **data: Any) -> None:
        self.findings.append(finding(severity, code, self.file, line, of=self.image, **data))

    def box(self, kind: int, name: str, box: Box, line: int | None) -> None:
        """Add a row for a box; its sides in any order."""
        clipped = self.clipped_box(name, self.frame.box(box) if self.frame else box, line)
        if clipped:
            self.rows.append(Row(box_text(kind, clipped, self.size), self.file, line))

    def displayed_points(self, points: Points) -> Points:
        """Points in the displayed image."""
        return [self.frame.point(x, y) for x, y in points] if self.frame else points

    def clipped_box(self, name: str, box: Box, line: int | None) -> Box | None:
        """The part of a box inside the image; None with a finding if there is none."""
        left, right = sorted((box[0], box[2]))
        top, bottom = sorted((box[1], box[3]))
        if not all(map(math.isfinite, box)):
            self.note("warning", "object_no_number", line, name=printable_name(name))
            return None
        if right <= left or bottom <= top:
            self._note_degenerate(name, line, right - left, bottom - top)
            return None
        cut = max(left, 0.0), max(top, 0.0), min(right, float(self.size[0])), min(bottom, float(self.size[1]))
        if cut[2] <= cut[0] or cut[3] <= cut[1]:
            self.note("warning", "object_outside", line, name=printable_name(name))
            return None
        over = max(abs(a - b) for a, b in zip(cut, (left, top, right, bottom), strict=True))
        if over > EDGE:
            self.note("info", "object_clipped", line, name=printable_name(name), pixels=format_number(round(over, 2)))
        return cut

    def _note_degenerate(self, name: str, line: int | None, width: float, height: float) -> None:
        values = {"name": printable_name(name), "width": format_number(width), "height": format_number(height)}
        self.note("warning", "object_degenerate", line, **values)

    def polygon(self, kind: int, name: str, points: Points, line: int | None) -> None:
        """Add a row for a polygon."""
        points = self.displayed_points(points)
        points = points[:-1] if len(points) > 3 and points[0] == points[-1] else points
        if points and not sum(abs(x) + abs(y) for x, y in points) < MAX_COORDINATE * len(
            points
        ):  # one nan makes the sum nan
            self.note("warning", "object_no_number", line, name=printable_name(name))
            return
        if len(points) < 3 or area(points) <= 0:
            left, top, right, bottom = bounding_box(points) if points else (0.0, 0.0, 0.0, 0.0)
            self._note_degenerate(name, line, right - left, bottom - top)
            return
        left, top, right, bottom = bounding_box(points)
        over = max(-left, -top, right - self.size[0], bottom - self.size[1])
        if over > 0:
            points = clip_polygon(points, *self.size)
            if len(points) < 3 or area(points) <= 0:
                self.note("warning", "object_outside", line, name=printable_name(name))
                return
            if over > EDGE:
                self.note(
                    "info", "object_clipped", line, name=printable_name(name), pixels=format_number(round(over, 2))
                )
        self.rows.append(Row(points_text(kind, points, self.size), self.file, line))

    def corners(self, kind: int, name: str, points: Points, line: int | None) -> None:
        """Add a row for an oriented box: corners outside are moved onto the edge rather than clipped, since it must
        have four.
        """
        points = self.displayed_points(points)
        flat = [value for point in points for value in point]
        if all(map(math.isfinite, flat)) and area(points) <= 0:
            points = [points[0]] * 4  # a line has no area, even if its bounding box has
        if self.clipped_box(name, bounding_box(points) if all(map(math.isfinite, flat)) else (math.nan,) * 4, line):
            inner = [(min(max(x, 0.0), self.size[0]), min(max(y, 0.0), self.size[1])) for x, y in points]
            self.rows.append(Row(points_text(kind, inner, self.size), self.file, line))

    def pose(self, kind: int, name: str, box: Box, points: list[tuple[float, float, int]], line: int | None) -> None:
        """Add a row for a box with keypoints; those outside the image or invisible are 0 0 0."""
        clipped = self.clipped_box(name, self.frame.box(box) if self.frame else box, line)
        if not clipped:
            return
        width, height = self.size
        points = [(*self.displayed_points([(x, y)])[0], visibility) for x, y, visibility in points]
        columns = [box_text(kind, clipped, self.size)]
        for x, y, visibility in points:
            shows = visibility > 0 and 0 <= x <= width and 0 <= y <= height
            columns.append(
                f"{format_number(x / width)} {format_number(y / height)} {min(visibility, 2)}" if shows else "0 0 0"
            )
        self.rows.append(Row(" ".join(columns), self.file, line))
