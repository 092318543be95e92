"""Draws some images of a dataset with each possible meaning of its rows."""

from collections.abc import Mapping, Sequence

from app.core.report import Example
from app.core.shapes import DrawnObject
from app.worker.formats.meaning import PIXELS, Meaning
from app.worker.formats.model import Item
from app.worker.formats.readings import example, spread
from app.worker.formats.rows import LabelRow
from app.worker.formats.sizes import DisplayedSizes

Sample = Sequence[tuple[Item, LabelRow]]


class MeaningExamples:
    """Examples for a person who chooses between meanings.

    Args:
        sizes: of the images.
    """

    def __init__(self, sizes: DisplayedSizes) -> None:
        self.sizes = sizes

    def draw(self, sample: Sample, ways: Mapping[str, Meaning], first: Sample = ()) -> list[Example]:
        """Some images of a sample in each way; those that distinguish the ways come first."""
        rows: dict[str, list[LabelRow]] = {}
        for item, row in sample:
            rows.setdefault(item.image, []).append(row)
        distinctive = list(dict.fromkeys(item.image for item, _ in first))
        images = list(dict.fromkeys([*spread(distinctive), *spread(list(rows))]))
        return [self.example_of(image, rows[image], ways) for image in images]

    def example_of(self, image: str, rows: Sequence[LabelRow], ways: Mapping[str, Meaning]) -> Example:
        def objects(way: Meaning) -> list[DrawnObject]:
            size, turn = way.frame(self.sizes.of(image)) if way.unit in PIXELS else (None, 1)
            return [shape for row in rows if (shape := way.draw(row, size, turn))]

        return example(image, {name: objects(way) for name, way in ways.items()})
