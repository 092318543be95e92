"""The decisions and findings of an import. As JSON: written by its program to the dataset's report and index;
translated to sentences when displayed.
"""

from typing import Any, NotRequired, TypedDict

from app.core.shapes import DrawnObject
from app.core.text_data import TextData


class Keypoints(TypedDict):
    kpt_shape: list[int]
    flip_idx: NotRequired[list[int]]  # as in a dataset.yaml


class Finding(TypedDict):
    """A finding about a file.

    `line`: in the file, or an object's number from 1. `data`: fills the placeholders of the code's text.
    """

    severity: str
    code: str
    file: NotRequired[str | None]
    line: int | None
    data: TextData


class Alternative(TypedDict):
    """Another option that a user can choose."""

    parameter: str
    options: list[Any]


class IndexedImage(TypedDict):
    """An image of the index, with its size in px."""

    id: int
    file: str
    width: int
    height: int


class Example(TypedDict):
    """An image (its path below the source) with its objects in each reading; in the report with its index entry."""

    image: str
    drawn: dict[str, list[DrawnObject]]
    id: NotRequired[int]
    file: NotRequired[str]
    width: NotRequired[int]
    height: NotRequired[int]


class Decision(TypedDict):
    """A decision of the import; one between readings has more fields, see app/core/readings.py."""

    code: str
    data: TextData
    change: NotRequired[Alternative | None]
    reading: NotRequired[str]
    confirmed: NotRequired[bool]
    examples: NotRequired[list[Example]]
