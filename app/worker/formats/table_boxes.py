"""The notation and the meaning of a box's four numbers in a table. Pure."""

import math
import re

from app.worker.formats.geometry import number

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
FORMS = {"corners": "left, top, right, bottom", "sides": "left, top, width, height", "centre": "centre, width, height"}


def four(texts: list[str]) -> tuple[float, float, float, float]:
    """Four numbers from four cells, or from one."""
    values = [number(text.replace(",", ".")) for text in texts]
    if len(texts) == 1:
        values = [number(text) for text in NUMBER.findall(texts[0])]
    if len(values) != 4:
        return (math.nan,) * 4
    return values[0], values[1], values[2], values[3]


def corners(values: tuple[float, ...], form: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    first, second, third, fourth = values
    if form == "corners":
        return first, second, third, fourth
    if form == "centre":
        return first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2
    return first, second, first + third, second + fourth
