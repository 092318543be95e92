"""Checks one label file as ultralytics does: `verify_image_label` in its data/utils.py, release 8.4.

In ultralytics, one invalid row drops the image with all its boxes. Each reason is reported here by line. Standard
library only.
"""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from app.core.numbers import is_number
from app.worker.quality.model import Finding

BOX, POLYGON = 5, 7  # columns: class x y w h; class and at least three points
CORNERS = 9  # class and four points
BOM, UTF16 = b"\xef\xbb\xbf", {b"\xff\xfe", b"\xfe\xff"}
HIGHEST, LOWEST = array("f", [1.01])[0], array("f", [-0.01])[0]  # ultralytics' tolerance, in its float32
SLIGHT = 0.1  # larger excesses outside of 0 to 1 are another unit, or another image's; smaller ones can be clipped
CLASS_TOLERANCE = 0.01  # a class that differs from an integer by no more is that integer
MAX_FOR_ONE_FILE = 50

Row = tuple[int, list[str]]  # line number from 1, columns
Object = tuple[int, array]  # line number from 1; the row in float32


@dataclass
class Labels:
    """The contents of a label file: `usable` is False if ultralytics would drop the image."""

    usable: bool = True
    boxes: Counter[int] = field(default_factory=Counter)  # by class; duplicates once; empty if not usable
    polygons: bool = False
    corners: bool = False  # only polygons of four points: oriented boxes
    findings: list[Finding] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)  # each row of finite numbers once, including invalid ones
    most: int = MAX_FOR_ONE_FILE  # findings

    def add(self, severity: str, code: str, line: int | None = None, **data: Any) -> None:
        if severity == "error":
            self.usable = False
        if len(self.findings) < self.most:
            self.findings.append({"severity": severity, "code": code, "line": line, "data": data})


@dataclass(frozen=True)
class Rules:
    """The requirements for rows.

    `classes` is their number. `task` is None if the rows determine it. `keypoints` and `dimensions` (2, or 3 with
    visibility) are those of data.yaml; 0 without.
    """

    classes: int
    task: str | None = None
    keypoints: int = 0
    dimensions: int = 0

    @property
    def pose(self) -> int:
        """The columns of a row with keypoints."""
        return BOX + self.keypoints * self.dimensions


def judge_bytes(raw: bytes, rules: Rules) -> Labels:
    """Judge the contents of a label file; an empty one belongs to a background image."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        labels = Labels()
        labels.add("error", "label_encoding", encoding="UTF-16" if raw[:2] in UTF16 else "?")
        return labels
    labels = Labels()
    if raw.startswith(BOM):
        labels.add("info", "label_bom")
    return judge_text(text, rules, labels)


def judge_text(text: str, rules: Rules, labels: Labels) -> Labels:
    """Judge rows, and add their contents to `labels`."""
    rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if rules.task == "pose":
        judge_poses(rows, rules, labels)
    else:
        judge_outlines(rows, rules, labels)
    if not labels.usable:
        labels.boxes.clear()
    return labels


def judge_outlines(rows: list[Row], rules: Rules, labels: Labels) -> None:
    """Judge boxes or polygons; of rows with keypoints, only the box."""
    if rules.keypoints:
        rows = [(line, columns[:BOX] if len(columns) == rules.pose else columns) for line, columns in rows]
    labels.polygons = any(len(columns) > 6 for _, columns in rows)
    labels.corners = labels.polygons and all(len(columns) == CORNERS for _, columns in rows)
    judge(rows, rules.classes, labels)
    if rows and not labels.polygons and rules.task in {"segment", "obb"}:
        labels.add("error", "label_box")


def judge_poses(rows: list[Row], rules: Rules, labels: Labels) -> None:
    """Judge boxes with keypoints, for which ultralytics compares the keypoints' coordinates, not the box's, with 1."""
    first_lines: dict[bytes, int] = {}
    for line, columns in rows:
        if len(columns) != rules.pose:
            labels.add("error", "label_keypoints", line, columns=len(columns), expected=rules.pose)
        elif values := numbers(columns, line, labels):
            judge_class(values, line, rules.classes, labels)
            points = [value for index, value in enumerate(values[BOX:]) if index % rules.dimensions < 2]
            judge_range(max(points), min(values[1:]), min(values[3:BOX]), line, labels)
            count(values, line, first_lines, labels)


def judge(rows: list[Row], classes: int, labels: Labels) -> None:
    """Judge each row, and count its box unless it repeats an earlier row."""
    first_lines: dict[bytes, int] = {}
    for line, columns in rows:
        if labels.polygons and len(columns) == BOX:
            labels.add("error", "mixed_rows", line)
        elif not right_columns(len(columns), labels.polygons):
            labels.add("error", "label_columns", line, columns=len(columns))
        elif values := numbers(columns, line, labels):
            judge_values(values, line, classes, labels)
            count(values, line, first_lines, labels)


def count(values: array, line: int, first_lines: dict[bytes, int], labels: Labels) -> None:
    """Count a row, a repeated one only once."""
    first = first_lines.setdefault(values.tobytes(), line)
    if first != line:
        labels.add("warning", "duplicate_row", line, first=first)
    else:
        labels.boxes[int(values[0])] += 1
        labels.objects.append((line, values))


def right_columns(count: int, polygons: bool) -> bool:
    """Whether ultralytics can read a row of that many columns in such a file."""
    return count >= 3 and count % 2 == 1 if polygons else count == BOX


def numbers(columns: list[str], line: int, labels: Labels) -> array | None:
    """The row in float32, as ultralytics compares it."""
    try:
        values = array("f", [float(column) + 0.0 for column in columns])  # + 0.0 removes a negative zero
    except ValueError:
        bad = next(column for column in columns if not is_number(column))
        labels.add("error", "label_not_number", line, value=bad[:40])
        return None
    if not all(map(math.isfinite, values)):
        labels.add("error", "label_nan", line)
        return None
    return values


def judge_values(values: array, line: int, classes: int, labels: Labels) -> None:
    """Check class, range and area of one box or polygon."""
    judge_class(values, line, classes, labels)
    box = box_of(values) if labels.polygons else values[1:]
    if max(box) > HIGHEST:
        labels.add("error", "label_out_of_range", line, value=round(max(values[1:]), 6), **slightly(values))
    elif min(box) < LOWEST or min(box[2:]) < 0:
        labels.add("error", "label_negative", line, value=round(min(values[1:]), 6), **slightly(values))
    elif max(box) > 1 or min(box) < 0:
        labels.add("info", "label_near_range", line)
    if min(box[2:]) == 0:
        labels.add("warning", "degenerate_box", line)


def slightly(values: array) -> dict[str, bool]:
    """Whether excesses can be clipped; a negative width or height cannot."""
    inside = min(values[1:]) >= -SLIGHT and max(values[1:]) <= 1 + SLIGHT
    return {"fixable": inside and (len(values) != BOX or min(values[3:]) >= 0)}


def judge_class(values: array, line: int, classes: int, labels: Labels) -> None:
    if values[0] % 1:
        fixable = abs(values[0] - round(values[0])) <= CLASS_TOLERANCE
        labels.add("error", "class_float", line, value=round(values[0], 6), fixable=fixable)
    elif not 0 <= values[0] < classes:
        labels.add("error", "class_out_of_range", line, value=int(values[0]), last=classes - 1)


def judge_range(highest: float, lowest: float, side: float, line: int, labels: Labels) -> None:
    """Check the range of a row with keypoints: its largest coordinate, its smallest value, the shorter side
    of its box.
    """
    if highest > HIGHEST:
        labels.add("error", "label_out_of_range", line, value=round(highest, 6), fixable=False)
    elif lowest < LOWEST or side < 0:
        labels.add("error", "label_negative", line, value=round(lowest, 6), fixable=False)
    elif highest > 1 or lowest < 0:
        labels.add("info", "label_near_range", line)
    if side == 0:
        labels.add("warning", "degenerate_box", line)


def box_of(values: array) -> array:
    """Center, width and height of a polygon's bounding box."""
    xs, ys = values[1::2], values[2::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return array("f", [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
