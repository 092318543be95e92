"""The meaning of the rows of a YOLO dataset, and their conversion to standard YOLO. Files with standard rows stay
linked unchanged. It is inferred over the entire set by meaning_inference.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.core.shapes import DrawnObject
from app.worker.formats import box_numbers, row_columns, row_units
from app.worker.formats.coordinate_frames import TURNS
from app.worker.formats.geometry import format_number, rotated_box
from app.worker.formats.model import Row, Source
from app.worker.formats.readings import drawn_box, drawn_points
from app.worker.formats.rows import BOX, LabelRow, parse
from app.worker.formats.sizes import DisplayedSize, read_size
from app.worker.formats.tree import Tree

Size = tuple[int, int] | None
PIXELS = ("pixels", row_units.MIXED)  # units that need the sizes of images


@dataclass(frozen=True)
class Meaning:
    """The meaning of rows; the defaults are YOLO's."""

    columns: row_columns.RowColumns = field(default_factory=row_columns.RowColumns)
    boxes: str = "centre"
    unit: str = "fractions"
    first: int = 0  # number of the first class
    numbers: Mapping[str, int] = field(default_factory=dict)  # of class names in rows, by `key_of`
    odd: frozenset[str] = frozenset()  # label files with more than plain numbers
    angle: float = 1.0  # degrees per unit
    last: bool = False  # the class is the last column
    stored: bool = False  # pixels refer to the stored image, not to the displayed one
    second: bool = False  # a confidence is between the class and the box

    @property
    def usual(self) -> bool:
        """Whether files of plain numbers can stay unchanged."""
        return not (self.moved or self.first or self.last or self.second or self.columns.extra or self.columns.dropped)

    def arranged(self, rows: Sequence[LabelRow]) -> list[LabelRow]:
        """The rows with their class first, directly before the box."""
        arranged = [row if row.named or not self.last else row.turned() for row in rows]
        return [row.without_second() if self.second and len(row.columns) > BOX else row for row in arranged]

    @property
    def tilted(self) -> float:
        """Degrees per unit of the angle after each box; 0 without angles."""
        return self.angle if self.columns.dropped == "angle" else 0.0

    @property
    def sized(self) -> bool:
        """Whether converting rows requires the sizes of their images."""
        return self.unit in PIXELS or bool(self.tilted)

    def of_row(self, values: Sequence[float]) -> "Meaning":
        """The meaning of a single row, by its box: rows in fractions among rows in pixels are standard."""
        if self.unit != row_units.MIXED:
            return self
        unit = row_units.of_row(values if self.columns.kind == "polygon" else values[: BOX - 1])
        return replace(self, unit=unit, boxes=self.boxes if unit == "pixels" else "centre")

    @property
    def moved(self) -> bool:
        return self.boxes != "centre" or self.unit != "fractions"

    def frame(self, displayed: DisplayedSize | None) -> tuple[Size, int]:
        """The size that an image's coordinates refer to, and the rotation from there."""
        if displayed is None or not self.stored:
            return (displayed.size if displayed else None), 1
        return displayed.stored, displayed.turn

    def span(self, row: LabelRow) -> list[float]:
        """The four numbers of a box; for a polygon, the corners of its bounding box."""
        values = row.values or []
        if self.columns.kind != "polygon" or len(values) <= BOX + 1:
            return values[1:BOX]
        points = values[1 : len(values) - self.columns.extra]
        return [min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])]

    def normalize(self, values: Sequence[float], size: Size, turn: int = 1) -> list[float]:
        """The numbers after the class as in YOLO: fractions, boxes by their center; `turn`: see `frame`."""
        if self.unit == row_units.MIXED:
            extra = self.columns.extra if self.columns.kind == "polygon" else 0
            return self.of_row(values[: len(values) - extra]).normalize(values, size, turn)
        kind, (count, dimensions) = self.columns.kind, self.columns.keypoints
        body = list(values[: len(values) - self.columns.extra] if kind == "polygon" else values)
        body = body[: BOX - 1 + (count * dimensions if kind == "keypoints" else 0)] if kind != "polygon" else body
        divisor = row_units.divisor(self.unit, size)
        if kind != "polygon" and self.boxes != "centre" and len(body) >= BOX - 1:
            body[: BOX - 1] = box_numbers.centred(body[: BOX - 1], self.boxes)
        if self.unit != "fractions" and divisor:
            body = fractions(body, divisor, dimensions if kind == "keypoints" else 0)
        return turned_coordinates(body, turn, kind, dimensions) if turn > 1 else body

    def draw(self, row: LabelRow, size: Size, turn: int = 1) -> DrawnObject | None:
        """The row for drawing."""
        values = row.values or []
        if len(values) < BOX:
            return None
        number, body = int(values[0]) - self.first, self.normalize(values[1:], size, turn)
        if self.columns.kind == "polygon" and len(values) > BOX + 1:
            return drawn_points(number, "polygon", body)
        drawn = drawn_box(number, body[: BOX - 1])
        if self.columns.kind == "keypoints" and self.columns.keypoints[1]:
            step = self.columns.keypoints[1]
            rest = [round(value, 5) for value in body[BOX - 1 :]]
            drawn |= {"kind": "keypoints", "points": [rest[at : at + step] for at in range(0, len(rest), step)]}
        return drawn

    def text(self, row: LabelRow, size: Size, turn: int = 1) -> str:
        """The row in YOLO's form; one that is not numeric stays unchanged, and is reported later."""
        if row.values is None or len(row.values) < BOX or not row.values[0].is_integer():
            return row.text
        number = int(row.values[0]) - self.first
        if self.columns.kind == "polygon" and len(row.values) <= BOX + 1:  # a box among polygons
            if self.of_row(row.values[1:BOX]).unit == "fractions":
                return " ".join([str(number), *row.columns[1:]])
            return replace(self, columns=row_columns.RowColumns()).text(row, size, turn)
        body = self.normalize(row.values[1:], size, turn)
        if self.tilted and size and len(row.values) > BOX:
            body = tilt(body, row.values[BOX], self.tilted, size)
            return " ".join([str(number), *map(format_number, body)])
        rest = map(format_number, body) if self.moved else row.columns[1 : len(body) + 1]
        return " ".join([str(number), *rest])


def fractions(values: Sequence[float], size: tuple[int, int], dimensions: int) -> list[float]:
    """Pixels as fractions; with keypoint visibilities, every third number stays."""
    scaled = [value / size[index % 2] for index, value in enumerate(values[: BOX - 1])]
    for index, value in enumerate(values[BOX - 1 :]):
        axis = index % dimensions if dimensions else index % 2
        scaled.append(value / size[axis] if axis < 2 else value)
    return scaled


def turned_coordinates(values: Sequence[float], turn: int, kind: str, dimensions: int) -> list[float]:
    """Fractions of the stored image as fractions of the displayed one; a missing keypoint stays at 0 0."""
    point = TURNS[turn]
    turned, start = list(values), 0
    if kind != "polygon":
        start = BOX - 1
        left, top, right, bottom = box_numbers.sides(values[:start], "centre")
        (x1, y1), (x2, y2) = point(left, top, 1, 1), point(right, bottom, 1, 1)
        turned[:start] = [(x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1), abs(y2 - y1)]
    for at in range(start, len(turned) - 1, dimensions if kind == "keypoints" and dimensions else 2):
        if kind != "keypoints" or values[at] or values[at + 1]:
            turned[at : at + 2] = point(values[at], values[at + 1], 1, 1)
    return turned


def tilt(box: Sequence[float], angle: float, unit: float, size: tuple[int, int]) -> list[float]:
    """The four corners of a box rotated clockwise by an angle, as fractions of its image."""
    x, y, width, height = (value * size[index % 2] for index, value in enumerate(box[: BOX - 1]))
    flat = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return [part for px, py in rotated_box(flat, angle * unit) for part in (px / size[0], py / size[1])]


def apply(tree: Tree, source: Source, meaning: Meaning) -> None:
    """Rewrite the rows, unless they are standard."""
    for item in source.items:
        if item.label is None or (meaning.usual and item.label not in meaning.odd):
            continue
        parsed = parse(tree.path(item.label).read_bytes(), meaning.numbers)
        rows = meaning.arranged(parsed.rows)
        if (not rows and not parsed.lines.mended) or (meaning.usual and parsed.stays):
            continue
        size, turn = meaning.frame(read_size(tree.path(item.image)) if meaning.sized else None)
        item.rows = [Row(meaning.text(row, size, turn), item.label, row.line) for row in rows]
        item.label = None
