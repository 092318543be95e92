"""Judges the labels of a revision, finds what is wrong with the whole, and writes its index."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from app.worker.doctor.fixable import FIXABLE, is_fixable
from app.worker.doctor.index import Writer, new_index
from app.worker.doctor.labels import Labels, Rules, judge_bytes
from app.worker.doctor.mend import TAKING, mend
from app.worker.doctor.model import Entry, Finding
from app.worker.doctor.shapes import Shape, shapes
from app.worker.doctor.statistics import SPLITS, Statistics
from app.worker.doctor.whole import judge_classes, judge_twin, order, twins

SMALL_BOX = 8  # pixels at the training's image size: one cell of YOLO's finest grid (stride 8)


@dataclass(frozen=True)
class Examination:
    """What the examination needs to know.

    Args:
        names: of the classes; empty: unknown, and any number below `max_classes` is one.
        task: detect, segment, pose, obb, classify; None: as the labels show it.
        keypoints: `kpt_shape` (and `flip_idx`) of data.yaml, or None.
        image_size: of the training that small boxes are judged for, in pixels.
        orphans: label files without an image, by the path that findings shall name.
        found: findings of the conversion that are about no image (those are its entry's), complete.
        max_findings: stored of each severity; all are counted.
    """

    names: list[str]
    task: str | None = None
    keypoints: dict[str, Any] | None = None
    image_size: int = 640
    max_classes: int = 1000
    max_findings: int = 100_000
    orphans: list[str] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)

    @cached_property
    def rules(self) -> Rules:
        shape = (self.keypoints or {}).get("kpt_shape", (0, 0))
        return Rules(len(self.names) or self.max_classes, self.task, *shape)


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
    ordered = sorted(entries, key=order)
    with new_index(index, spec.max_findings) as writer:
        run = Run(spec, writer)
        run.judge_twins(ordered)
        for number, entry in enumerate(ordered, 1):
            run.add(number, entry)
            if on_progress:
                on_progress(number, len(ordered))
        return run.finish()


class Run:
    """The state of one examination."""

    def __init__(self, spec: Examination, writer: Writer) -> None:
        self.spec = spec
        self.writer = writer
        self.statistics = Statistics()
        self.usable: Counter[str] = Counter()
        self.images: Counter[str] = Counter()
        self.boxes: Counter[int] = Counter()
        self.left_out: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()  # label files with boxes, corners, polygons
        self.repeated: dict[int, list[Finding]] = {}  # by id of the entry
        self.costs: dict[str, Counter[str]] = {}  # rows and images that a fix takes away, by code; "all"
        self.classes = {name: number for number, name in enumerate(spec.names)}

    def judge_twins(self, entries: list[Entry]) -> None:
        for twin in twins(entries):
            severity, code, data = judge_twin(twin, differ)
            found = {"severity": severity, "code": code, "line": None, "data": data}
            self.repeated.setdefault(id(twin.entry), []).append(found)

    def add(self, number: int, entry: Entry) -> None:
        """One image: its findings, its objects, its row."""
        labels = self.labels_of(entry)
        drawn = shapes(labels, self.spec.rules) if self.spec.task != "classify" else []
        findings = [item | {"file": entry.file} for item in entry.picture.findings]
        findings += [item | {"file": entry.file} for item in self.repeated.get(id(entry), ())]
        findings += [placed(item, entry, self.spec.task == "classify") for item in labels.findings]
        usable = entry.picture.usable and labels.usable
        if usable and (small := self.small(drawn, entry)):
            findings.append(placed(small, entry, False))
        findings += entry.found
        for item in findings:
            self.writer.find(item, number, entry.split, is_fixable(item))
        self.count(entry, usable, labels, drawn, findings)
        if entry.picture.usable:
            self.cost(entry, labels)
        self.write(number, entry, usable, drawn, labels, findings)

    def labels_of(self, entry: Entry) -> Labels:
        """The judged labels of an image."""
        if self.spec.task == "classify":
            return self.class_of(entry)
        raw = content(entry)
        if raw is None:
            labels = Labels()
            labels.add("info", "label_missing")
            return labels
        return judge_bytes(raw, self.spec.rules)

    def class_of(self, entry: Entry) -> Labels:
        """The class of an image by its folder, counted like one box."""
        labels = Labels()
        if entry.class_name in self.classes:
            labels.boxes[self.classes[entry.class_name]] = 1
        else:
            labels.add("error", "class_unknown", name=entry.class_name or "")
        return labels

    def cost(self, entry: Entry, labels: Labels) -> None:
        """What fixes would take away from a label, before anybody asks for them."""
        codes = {item["code"] for item in labels.findings if is_fixable(item)}
        if not codes & TAKING or self.spec.task == "classify":
            return
        raw, task = content(entry) or b"", self.spec.task or "detect"
        for name in [*codes & TAKING, "all"]:
            mended = mend(raw, self.spec.rules, FIXABLE if name == "all" else {name}, task)
            if mended and mended.gone:
                self.costs.setdefault(name, Counter()).update(rows=mended.gone, images=int(mended.emptied))

    def small(self, drawn: list[Shape], entry: Entry) -> Finding | None:
        """Boxes whose shorter side is under SMALL_BOX pixels once the image is scaled for the training."""
        width, height = entry.picture.width, entry.picture.height
        scale = self.spec.image_size / max(width, height, 1)
        sides = [(min(item.w * width, item.h * height) * scale, item.line) for item in drawn]
        found = [(side, line) for side, line in sides if 0 < side < SMALL_BOX]
        if not found:
            return None
        data = {"count": len(found), "size": self.spec.image_size, "limit": SMALL_BOX,
                "smallest": round(min(side for side, _ in found), 1)}  # fmt: skip
        return {"severity": "info", "code": "small_boxes", "line": found[0][1], "data": data}

    def count(self, entry: Entry, usable: bool, labels: Labels, drawn: list[Shape], findings: list[Finding]) -> None:
        self.images[entry.split] += 1
        self.statistics.add(entry, usable, labels.boxes, drawn)
        if not usable:
            self.left_out[next(item["code"] for item in findings if item["severity"] == "error")] += 1
            return
        self.usable[entry.split] += 1
        self.boxes.update(labels.boxes)
        if labels.boxes:
            self.forms[form(labels)] += 1

    def write(
        self, number: int, entry: Entry, usable: bool, drawn: list[Shape], labels: Labels, findings: list[Finding]
    ) -> None:
        """The rows of one image."""
        picture = entry.picture
        sizes: dict[int, list[float]] = {}
        for item in drawn:
            size = round(item.size(picture.width, picture.height), 3)
            sizes.setdefault(item.number, []).append(size)
            points = json.dumps(item.points, separators=(",", ":")) if item.points else None
            self.writer.add("object", None, number, item.number, item.kind, item.x, item.y, item.w, item.h, points,
                            origin(entry, item.line)[1] or item.line, size)  # fmt: skip
        if self.spec.task == "classify":
            side = round((picture.width * picture.height) ** 0.5, 3)
            sizes = {index: [side] for index in labels.boxes}
        for index, values in sizes.items():
            self.writer.add("image_class", index, number, len(values), min(values), max(values))
        every = [value for values in sizes.values() for value in values]
        codes = " ".join(dict.fromkeys(item["code"] for item in findings))
        self.writer.add(
            "image", number, entry.file, entry.split, picture.width, picture.height, picture.bytes, picture.sha256,
            picture.format, len(every), min(every, default=None), max(every, default=None), entry.group, int(usable),
            int(picture.thumbnail), int(not picture.unsafe), picture.sharpness, picture.brightness,
            picture.contrast, codes,
        )  # fmt: skip
        if entry.original or entry.source:
            self.writer.add("origin", number, entry.original, entry.source or None)

    def finish(self) -> Report:
        """What concerns the whole; the report."""
        largest = max(self.boxes, default=-1)
        names = self.spec.names or [f"class_{number}" for number in range(largest + 1)]
        found = list(self.spec.found)
        found += [
            {"severity": "warning", "code": "label_orphan", "file": path, "line": None, "data": {}}
            for path in self.spec.orphans
        ]
        found += judge_classes(self.statistics, names, self.images)
        if self.forms["box"] and len(self.forms) > 1:
            found.append({"severity": "info", "code": "mixed_files", "file": None, "line": None, "data": {}})
        for item in found:
            self.writer.find(item, None, None, is_fixable(item))
        report = self.report(largest)
        summary = {
            "used": sum(report.usable.values()),
            "total": sum(report.images.values()),
            "left_out": report.left_out,
        }
        about = {"summary": summary, "severities": report.severities, "task": report.task, "names": names}
        self.writer.close(self.statistics.view(names) | about | {"costs": self.costs})
        return report

    def report(self, largest: int) -> Report:
        return Report(
            task=self.spec.task or shown(self.forms),
            images={split: self.images[split] for split in SPLITS},
            usable={split: self.usable[split] for split in SPLITS},
            boxes=dict(sorted(self.boxes.items())),
            largest_class=largest,
            findings=dict(self.writer.codes),
            severities={severity: self.writer.severities[severity] for severity in ("error", "warning", "info")},
            stored=self.writer.stored.total(),
            left_out=dict(self.left_out.most_common()),
            fixable=self.writer.fixable.total(),
        )


def form(labels: Labels) -> str:
    """What the rows of a label file are."""
    return "corners" if labels.corners else "polygon" if labels.polygons else "box"


def shown(forms: Counter[str]) -> str:
    """The task that the labels show. Polygons that all have four corners are taken for turned boxes; a model for either
    can be trained on them."""
    if forms["box"] or not forms:
        return "detect"
    return "segment" if forms["polygon"] else "obb"


def task_shown(entries: Iterable[Entry], spec: Examination) -> str:
    """The same before an examination."""
    forms = Counter[str]()
    for entry in entries:
        labels = judge_bytes(content(entry) or b"", spec.rules)
        if labels.boxes and entry.picture.usable:
            forms[form(labels)] += 1
    return shown(forms)


def content(entry: Entry) -> bytes | None:
    """The label file's bytes; None where there is none."""
    if entry.text is not None:
        return entry.text.encode()
    return entry.label.read_bytes() if entry.label else None


def differ(one: Entry, other: Entry) -> bool:
    """Whether two images have different labels."""
    if one.class_name != other.class_name:
        return True
    return hashlib.sha256(content(one) or b"").digest() != hashlib.sha256(content(other) or b"").digest()


def placed(finding: Finding, entry: Entry, of_image: bool) -> Finding:
    """A finding of a label with the file that the user knows it by."""
    line = finding["line"]
    if of_image or finding["code"] == "label_missing":
        return finding | {"file": entry.file}
    file, line = origin(entry, line)
    return finding | {"file": file, "line": line}


def origin(entry: Entry, line: int | None) -> tuple[str, int | None]:
    """Where a line of the label came from: the file that the user knows, and the line or object there."""
    if entry.origins and line is not None and line <= len(entry.origins):
        return entry.origins[line - 1]
    return entry.label_file, line
