"""Judges the labels of a revision, finds what is wrong with the whole, and writes its index."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.worker.doctor.model import Entry, Finding


@dataclass(frozen=True)
class Examination:
    """What the examination needs to know.

    Args:
        names: of the classes; empty: unknown, and any number below `max_classes` is one.
        task: detect, segment, pose, obb, classify; None: as the labels show it.
        keypoints: `kpt_shape` (and `flip_idx`) of data.yaml, or None.
        image_size: of the training that small boxes are judged for, in pixels.
        orphans: label files without an image, by the path that findings shall name.
        found: findings of the conversion, complete.
        max_findings: stored; all are counted.
    """

    names: list[str]
    task: str | None = None
    keypoints: dict[str, Any] | None = None
    image_size: int = 640
    max_classes: int = 1000
    max_findings: int = 100_000
    orphans: list[str] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """What was counted. `usable` and `boxes` are what ultralytics will use, duplicates once."""

    task: str  # as asked for, else as the labels show it
    images: dict[str, int]  # by split
    usable: dict[str, int]  # by split
    boxes: dict[int, int]  # by class, in usable images
    largest_class: int  # -1 without boxes
    findings: dict[str, int]  # by code; all of them
    severities: dict[str, int]  # error, warning, info
    stored: int  # findings in the index
    left_out: dict[str, int]  # images that training will not use, each once, by the code of the first reason
    fixable: int  # findings that apply_fixes can mend


def examine(
    entries: Iterable[Entry], spec: Examination, index: Path, on_progress: Callable[[int, int], None] | None = None
) -> Report:
    """Judge every label as ultralytics does, find what is wrong with single files and with the whole (leaks, classes,
    tiny boxes), and write images, objects, findings and statistics to a new SQLite file `index`, which is there whole
    or not at all.

    Entries may be in any order; the index numbers them by split (train, val, test) and name. Unsafe pictures are in the
    index, too. Neither images/ nor labels/ of the revision needs to be there yet.
    """
    raise NotImplementedError
