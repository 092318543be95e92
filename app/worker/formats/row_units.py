"""Determines the unit of YOLO rows that are not fractions: pixels, percentages of the image's sides, or thousandths of
them, as language models write boxes. Judged over an entire set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.worker.formats import box_numbers
from app.worker.formats.row_columns import PIXELS

SCALES = {"percent": (100, 100), "thousandths": (1000, 1000)}
SLACK = 1.01
USED = 0.85  # share of the scale that boxes distributed over their images reach
LARGER = 1.15  # images must exceed the scale by this factor, otherwise pixels are indistinguishable
MUCH_LARGER = 2.0
FEWEST = 8  # boxes
MIXED = "fractions_and_pixels"  # decided per row

Size = tuple[int, int]


@dataclass(frozen=True)
class Unit:
    """The unit, and alternatives unless it is nearly certain."""

    name: str
    alternatives: list[str]


def infer_unit(boxes: Sequence[tuple[Sequence[float], Size]]) -> Unit:
    """The unit of these boxes, each four numbers with the size of its image in pixels: pixels, unless those are clearly
    wrong or unlikely, and the boxes cover another scale.
    """
    outside = count_outside([box_numbers.scaled(values, size) for values, size in boxes])
    many = outside > box_numbers.MANY * len(boxes)
    clear = many and outside >= box_numbers.CERTAIN and len(boxes) >= FEWEST
    highest = max((max(values) for values, _ in boxes), default=0)
    for name, scale in SCALES.items():
        fits = count_outside([box_numbers.scaled(values, scale) for values, _ in boxes]) <= box_numbers.FEW * len(boxes)
        if not fits or highest > scale[0] * SLACK:
            continue
        large = all(min(size) > LARGER * scale[0] for _, size in boxes)
        used = highest >= USED * scale[0] and len(boxes) >= FEWEST
        if used and (clear or large):
            return Unit(name, ["pixels"])
        if many:  # too few boxes to decide: a person should check
            return Unit("pixels", [name])
    return Unit("pixels", [])


def smaller_scale(boxes: Sequence[tuple[Sequence[float], Size]]) -> str | None:
    """The scale of boxes in a pixel format, if all of them are in the first quarter of their far larger images, and
    cover that scale.
    """
    for name, scale in SCALES.items():
        if len(boxes) < FEWEST or any(min(size) <= MUCH_LARGER * scale[0] for _, size in boxes):
            continue
        if 2 * sum(max(values) > scale[0] * SLACK for values, _ in boxes[:FEWEST]) > FEWEST:  # early exit for most sets
            continue
        scaled = [box_numbers.scaled(values, scale) for values, _ in boxes]
        if count_outside(scaled) <= box_numbers.FEW * len(boxes) and reach(scaled) >= USED:
            return name
    return None


def reach(boxes: Sequence[Sequence[float]]) -> float:
    """The extent of these boxes in their images, in the best reading."""
    way = min(box_numbers.READERS, key=lambda name: count_outside(boxes, [name]))
    return max((max(box_numbers.sides(box, way)[2:]) for box in boxes), default=0)


def of_row(values: Sequence[float]) -> str:
    """The unit of one box among fractions and pixels."""
    return "pixels" if max(values) > PIXELS else "fractions"


def is_mixed(boxes: Sequence[tuple[Sequence[float], Size]]) -> bool:
    """Whether these are boxes in fractions and others in pixels, several of each; as pixels, the former would be
    smaller than one.
    """
    large = [(values, size) for values, size in boxes if of_row(values) == "pixels"]
    small = [values for values, _ in boxes if max(values) <= SLACK] if len(large) < len(boxes) else []
    if (
        len(large) + len(small) < (1 - box_numbers.FEW) * len(boxes)
        or min(len(large), len(small)) < box_numbers.CERTAIN
    ):
        return False
    few = box_numbers.MANY * len(boxes)
    return (
        min(len(large), len(small)) >= few
        and fits_pixels(large)
        and count_outside([[*values, 1.0] for values in small]) <= few
    )


# Readings that stored pixels of a rotated image do not fit by chance: y first is what its pixels become once it is
# upright.
UPRIGHT_READINGS = tuple(name for name in box_numbers.READERS if name != "corners_yxyx")


def fits_pixels(boxes: Sequence[tuple[Sequence[float], Size]]) -> bool:
    """Whether nearly all of these are pixels of images of these sizes."""
    scaled = [box_numbers.scaled(values, size) for values, size in boxes]
    return count_outside(scaled, UPRIGHT_READINGS) <= box_numbers.FEW * len(boxes)


def count_outside(boxes: Sequence[Sequence[float]], ways: Iterable[str] = box_numbers.READERS) -> int:
    """How many boxes exceed their images in the best reading."""
    return min(sum(not box_numbers.lies_in_image(box, way) for box in boxes) for way in ways)


def divisor(unit: str, size: Size | None) -> Size | None:
    """The divisors of numbers in this unit: horizontal and vertical."""
    return SCALES.get(unit, size)
