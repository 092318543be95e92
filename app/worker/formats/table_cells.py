"""Cells with all objects of an image: lists of boxes, and the strings of Kaggle's competitions."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from app.core.numbers import is_number
from app.worker.formats.geometry import Points, number

# Class, or "" if another cell has it; four numbers, or none if unreadable; form or "".
Object = tuple[str, tuple[float, ...], str]
UNREAD: Object = "", (), ""
CLASS_KEYS = ("class_name", "category_name", "label_name", "label", "class", "category", "name", "tag", "class_id")
# excludes the digits of a key such as "x1"
FREE_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
BOX_KEYS = ("bbox", "box", "bounding_box")  # keys of a list of four numbers


class PredictionStringLayout(NamedTuple):
    """The layout of a PredictionString: words per object, and their meaning."""

    length: int
    named: bool  # the first word is a class name
    classed: bool  # … or its number
    first: int  # index of the box's first word
    form: str


# Class, confidence and corners; class and corners; confidence, top left and size. In order of preference.
LAYOUTS = (
    PredictionStringLayout(6, True, True, 2, "corners"),
    PredictionStringLayout(5, True, True, 1, "corners"),
    PredictionStringLayout(6, False, True, 2, "corners"),
    PredictionStringLayout(5, False, False, 1, "sides"),
)


def objects_in(cell: str, labels: str) -> list[Object] | None:
    """The objects in a cell with a list of boxes, unreadable ones without numbers; None if it has a single box, or
    something else.

    Args:
        labels: the cell with their classes: a list of equal length, or one class for all.
    """
    values = literal(cell)
    if not isinstance(values, list) or not all(isinstance(value, list | tuple | dict) for value in values):
        return None
    names = literal(labels)
    named = names if isinstance(names, list) and len(names) == len(values) else [labels] * len(values)
    return [
        (name_of(value) or str(name).strip(), *numbers_of(value))
        for name, value in zip(named, values, strict=True)
        if value
    ]


def name_of(value: Any) -> str:
    """The class in a box itself; "" if it has none."""
    if not isinstance(value, dict):
        return ""
    name = next((value[key] for key in CLASS_KEYS if isinstance(value.get(key), str | int)), "")
    return str(name).strip()


def numbers_of(value: Any) -> tuple[tuple[float, ...], str]:
    """The four numbers of one box, and their form if given."""
    if isinstance(value, dict):
        for keys, form in (
            (("x", "y", "width", "height"), "sides"),
            (("x", "y", "w", "h"), "sides"),
            (("xmin", "ymin", "width", "height"), "sides"),
            (("xmin", "ymin", "xmax", "ymax"), "corners"),
            (("x1", "y1", "x2", "y2"), "corners"),
            (("left", "top", "width", "height"), "sides"),
            (("left", "top", "right", "bottom"), "corners"),
        ):
            if all(key in value for key in keys):
                return tuple(number(value[key]) for key in keys), form
        inner = next((value[key] for key in BOX_KEYS if isinstance(value.get(key), list | dict)), None)
        return numbers_of(inner) if inner else ((), "")
    return (tuple(map(number, value)), "") if len(value) == 4 else ((), "")


def outlines_in(cell: str) -> list[Points]:
    """The parts of a polygon, whose points are a list of pairs, a flat list, or separated otherwise; empty if
    unreadable.
    """
    value = literal(cell)
    if isinstance(value, list) and value and all(isinstance(part, list) and len(part) >= 6 for part in value):
        parts = [flat_numbers(str(part)) for part in value]
    else:
        parts = [flat_numbers(cell)]
    if any(len(part) < 6 or len(part) % 2 for part in parts):
        return []
    return [list(zip(part[::2], part[1::2], strict=True)) for part in parts]


def flat_numbers(text: str) -> list[float]:
    return [float(number) for number in FREE_NUMBER.findall(text)]


def layout_of(cells: Iterable[str]) -> PredictionStringLayout:
    """The layout of a column of PredictionStrings, from all its cells: a single one may be ambiguous."""
    fitting, ordered = Counter[PredictionStringLayout](), Counter[PredictionStringLayout]()
    for cell in cells:
        for layout in LAYOUTS:
            groups = groups_of(cell, layout)
            fitting[layout] += bool(groups)
            ordered[layout] += bool(groups) and all(in_order(group, layout) for group in groups)
    return max(LAYOUTS, key=lambda layout: (fitting[layout], ordered[layout]))


def groups_of(cell: str, layout: PredictionStringLayout) -> list[list[str]]:
    """The words of each object; empty if the cell does not have the layout."""
    words = cell.split()
    if len(words) % layout.length:
        return []
    groups = [words[at : at + layout.length] for at in range(0, len(words), layout.length)]
    fits = all(all(map(is_number, group[1:])) and is_number(group[0]) != layout.named for group in groups)
    return groups if fits else []


def in_order(group: list[str], layout: PredictionStringLayout) -> bool:
    """Whether right is not less than left, and a class number is an integer."""
    left, top, right, bottom = map(float, group[layout.first :])
    valid_class = layout.named or not layout.classed or float(group[0]).is_integer()
    return valid_class and (layout.form == "sides" or (left <= right and top <= bottom))


def in_string(cell: str, layout: PredictionStringLayout) -> list[Object]:
    """The objects in a PredictionString; one without numbers if it is unreadable."""
    groups = groups_of(cell, layout)
    if not groups and any(map(is_number, cell.split())):
        return [UNREAD]
    return [
        (group[0] if layout.classed else "", tuple(map(float, group[layout.first :])), layout.form) for group in groups
    ]


def literal(text: str) -> Any:
    """The value of a cell in JSON or as Python prints it; otherwise the text itself."""
    if text[:1] not in {"[", "{", "("}:
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text
