"""Types of a version's contents, for their schemas.

A `Row` of the index: its columns by name, see app/worker/quality/index.py.
"""

from typing import Any, TypedDict

from app.core.report import Example
from app.core.shapes import LabelledObject
from app.core.text_data import TextData
from app.services.paging import PageNumbers

Row = dict[str, Any]


class ImageAddress(TypedDict):
    """An image with its address and that of its thumbnail; None: it cannot be displayed."""

    id: int
    file: str
    split: str
    url: str | None
    thumbnail: str | None


class ImageFigures(ImageAddress):
    """An image with its objects. `width`, `height` in px; `group`: of near-duplicates."""

    width: int
    height: int
    bytes: int
    objects: list[LabelledObject]
    sharpness: float | None
    brightness: float | None
    contrast: float | None
    used: bool
    group: int | None
    original: str
    source: str | None


class ImageView(ImageFigures):
    """An image with the codes of its findings."""

    findings: list[str]


class ImagesView(PageNumbers):
    """A page of images."""

    images: list[ImageView]
    revision: int


class FindingView(TypedDict):
    """A finding in the reader's language."""

    id: int
    severity: str
    code: str
    file: str | None
    line: int | None
    image_id: int | None
    image: str | None
    title: str
    message: str
    effect: str
    fix: str | None
    fixable: bool


class FindingWithTwin(FindingView):
    """A finding with the related image."""

    other: ImageAddress | None


class ImageDetailView(ImageFigures):
    """An image with its complete findings."""

    findings: list[FindingWithTwin]


class FixCost(TypedDict):
    """Rows of label files and images that a fix removes."""

    rows: int
    images: int


class CodeView(TypedDict):
    """A code with its number of findings."""

    code: str
    severity: str
    count: int
    fixable: int
    images: int
    title: str
    fix: str | None
    cost: FixCost


class FindingCountsView(TypedDict):
    """Findings by severity, and those that can be fixed."""

    error: int
    warning: int
    info: int
    fixable: int


class FindingsView(PageNumbers):
    """A page of findings."""

    findings: list[FindingWithTwin]
    counts: FindingCountsView
    codes: list[CodeView]
    cost: FixCost
    revision: int


class LeftOut(TypedDict):
    """Images that training will not use, by the code of their first error."""

    code: str
    count: int
    message: str


class Summary(TypedDict):
    """What training will use: `used` of `total` labelled images."""

    used: int
    total: int
    left_out: list[LeftOut]


class ReportHead(TypedDict):
    """A report without its findings, which follow one by one."""

    dataset_id: int
    name: str
    revision: int
    task: str
    summary: Summary
    counts: FindingCountsView
    codes: list[CodeView]
    cost: FixCost


class ChangeView(TypedDict):
    """The parameter that changes a decision, and its present value."""

    parameter: str
    value: Any
    options: list[Any] | None


class ReadingChoice(TypedDict):
    """A possible reading, and its name."""

    reading: str
    label: str


class ShownExample(Example):
    """An image with its objects in each reading, and its thumbnail's address."""

    thumbnail: str


class ReadingView(TypedDict, total=False):
    """Further fields of a decision between readings."""

    reading: str
    confirmed: bool
    readings: list[ReadingChoice]
    examples: list[ShownExample]


class DecisionView(TypedDict):
    """A decision in the reader's language."""

    code: str
    data: TextData
    message: str
    change: ChangeView | None


class OriginalFile(TypedDict):
    """The uploaded file, while it exists."""

    name: str
    bytes: int
