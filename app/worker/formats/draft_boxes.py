"""Formats that count in pixels, with boxes as fractions or by other numbers than the format has: judged as a set."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from app.worker.formats import boxes as box_numbers
from app.worker.formats.frames import measure
from app.worker.formats.model import Decision, Options, decision
from app.worker.formats.readings import drawn_box, example, reading, spread
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

if TYPE_CHECKING:
    from app.worker.formats.drafts import Draft, Shape

# What the four numbers of a box are.
USUAL = {"createml": "centre", "voc": "corners", "coco": "top_left", "csv": "top_left"}
FRACTION = 1.001  # rounding; no object of a whole set lies in the first pixel of its image
FEWEST = 5  # shapes: fewer may be specks in a corner
IMAGES = 300  # that are looked at
NEARLY_ALL = 0.95

Size = tuple[int, int]
Numbers = tuple[float, float, float, float]

# The four numbers of a box as a format has it, from its sides.
WRITERS = {
    "centre": lambda b: ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]),
    "corners": lambda b: b,
    "top_left": lambda b: (b[0], b[1], b[2] - b[0], b[3] - b[1]),
}


def are_fractions(values: Sequence[Sequence[float]], chosen: str | None) -> bool:
    """Whether the places of a set are fractions of their images."""
    finite = [entry for entry in values if entry and all(map(math.isfinite, entry))]
    if chosen or not finite:
        return chosen == "fractions"
    small = sum(max(map(abs, entry)) <= FRACTION for entry in finite)
    return len(finite) >= FEWEST and small >= NEARLY_ALL * len(finite)


def tell_boxes(
    judged: box_numbers.Judged, sample: Sequence[tuple[str, int, Numbers]], options: Options
) -> Decision:  # fmt: skip
    """The decision on the boxes of a set.

    Args:
        sample: image, class, and the four numbers in fractions of the image.
    """
    ways = [judged.reading, *judged.others]
    rows: dict[str, list[tuple[int, Numbers]]] = {}
    for image, number, values in sample:
        rows.setdefault(image, []).append((number, values))
    examples = [
        example(image, {way: [drawn_box(number, box_numbers.centred(values, way)) for number, values in rows[image]]
                        for way in ways})
        for image in spread(list(rows))
    ]  # fmt: skip
    data = {"boxes": judged.boxes, "outside": judged.outside}
    return reading("boxes", judged.reading, judged.others, options, examples, **data)


class Drafts:
    """The drafts of one dataset.

    Args:
        usual: what the four numbers of a box are in their format; None where each number has a name.
    """

    def __init__(
        self, tree: Tree, drafts: Sequence["Draft"], numbers: Mapping[str, int], options: Options, usual: str | None
    ) -> None:
        self.tree, self.drafts, self.numbers, self.options, self.usual = tree, drafts, numbers, options, usual
        self.sizes: dict[str, Size | None] = {}

    def judge(self) -> list[Decision]:
        """Read the shapes as they are meant; what was decided."""
        told = []
        labelled = [draft for draft in self.drafts if draft.shapes]
        looked_at = spread(labelled, IMAGES)
        values = [shape.values for draft in looked_at if not draft.fractions for shape in draft.shapes]
        fractions = are_fractions(values, self.options.chosen("unit"))
        if fractions:
            told.append(decision("unit_fractions"))
        if self.usual:
            told += self.boxes(self.usual, looked_at, fractions)
        for draft in labelled:
            draft.fractions = draft.fractions or fractions
        return told

    def boxes(self, usual: str, looked_at: Sequence["Draft"], fractions: bool) -> list[Decision]:
        """The four numbers of boxes."""
        sample = []
        for draft in looked_at:
            size = (1, 1) if fractions or draft.fractions else self.size(draft)
            for shape in draft.shapes if size else ():
                if shape.kind == "box" and all(map(math.isfinite, shape.values)):
                    sample.append(
                        (draft.image, self.numbers.get(shape.name, 0), self.raw(shape, usual, size or (1, 1)))
                    )
        judged = box_numbers.judge([values for *_, values in sample], usual, self.options.chosen("boxes"))
        if not sample or not judged.doubtful:
            return []
        if judged.reading != usual:
            self.read_again(usual, judged.reading)
        return [tell_boxes(judged, sample, self.options)]

    def raw(self, shape: "Shape", usual: str, size: Size) -> Numbers:
        """The four numbers as the file has them, in fractions of the image."""
        first, second, third, fourth = WRITERS[usual](shape.values)
        return first / size[0], second / size[1], third / size[0], fourth / size[1]

    def read_again(self, usual: str, way: str) -> None:
        for draft in self.drafts:
            for shape in draft.shapes:
                if shape.kind == "box":
                    shape.values = box_numbers.sides(WRITERS[usual](shape.values), way)

    def size(self, draft: "Draft") -> Size | None:
        """The size that the places of a draft are fractions of, or are judged by."""
        if draft.image not in self.sizes:
            found = measure(draft.size, self.tree.pictures.get(draft.image))
            self.sizes[draft.image] = found or image_size(self.tree.path(draft.image))
        return self.sizes[draft.image]
