"""Detects boxes in fractions, or in another reading, in formats that normally use pixels: judged over the
entire set.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from app.core.shapes import DrawnObject
from app.worker.formats import box_numbers, row_units
from app.worker.formats.coordinate_frames import measure
from app.worker.formats.model import Decision, Options, decision
from app.worker.formats.readings import drawn_box, example, reading, spread
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

if TYPE_CHECKING:
    from app.worker.formats.drafts import Draft, DraftShape

# The meaning of a box's four numbers.
USUAL = {"createml": "centre", "voc": "corners", "coco": "top_left", "csv": "top_left"}
FRACTION = 1.001  # allows rounding; in pixels, some object of a set lies beyond the first pixel of its image
FEWEST = 5  # shapes: fewer may be specks in a corner
IMAGES = 300  # that are sampled
NEARLY_ALL = 0.95

Size = tuple[int, int]
Numbers = tuple[float, float, float, float]

# The four numbers of a box in a format, from its sides.
WRITERS = {
    "centre": lambda b: ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]),
    "corners": lambda b: b,
    "top_left": lambda b: (b[0], b[1], b[2] - b[0], b[3] - b[1]),
}


def is_small(values: Sequence[float]) -> bool:
    return max(map(abs, values)) <= FRACTION


def are_fractions(values: Sequence[Sequence[float]], chosen: str | None) -> bool:
    """Whether the coordinates of a set are fractions of their images."""
    finite = [entry for entry in values if entry and all(map(math.isfinite, entry))]
    if chosen or not finite:
        return chosen == "fractions"
    small = sum(map(is_small, finite))
    return len(finite) >= FEWEST and small >= NEARLY_ALL * len(finite)


def infer_unit(boxes: Sequence[tuple[Sequence[float], Size]], chosen: str | None) -> row_units.Unit:
    """The unit of a set's coordinates, and alternatives unless it is nearly certain.

    Args:
        boxes: the numbers of each in its format, with the size of its image in pixels.
        chosen: by a person.
    """
    if are_fractions([values for values, _ in boxes], None):
        likely = row_units.Unit("fractions", [])
    elif row_units.is_mixed(boxes):
        likely = row_units.Unit(row_units.MIXED, ["pixels", "fractions"])
    else:
        scale = row_units.smaller_scale(boxes)
        likely = row_units.Unit(scale, ["pixels"]) if scale else row_units.Unit("pixels", [])
    if chosen in {None, likely.name}:
        return likely
    return row_units.Unit(str(chosen), [name for name in (likely.name, *likely.alternatives) if name != chosen])


def unit_decision(
    judged: row_units.Unit, sample: Sequence[tuple[str, int, Sequence[float], Size]], way: str, options: Options
) -> list[Decision]:
    """The decision on the unit of a set, unless it is certainly pixels.

    Args:
        sample: image, class, and the numbers of its box in the reading `way`, with the size of its image.
    """
    if not judged.alternatives:
        return [decision("unit_fractions")] if judged.name == "fractions" else []
    rows: dict[str, list[tuple[int, Sequence[float], Size]]] = {}
    for image, number, values, size in sample:
        rows.setdefault(image, []).append((number, values, size))

    def drawn(image: str, unit: str) -> list[DrawnObject]:
        boxes = ((number, in_unit(values, size, unit)) for number, values, size in rows[image])
        return [drawn_box(number, box_numbers.centred(values, way)) for number, values in boxes]

    ways = [judged.name, *judged.alternatives]
    images = spread(sorted(rows, key=lambda image: max(max(values) for _, values, _ in rows[image])))
    examples = [example(image, {unit: drawn(image, unit) for unit in ways}) for image in images]
    data = {"pixels": sum(row_units.of_row(values) == "pixels" for *_, values, _ in sample), "rows": len(sample)}
    return [reading("unit", judged.name, judged.alternatives, options, examples, **data)]


def in_unit(values: Sequence[float], size: Size, unit: str) -> list[float]:
    """The numbers of a box as fractions of its image."""
    unit = row_units.of_row(values) if unit == row_units.MIXED else unit
    across, down = {"fractions": (1, 1), "pixels": size, **row_units.SCALES}[unit]
    return [value / (down if index % 2 else across) for index, value in enumerate(values)]


def box_decision(
    judged: box_numbers.BoxReading, sample: Sequence[tuple[str, int, box_numbers.Numbers]], options: Options
) -> Decision:
    """The decision on the reading of a set's boxes.

    Args:
        sample: image, class, and the four numbers as fractions of the image.
    """
    ways = [judged.reading, *judged.alternatives]
    rows: dict[str, list[tuple[int, box_numbers.Numbers]]] = {}
    for image, number, values in sample:
        rows.setdefault(image, []).append((number, values))
    examples = [
        example(
            image,
            {
                way: [drawn_box(number, box_numbers.centred(values, way)) for number, values in rows[image]]
                for way in ways
            },
        )
        for image in spread(list(rows))
    ]
    data = {"boxes": judged.boxes, "outside": judged.outside}
    return reading("boxes", judged.reading, judged.alternatives, options, examples, **data)


class DraftSet:
    """The drafts of one dataset.

    Args:
        usual: the format's reading of a box's four numbers; None if each number has a name.
    """

    def __init__(
        self, tree: Tree, drafts: Sequence["Draft"], numbers: Mapping[str, int], options: Options, usual: str | None
    ) -> None:
        self.tree, self.drafts, self.numbers, self.options, self.usual = tree, drafts, numbers, options, usual
        self.sizes: dict[str, Size | None] = {}

    def infer_boxes(self) -> list[Decision]:
        """Determine the reading of the shapes, and apply it; the decisions."""
        labelled = [draft for draft in self.drafts if draft.shapes]
        sampled = spread(labelled, IMAGES)
        usual = self.usual or "corners"
        sample = list(self.numbers_of(sampled, usual))
        judged = infer_unit([(box, size) for *_, box, size in sample], self.options.chosen("unit"))
        self.convert_all_units(labelled, judged.name)
        way, decisions = self.boxes(self.usual, sampled) if self.usual else (usual, [])
        return unit_decision(judged, sample, way, self.options) + decisions

    def convert_all_units(self, labelled: Sequence["Draft"], unit: str) -> None:
        """Convert coordinates that are not in pixels to fractions."""
        for draft in labelled if unit != "pixels" else ():
            if not draft.fractions:
                self.convert_unit(draft, unit)

    def numbers_of(self, sampled: Sequence["Draft"], usual: str) -> Iterator[tuple[str, int, Numbers, Size]]:
        """Image, class, the four numbers of its format and image size of each object that may be in pixels."""
        for draft in sampled:
            size = (1, 1) if draft.fractions or not draft.shapes else self.size(draft) or (1, 1)
            for shape in draft.shapes if not draft.fractions else ():
                if shape.values and all(map(math.isfinite, shape.values)):
                    yield draft.image, self.numbers.get(shape.name, 0), WRITERS[usual](shape.box()), size

    def convert_unit(self, draft: "Draft", unit: str) -> None:
        """Convert a draft in this unit to fractions, or to pixels if only some of its objects are fractions."""
        size = self.size(draft) if unit == row_units.MIXED else None
        scale = 1 / row_units.SCALES.get(unit, (1, 1))[0]
        for shape in draft.shapes:
            small = bool(shape.values) and row_units.of_row(shape.values) == "fractions"
            across, down = (scale, scale) if size is None else size if small else (1, 1)
            shape.values = tuple(value * (down if index % 2 else across) for index, value in enumerate(shape.values))
            shape.marks = tuple((x * across, y * down, visibility) for x, y, visibility in shape.marks)
        draft.fractions = unit != row_units.MIXED

    def boxes(self, usual: str, sampled: Sequence["Draft"]) -> tuple[str, list[Decision]]:
        """The reading of the boxes, and the decision that reports it."""
        sample = []
        for draft in sampled:
            size = (1, 1) if draft.fractions else self.size(draft)
            for shape in draft.shapes if size else ():
                if shape.kind == "box" and all(map(math.isfinite, shape.values)):
                    sample.append(
                        (
                            draft.image,
                            self.numbers.get(shape.name, 0),
                            self.numbers_in_file(shape, usual, size or (1, 1)),
                        )
                    )
        judged = box_numbers.infer_reading([values for *_, values in sample], usual, self.options.chosen("boxes"))
        if not sample or not judged.doubtful:
            return usual, []
        if judged.reading != usual:
            self.reinterpret(usual, judged.reading)
        return judged.reading, [box_decision(judged, sample, self.options)]

    def numbers_in_file(self, shape: "DraftShape", usual: str, size: Size) -> box_numbers.Numbers:
        """The four numbers as in the file, as fractions of the image."""
        return box_numbers.scaled(WRITERS[usual](shape.values), size)

    def reinterpret(self, usual: str, way: str) -> None:
        for draft in self.drafts:
            for shape in draft.shapes:
                if shape.kind == "box":
                    shape.values = box_numbers.sides(WRITERS[usual](shape.values), way)

    def size(self, draft: "Draft") -> Size | None:
        """The size that the coordinates of a draft are fractions of, or are judged by."""
        if draft.image not in self.sizes:
            measured = measure(draft.size, self.tree.pictures.get(draft.image))
            self.sizes[draft.image] = measured or image_size(self.tree.path(draft.image))
        return self.sizes[draft.image]
