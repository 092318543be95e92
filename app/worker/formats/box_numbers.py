"""Determines the meaning of the four numbers of boxes, over an entire set, by how many boxes would exceed
their images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Four numbers as fractions of the image; a fifth one is its aspect ratio, if pixels were divided by alternating sides:
# a reading that combines two numbers of one side needs it.
Numbers = Sequence[float]

TOLERANCE = 0.01  # of the image's side: smaller excesses are rounding or imprecise drawing
FEW = 0.02  # share of the boxes that may exceed their images in the right reading
MANY = 0.1  # share of the boxes from which a reading is doubtful, even if no other one fits
CERTAIN = 3  # boxes

Reader = Callable[[Numbers], tuple[float, float, float, float]]  # left, top, right, bottom

# Left, top, right, bottom from the four numbers; sides in the wrong order indicate another reading.
READERS: dict[str, Reader] = {
    "centre": lambda v: (v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2),
    "corners": lambda v: (v[0], v[1], v[2], v[3]),
    "corners_xxyy": lambda v: (v[0], v[2] * aspect(v), v[1] / aspect(v), v[3]),
    "corners_yxyx": lambda v: (v[1] / aspect(v), v[0] * aspect(v), v[3] / aspect(v), v[2] * aspect(v)),
    "top_left": lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3]),
}


def aspect(values: Numbers) -> float:
    return values[4] if len(values) > 4 else 1.0


def scaled(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    """Four pixel values as `Numbers`."""
    return [*(value / size[index % 2] for index, value in enumerate(values)), size[0] / size[1]]


@dataclass(frozen=True)
class BoxReading:
    """A reading of the boxes, and at least one alternative for a person to compare.

    `outside` of `boxes` would exceed their images as center and size, which is what the texts report.
    """

    reading: str
    alternatives: list[str]
    boxes: int
    outside: int
    doubtful: bool  # whether a person should check it


def sides(values: Numbers, reading: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    return READERS[reading](values)


def centred(values: Numbers, reading: str) -> list[float]:
    """Center, width and height."""
    left, top, right, bottom = sides(values, reading)
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def lies_in_image(values: Numbers, reading: str) -> bool:
    """Whether a box has its sides in order, and lies within its image."""
    left, top, right, bottom = sides(values, reading)
    return -TOLERANCE <= left <= right <= 1 + TOLERANCE and -TOLERANCE <= top <= bottom <= 1 + TOLERANCE


def infer_reading(boxes: Sequence[Numbers], usual: str | None, chosen: str | None = None) -> BoxReading:
    """The reading of a set of boxes.

    Args:
        usual: of the format, preferred unless another one is far better. None: there is none.
        chosen: by a person.
    """
    wrong = {name: sum(not lies_in_image(box, name) for box in boxes) for name in READERS}
    order = sorted(READERS, key=lambda name: (wrong[name], name != usual, list(READERS).index(name)))
    outside = wrong[usual] if usual else min(wrong.values())
    best = better_reading(boxes, wrong, usual) if usual else order[0]
    reading = chosen or best
    possible = [name for name in order if wrong[name] <= MANY * len(boxes) or name == usual]
    alternatives = [name for name in dict.fromkeys([best, *([usual] if usual else []), *possible]) if name != reading]
    alternatives = alternatives or ["corners" if reading == "centre" else "centre"]
    unclear = outside >= max(CERTAIN, MANY * len(boxes))
    return BoxReading(reading, alternatives, len(boxes), wrong["centre"], bool(chosen) or best != usual or unclear)


def better_reading(boxes: Sequence[Numbers], wrong: dict[str, int], usual: str) -> str:
    """A reading that fits while the usual one does not; otherwise the usual one."""
    if wrong[usual] <= FEW * len(boxes):
        return usual
    candidates = [name for name in READERS if name != usual and wrong[name] <= FEW * len(boxes)]
    candidates = [name for name in candidates if is_convincing(boxes, name, usual)]
    return min(candidates, key=lambda name: wrong[name], default=usual)


def is_convincing(boxes: Sequence[Numbers], name: str, usual: str) -> bool:
    """Whether a fitting reading is more than chance. Random boxes rarely fit as corners, since both second numbers must
    be larger; top-left and center readings are more easily confused.
    """
    wrong = [box for box in boxes if not lies_in_image(box, usual)]
    if {name, usual} != {"centre", "top_left"}:
        return len(boxes) > 1
    if len(boxes) < 4 or len(wrong) < 2:
        return False
    if name == "top_left":  # a top-left corner read as the center puts boxes outside at the left and top only
        return all(max(sides(box, usual)[2:]) <= 1 + TOLERANCE for box in wrong)
    return all(min(sides(box, usual)[:2]) >= -TOLERANCE for box in wrong)
