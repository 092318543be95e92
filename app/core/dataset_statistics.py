"""The statistics of a dataset's version: written to its index, sent by GET /api/datasets/{id}/statistics."""

from typing import TypedDict

ClassCounts = TypedDict(
    "ClassCounts", {"class": int, "name": str, "images": dict[str, int], "objects": dict[str, int]}
)  # of one class, by split


class Histogram(TypedDict):
    """`counts[i]` lie from `edges[i]` up to `edges[i + 1]`; the last edge is None: unbounded."""

    edges: list[float | None]
    counts: list[int]


class SizeCount(TypedDict):
    """The number of images of one size, px."""

    width: int
    height: int
    count: int


class HeatMap(TypedDict):
    """Centers of objects, row by row from the top, on a grid of `size` x `size` cells."""

    size: int
    cells: list[int]


class CoOccurrence(TypedDict):
    """The number of images with objects of both classes, among the most frequent classes."""

    classes: list[int]
    cells: list[list[int]]


class DatasetStatistics(TypedDict):
    """Statistics of what training uses. `splits`: by split, the counts images, used, objects, background."""

    classes: list[ClassCounts]
    splits: dict[str, dict[str, int]]
    image_sizes: list[SizeCount]
    box_sizes: Histogram
    aspect_ratios: Histogram
    objects_per_image: Histogram
    heatmap: HeatMap
    co_occurrence: CoOccurrence


class UsageSummary(TypedDict):
    """Images that training uses, their total, and those left out, by code."""

    used: int
    total: int
    left_out: dict[str, int]


class IndexStatistics(DatasetStatistics, total=False):
    """The statistics in the index, with what the lists of findings need; an older version wrote fewer fields."""

    task: str
    summary: UsageSummary
    severities: dict[str, int]
