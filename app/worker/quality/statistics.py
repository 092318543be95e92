"""Computes the statistics of a version for its charts. Only what training uses is counted."""

from bisect import bisect_right
from collections import Counter

from app.core.dataset_statistics import ClassCounts, DatasetStatistics, Histogram
from app.core.splits import SPLITS
from app.worker.quality.model import Entry
from app.worker.quality.shapes import LabelledShape

CELLS = 32  # cells per side of the heat map
SIZES = 100  # image sizes listed
TOGETHER = 40  # classes in the table of co-occurrence
# Each bin is from its edge up to the next; the last one is unbounded.
BOX_EDGES = (0, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
RATIO_EDGES = (0, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10)
COUNT_EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 50, 100)


class HistogramBuilder:
    """Counts values per bin."""

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * len(edges)

    def add(self, value: float) -> None:
        self.counts[max(0, bisect_right(self.edges, value) - 1)] += 1

    def view(self) -> Histogram:
        """`counts[i]` lie from `edges[i]` up to `edges[i + 1]`; the last edge is null: unbounded."""
        return {"edges": [*self.edges, None], "counts": self.counts}


class Statistics:
    """Counts image by image."""

    def __init__(self) -> None:
        self.images: dict[str, Counter[int]] = {split: Counter() for split in SPLITS}  # by class
        self.objects: dict[str, Counter[int]] = {split: Counter() for split in SPLITS}
        self.totals: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        self.image_sizes: Counter[tuple[int, int]] = Counter()
        self.boxes = HistogramBuilder(BOX_EDGES)
        self.ratios = HistogramBuilder(RATIO_EDGES)
        self.counts = HistogramBuilder(COUNT_EDGES)
        self.heat = [0] * (CELLS * CELLS)
        self.pairs: Counter[tuple[int, int]] = Counter()

    def add(self, entry: Entry, usable: bool, classes: Counter[int], shapes: list[LabelledShape]) -> None:
        """Add an image; `classes` counts its objects."""
        totals = self.totals[entry.split]
        totals["images"] += 1
        if not usable:
            return
        count = sum(classes.values())
        totals["used"] += 1
        totals["objects"] += count
        totals["background"] += not count
        self.images[entry.split].update(classes.keys())
        self.objects[entry.split].update(classes)
        self.image_sizes[entry.picture.width, entry.picture.height] += 1
        self.counts.add(count)
        present = sorted(classes)[:TOGETHER]
        self.pairs.update((first, second) for index, first in enumerate(present) for second in present[index:])
        for shape in shapes:
            self.add_shape(shape, entry.picture.width, entry.picture.height)

    def add_shape(self, shape: LabelledShape, width: int, height: int) -> None:
        self.boxes.add(shape.size(width, height))
        if shape.w > 0 and shape.h > 0:
            self.ratios.add(shape.w * width / (shape.h * height))
        column, row = (min(CELLS - 1, max(0, int(center * CELLS))) for center in (shape.x, shape.y))
        self.heat[row * CELLS + column] += 1

    def view(self, names: list[str]) -> DatasetStatistics:
        """The statistics for GET /api/datasets/{id}/statistics, by name."""
        common = Counter[int]()
        for split in SPLITS:
            common.update(self.objects[split])
        classes = sorted(index for index, _ in common.most_common(TOGETHER))
        listed = self.image_sizes.most_common(SIZES)
        return {
            "classes": [self.of_class(index, name) for index, name in enumerate(names)],
            "splits": {
                split: {key: self.totals[split][key] for key in ("images", "used", "objects", "background")}
                for split in SPLITS
            },
            "image_sizes": [{"width": width, "height": height, "count": count} for (width, height), count in listed],
            "box_sizes": self.boxes.view(),
            "aspect_ratios": self.ratios.view(),
            "objects_per_image": self.counts.view(),
            "heatmap": {"size": CELLS, "cells": self.heat},
            "co_occurrence": {
                "classes": classes,
                "cells": [[self.pairs[min(row, column), max(row, column)] for column in classes] for row in classes],
            },
        }

    def of_class(self, index: int, name: str) -> ClassCounts:
        return {
            "class": index,
            "name": name,
            "images": {split: self.images[split][index] for split in SPLITS},
            "objects": {split: self.objects[split][index] for split in SPLITS},
        }
