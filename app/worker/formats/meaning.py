"""What the rows of a YOLO dataset mean, and the rows written as YOLO has them.

    meaning = judge(tree, source, known, options)      over the whole set, with its decisions in `source`
    apply(tree, source, meaning)                        other rows where they are meant otherwise

Files whose rows need nothing stay linked as they came.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.worker.formats import boxes as box_numbers
from app.worker.formats import columns as row_columns
from app.worker.formats.geometry import plain, turned
from app.worker.formats.model import Item, Options, Row, Source, decision
from app.worker.formats.names import checked
from app.worker.formats.readings import Drawn, drawn_box, drawn_points, example, reading, spread
from app.worker.formats.rows import BOX, LabelRow, is_odd, key_of, parse
from app.worker.formats.sizes import image_size
from app.worker.formats.survey import Survey, survey
from app.worker.formats.tree import Tree

Size = tuple[int, int] | None
TURN = 2 * math.pi  # radians


@dataclass(frozen=True)
class Meaning:
    """What rows mean; the defaults are YOLO's."""

    columns: row_columns.Columns = field(default_factory=row_columns.Columns)
    boxes: str = "centre"
    unit: str = "fractions"
    first: int = 0  # number of the first class
    numbers: Mapping[str, int] = field(default_factory=dict)  # of classes that rows name, by `key_of`
    odd: frozenset[str] = frozenset()  # label files that are no plain numbers
    angle: float = 1.0  # degrees of a unit

    @property
    def usual(self) -> bool:
        """Whether files of plain numbers can stay as they are."""
        return not (self.moved or self.first or self.columns.extra or self.columns.dropped)

    @property
    def tilted(self) -> float:
        """Degrees of a unit of the angle behind each box; 0 where there is none."""
        return self.angle if self.columns.dropped == "angle" else 0.0

    @property
    def sized(self) -> bool:
        """Whether rows can only be written with the sizes of their images."""
        return self.unit == "pixels" or bool(self.tilted)

    @property
    def moved(self) -> bool:
        return self.boxes != "centre" or self.unit != "fractions"

    def place(self, values: Sequence[float], size: Size) -> list[float]:
        """The numbers behind the class as YOLO has them: fractions, boxes by their centre."""
        kind, (count, dimensions) = self.columns.kind, self.columns.keypoints
        body = list(values[: len(values) - self.columns.extra] if kind == "polygon" else values)
        body = body[: BOX - 1 + (count * dimensions if kind == "keypoints" else 0)] if kind != "polygon" else body
        if self.unit == "pixels" and size:
            body = fractions(body, size, dimensions if kind == "keypoints" else 0)
        if kind != "polygon" and self.boxes != "centre" and len(body) >= BOX - 1:
            body[: BOX - 1] = box_numbers.centred(body[: BOX - 1], self.boxes)
        return body

    def draw(self, row: LabelRow, size: Size) -> Drawn | None:
        """The row as the pages draw it."""
        values = row.values or []
        if len(values) < BOX:
            return None
        number, body = int(values[0]) - self.first, self.place(values[1:], size)
        if self.columns.kind == "polygon" and len(values) > BOX + 1:
            return drawn_points(number, "polygon", body)
        drawn = drawn_box(number, body[: BOX - 1])
        if self.columns.kind == "keypoints" and self.columns.keypoints[1]:
            step = self.columns.keypoints[1]
            rest = [round(value, 5) for value in body[BOX - 1 :]]
            drawn |= {"kind": "keypoints", "points": [rest[at : at + step] for at in range(0, len(rest), step)]}
        return drawn

    def text(self, row: LabelRow, size: Size) -> str:
        """The row as YOLO has it; one that is no numbers stays, to be found later."""
        if row.values is None or len(row.values) < BOX or not row.values[0].is_integer():
            return row.text
        number = int(row.values[0]) - self.first
        if self.columns.kind == "polygon" and len(row.values) <= BOX + 1:  # a box among outlines
            return " ".join([str(number), *row.columns[1:]])
        body = self.place(row.values[1:], size)
        if self.tilted and size and len(row.values) > BOX:
            body = tilt(body, row.values[BOX], self.tilted, size)
            return " ".join([str(number), *map(plain, body)])
        rest = map(plain, body) if self.moved else row.columns[1 : len(body) + 1]
        return " ".join([str(number), *rest])


def fractions(values: Sequence[float], size: tuple[int, int], dimensions: int) -> list[float]:
    """Pixels as fractions; of keypoints with a visibility each third number stays."""
    made = [value / size[place % 2] for place, value in enumerate(values[: BOX - 1])]
    for place, value in enumerate(values[BOX - 1 :]):
        axis = place % dimensions if dimensions else place % 2
        made.append(value / size[axis] if axis < 2 else value)
    return made


def tilt(box: Sequence[float], angle: float, unit: float, size: tuple[int, int]) -> list[float]:
    """The four corners of a box that is turned clockwise by an angle, in fractions of its image."""
    x, y, width, height = (value * size[place % 2] for place, value in enumerate(box[: BOX - 1]))
    flat = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return [part for px, py in turned(flat, angle * unit) for part in (px / size[0], py / size[1])]


class Judge:
    """Decides what the rows of one dataset mean."""

    def __init__(self, tree: Tree, source: Source, keypoints: Mapping[str, Any] | None, options: Options) -> None:
        self.tree, self.source, self.options = tree, source, options
        self.keypoints = keypoints
        self.sizes: dict[str, Size] = {}

    def judge(self) -> Meaning:
        numbers = {key_of(name): number for number, name in reversed(list(enumerate(self.source.names)))}
        found = survey(self.tree, self.source.items, numbers)
        meaning = self.named(found, Meaning(numbers=numbers, odd=frozenset(found.odd)))
        meaning = replace(meaning, columns=self.columns(found))
        if meaning.columns.dropped == "angle":
            angles = [abs(row.values[BOX]) for _, row in found.sample if row.values and len(row.values) > BOX]
            meaning = replace(meaning, angle=math.degrees(1) if max(angles) <= TURN else 1.0)
        meaning = self.placed(found, meaning)
        return self.counted(found, meaning)

    def named(self, found: Survey, meaning: Meaning) -> Meaning:
        """Classes by their names in rows, and commas."""
        told = self.source.decisions
        if found.comma_rows:
            told.append(decision("rows_commas", count=found.comma_rows))
        if not found.named_rows:
            return meaning
        told.append(decision("rows_named", count=found.named_rows))
        if not self.source.names and not found.bare_rows:
            self.source.names = checked(sorted(found.names), self.options.max_classes, "labels")
            told.append(decision("names_sorted", "names", count=len(found.names)))
            numbers = {key_of(name): number for number, name in enumerate(self.source.names)}
            return replace(meaning, numbers=numbers)
        return meaning

    def columns(self, found: Survey) -> row_columns.Columns:
        """Boxes, outlines or keypoints, and what is behind them."""
        options, rows = self.options, [row.values or [] for _, row in found.sample]
        known = tuple(self.keypoints["kpt_shape"]) if self.keypoints else None
        wished = {"segment": "polygon", "obb": "polygon"}.get(options.task)
        chosen = options.chosen("columns")
        columns = row_columns.judge(rows, known, chosen or (None if known else wished))
        if columns.dropped:
            self.source.decisions.append(decision(f"columns_{columns.dropped}"))
        if columns.kind == "keypoints" and columns.keypoints != known and (columns.certain or known):
            count, dimensions = columns.keypoints
            code = "keypoints_other" if known else "keypoints_found"
            self.source.decisions.append(decision(code, "task", count=count, dimensions=dimensions))
        elif columns.others and (chosen or not (wished or columns.kind == "polygon")):
            self.tell_columns(found, columns, rows, known)
        return columns

    def tell_columns(self, found: Survey, columns: row_columns.Columns, rows: Any, known: Any) -> None:
        ways = {columns.kind: columns} | {kind: row_columns.judge(rows, known, kind) for kind in columns.others}
        examples = self.examples(found, {kind: Meaning(columns=way) for kind, way in ways.items()})
        data = {"count": columns.keypoints[0], "columns": max(map(len, rows))}
        self.source.decisions.append(reading("columns", columns.kind, columns.others, self.options, examples, **data))

    def placed(self, found: Survey, meaning: Meaning) -> Meaning:
        """The unit, and what the four numbers of boxes are."""
        sample = [(item, row) for item, row in found.sample if len(row.values or []) >= BOX]
        pixels = sum(max((row.values or [])[1:BOX]) > row_columns.PIXELS for _, row in sample)
        unit = self.options.chosen("unit") or ("pixels" if pixels > len(sample) / 2 else "fractions")
        if unit == "pixels":
            meaning = replace(meaning, unit=unit)
            self.source.decisions.append(decision("unit_pixels"))
        if meaning.columns.kind == "polygon" or not sample:
            return meaning
        rows = [self.box(item, row, unit) for item, row in sample]
        usual = None if unit == "pixels" else "centre"
        judged = box_numbers.judge([row for row in rows if row], usual, self.options.chosen("boxes"))
        if judged.doubtful:
            ways = {way: replace(meaning, boxes=way) for way in [judged.reading, *judged.others]}
            outlying = [(item, row) for (item, row), box in zip(sample, rows, strict=True)
                        if box and not box_numbers.fits(box, "centre")]  # fmt: skip
            examples = self.examples(found, ways, outlying)
            data = {"boxes": judged.boxes, "outside": judged.outside}
            told = reading("boxes", judged.reading, judged.others, self.options, examples, **data)
            self.source.decisions.append(told)
        return replace(meaning, boxes=judged.reading)

    def box(self, item: Item, row: LabelRow, unit: str) -> list[float] | None:
        values = (row.values or [])[1:BOX]
        if unit == "fractions":
            return values
        size = self.size(item.image)
        return fractions(values, size, 0) if size else None

    def counted(self, found: Survey, meaning: Meaning) -> Meaning:
        """Whether classes are counted from 1: no row has class 0, and the largest number is one too large."""
        chosen, count = self.options.chosen("classes"), len(self.source.names)
        from_one = bool(found.classes) and 0 not in found.classes and not found.named_rows and (
            found.largest == count if count else found.from_one and found.largest < self.options.max_classes
        )  # fmt: skip
        if not from_one and not chosen:
            return meaning
        taken = chosen or "one_based"
        ways = {"zero_based": meaning, "one_based": replace(meaning, first=1)}
        others = [way for way in ways if way != taken]
        told = reading("classes", taken, others, self.options, self.examples(found, ways), largest=found.largest)
        self.source.decisions.append(told)
        if taken == "one_based" and not count and found.largest > 0:
            self.source.names = [f"class_{number}" for number in range(1, found.largest + 1)]
            self.source.decisions.append(decision("classes_unnamed", "names", last=found.largest))
        return ways[taken]

    def size(self, image: str) -> Size:
        if image not in self.sizes:
            self.sizes[image] = image_size(self.tree.path(image))
        return self.sizes[image]

    def examples(
        self, found: Survey, ways: Mapping[str, Meaning], first: Sequence[tuple[Item, LabelRow]] = ()
    ) -> list[dict[str, Any]]:
        """Some images in each way; those that tell the ways apart, where they are known, before others."""
        rows: dict[str, list[LabelRow]] = {}
        for item, row in found.sample:
            rows.setdefault(item.image, []).append(row)
        telling = list(dict.fromkeys(item.image for item, _ in first))
        images = list(dict.fromkeys([*spread(telling), *spread(list(rows))]))
        return [self.drawn(image, rows[image], ways) for image in images]

    def drawn(self, image: str, rows: Sequence[LabelRow], ways: Mapping[str, Meaning]) -> dict[str, Any]:
        def objects(way: Meaning) -> list[Drawn]:
            size = self.size(image) if way.unit == "pixels" else None
            return [shape for row in rows if (shape := way.draw(row, size))]

        return example(image, {name: objects(way) for name, way in ways.items()})


def apply(tree: Tree, source: Source, meaning: Meaning) -> None:
    """Write the rows anew where they are meant otherwise than YOLO reads them."""
    for item in source.items:
        if item.label is None or (meaning.usual and item.label not in meaning.odd):
            continue
        raw = tree.path(item.label).read_bytes()
        rows = parse(raw, meaning.numbers)
        if not rows or (meaning.usual and is_odd(raw) and not any(row.commas or row.named for row in rows)):
            continue
        size = image_size(tree.path(item.image)) if meaning.sized else None
        item.rows = [Row(meaning.text(row, size), item.label, row.line) for row in rows]
        item.label = None
