"""What an import reports of a dataset: its decisions, and findings about its files. As JSON: written by its program, in
the dataset's report and index, made sentences where they are shown."""

from typing import Any, NotRequired, TypedDict

from app.core.shapes import DrawnObject
from app.core.text_data import TextData


class Keypoints(TypedDict):
    kpt_shape: list[int]
    flip_idx: NotRequired[list[int]]  # as a dataset.yaml


class Finding(TypedDict):
    """Something about a file.

    `line`: of it, or an object's number from 1. `data`: fills the text of the code.
    """

    severity: str
    code: str
    file: NotRequired[str | None]
    line: int | None
    data: TextData


class Alternative(TypedDict):
    """What a person can choose instead."""

    parameter: str
    options: list[Any]


class IndexedImage(TypedDict):
    """An image of the index, with its size in px."""

    id: int
    file: str
    width: int
    height: int


class Example(TypedDict):
    """An image (its path below the source) with its objects in each reading; in the report with its place in the
    index."""

    image: str
    drawn: dict[str, list[DrawnObject]]
    id: NotRequired[int]
    file: NotRequired[str]
    width: NotRequired[int]
    height: NotRequired[int]


class Decision(TypedDict):
    """What the import chose; one between readings has more, see app/core/readings.py."""

    code: str
    data: TextData
    change: NotRequired[Alternative | None]
    reading: NotRequired[str]
    confirmed: NotRequired[bool]
    examples: NotRequired[list[Example]]
