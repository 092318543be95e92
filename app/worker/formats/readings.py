"""Reports a choice between several meanings of the same numbers: a decision whose code begins with `reading_`, with a
few images drawn in each reading. The readings and their questions: app/core/readings.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from app.core.report import Decision, Example
from app.core.shapes import DrawnObject
from app.worker.formats.model import Options, decision

T = TypeVar("T")

EXAMPLES = 3  # images
DRAWN = 12  # objects per image


def reading(
    question: str,
    chosen: str,
    alternatives: Sequence[str],
    options: Options,
    examples: Sequence[Example],
    /,
    **data: Any,
) -> Decision:
    """The decision for one reading, with the alternatives.

    Args:
        alternatives: other readings, likeliest first.
        examples: of `example`; only the first EXAMPLES are used.
        data: fills the text of the code `reading_{chosen}`.
    """
    entry = decision(f"reading_{chosen}", "reading", [chosen, *alternatives], **data)
    confirmed = options.chosen(question) == chosen
    return {**entry, "reading": chosen, "confirmed": confirmed, "examples": list(examples[:EXAMPLES])}


def example(image: str, drawn: Mapping[str, Sequence[DrawnObject]]) -> Example:
    """An image (its path below the source) with its objects in each reading."""
    return {"image": image, "drawn": {name: list(objects[:DRAWN]) for name, objects in drawn.items()}}


def spread(values: Sequence[T], count: int = EXAMPLES) -> list[T]:
    """Some of the values, evenly spaced."""
    step = max(1, len(values) // count)
    return list(values[::step][:count])


def drawn_box(number: int, box: Sequence[float]) -> DrawnObject:
    """A box by center and size, as fractions of the image."""
    return {"class": number, "kind": "box", "box": [round(value, 5) for value in box]}


def drawn_points(number: int, kind: str, values: Sequence[float]) -> DrawnObject:
    """A polygon ("polygon", "obb") by its alternating x and y."""
    points = [[round(x, 5), round(y, 5)] for x, y in zip(values[::2], values[1::2], strict=False)]
    return {"class": number, "kind": kind, "points": points}
