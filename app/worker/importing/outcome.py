"""Builds the result of an import."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.imports import FixEffect, ImportResult
from app.core.report import Decision, IndexedImage
from app.worker import formats
from app.worker.formats import Source
from app.worker.formats.paths import stem_of
from app.worker.quality import AppliedFixes, Report

SAMPLES = 6
NAMED = 50  # files that a report lists
ASIDE = (
    "image_broken",
    "image_too_large",
    "image_slow",
    "image_memory",
    "image_scans",
    "image_pages",
    "image_frames",
    "image_tiles",
)


class ImportOutcome:
    """Collects the decisions of an import, and builds its result.

    Args:
        number: of the version.
        decisions: so far; further ones are added at the end.
        names_of_images: in the version, of the images in decisions, by path below the source.
        source_names: the classes before renaming.
    """

    def __init__(
        self,
        number: int,
        source: Source,
        decisions: list[Decision],
        names_of_images: dict[str, str],
        source_names: list[str],
    ) -> None:
        self.number, self.source, self.decisions = number, source, decisions
        self.names_of_images, self.source_names = names_of_images, source_names

    def decide(self, code: str, parameter: str | None = None, options: list[Any] | None = None, **data: Any) -> None:
        self.decisions.append(formats.decision(code, parameter, options, **data))

    def final_names(self, report: Report) -> list[str]:
        """The listed names; otherwise numbered ones, up to the largest class in the labels."""
        if self.source.names or report.largest_class < 0:
            return self.source.names
        self.decide("classes_unnamed", "names", last=report.largest_class)
        return [f"class_{number}" for number in range(report.largest_class + 1)]

    def decide_at_the_end(self, report: Report) -> None:
        """Add the decisions that depend on the check of the images."""
        if self.source.task is None and report.task != "detect":
            self.decide("task_found", "task", ["detect", "segment", "obb"], task=report.task)
        aside = sum(report.findings.get(code, 0) for code in ASIDE)
        if aside:
            self.decide("set_aside", count=aside)
        total = sum(report.findings.values())
        if total > report.stored:
            self.decide("findings_cut", total=total, stored=report.stored)

    def result(
        self,
        names: list[str],
        report: Report,
        index: Path,
        digest: str,
        size: int,
        effects: list[AppliedFixes],
        seconds: float,
    ) -> Mapping[str, object]:
        """An `ImportResult`.

        Args:
            index: of the version. digest: its hash. size: in bytes.
        """
        self.decide_at_the_end(report)
        locate_examples(self.decisions, self.names_of_images, index)
        source = self.source
        result = ImportResult(
            number=self.number,
            hash=digest,
            format=source.format,
            task=report.task,
            names=names,
            images=report.images,
            usable=report.usable,
            boxes={str(index): count for index, count in sorted(report.boxes.items())},
            findings=report.findings,
            severities=report.severities,
            left_out=report.left_out | labelled_elsewhere(source),
            decisions=self.decisions,
            samples=samples(index),
            size_bytes=size,
            seconds=seconds,
            source_names=self.source_names or names,
            keypoints=source.keypoints,
            effects={fixes.code: effect_of(fixes) for fixes in effects},
            fixable=report.fixable,
            outside=source.outside[:NAMED],
            outside_count=len(source.outside),
            root=source.root,
        )
        return asdict(result)


def effect_of(fixes: AppliedFixes) -> FixEffect:
    """The effect of applied fixes, for the report."""
    return {
        "images": fixes.images,
        "rows": fixes.rows,
        "files": fixes.files,
        "emptied": fixes.emptied,
        "unsaved": fixes.unsaved,
        "unsaved_files": fixes.unsaved_files,
    }


def labelled_elsewhere(source: Source) -> dict[str, int]:
    """Labeled images that the dataset lacks, by the finding's code."""
    counts = Counter[str]()
    for item in source.findings:
        # a label file without an image
        by_list = item["code"] == "image_missing" and str(item["file"]).endswith(".txt")
        if item["code"] in {"label_orphan", "image_missing"} and not by_list:
            counts[item["code"]] += 1
        elif item["code"] == "images_missing":
            count = item["data"]["count"]
            counts["image_missing"] += count if isinstance(count, int) else 1
    return dict(counts)


def samples(index: Path) -> list[int]:
    """Some images of the index for a preview: evenly spaced, usable ones if possible."""
    with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM image WHERE thumbnail ORDER BY id")]
    step = max(1, len(ids) // SAMPLES)
    return ids[::step][:SAMPLES]


def locate_examples(decisions: list[Decision], names: dict[str, str], index: Path) -> None:
    """Set the id and size of each example's image in the index; drop those without a thumbnail."""
    if not names:
        return
    image_of = {stem_of(name): image for image, name in names.items()}
    locations: dict[str, IndexedImage] = {}
    with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as connection:
        for key, file, width, height in connection.execute("SELECT id, file, width, height FROM image WHERE thumbnail"):
            if image := image_of.get(stem_of(file.split("/", 2)[2])):  # a fix may have changed its suffix
                locations[image] = {"id": key, "file": file, "width": width, "height": height}
    for item in decisions:
        if "examples" in item:
            located = [entry for entry in item["examples"] if entry["image"] in locations]
            item["examples"] = [{**entry, **locations[entry["image"]]} for entry in located]
