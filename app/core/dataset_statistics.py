"""What the check of a dataset's version counts: written to its index, sent by GET /api/datasets/{id}/statistics."""

from typing import TypedDict

ClassCounts = TypedDict(
    "ClassCounts", {"class": int, "name": str, "images": dict[str, int], "objects": dict[str, int]}
)  # of one class, by split


class Histogram(TypedDict):
    """`counts[i]` lie from `edges[i]` up to `edges[i + 1]`; the last edge is None: without end."""

    edges: list[float | None]
    counts: list[int]


class SizeCount(TypedDict):
    """How many images have a size, px."""

    width: int
    height: int
    count: int


class HeatMap(TypedDict):
    """Centers of objects, row by row from the top, in `size` cells a side."""

    size: int
    cells: list[int]


class CoOccurrence(TypedDict):
    """Images with an object of both classes, of the most frequent ones."""

    classes: list[int]
    cells: list[list[int]]


class DatasetStatistics(TypedDict):
    """What training uses. `splits`: of each images, used, objects, background."""

    classes: list[ClassCounts]
    splits: dict[str, dict[str, int]]
    image_sizes: list[SizeCount]
    box_sizes: Histogram
    aspect_ratios: Histogram
    objects_per_image: Histogram
    heatmap: HeatMap
    co_occurrence: CoOccurrence


class UsageSummary(TypedDict):
    """Images that training uses, of how many, and how many are left out, by code."""

    used: int
    total: int
    left_out: dict[str, int]


class IndexStatistics(DatasetStatistics, total=False):
    """The same as the index has it, with what the lists of findings need; an older version wrote fewer."""

    task: str
    summary: UsageSummary
    severities: dict[str, int]
