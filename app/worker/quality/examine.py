"""Checks the labels of a version, then the version as a whole, and writes its index."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from app.core.report import Keypoints
from app.core.splits import SPLITS
from app.worker.quality.costs import Costs
from app.worker.quality.fixable import is_fixable
from app.worker.quality.image_rows import ImageRows
from app.worker.quality.index import IndexWriter, new_index
from app.worker.quality.label_origins import content, differ, with_origin
from app.worker.quality.labels import Labels, Rules, judge_bytes
from app.worker.quality.model import Entry, Finding
from app.worker.quality.revision_checks import judge_classes, judge_twin, order, twins
from app.worker.quality.shapes import LabelledShape, shapes
from app.worker.quality.statistics import Statistics

SMALL_BOX = 8  # pixels at the training's image size: one cell of YOLO's finest grid (stride 8)


@dataclass(frozen=True)
class Examination:
    """The input of an examination.

    Args:
        names: of the classes; empty: unknown, any number below `max_classes` is valid.
        task: detect, segment, pose, obb, classify; None: determined from the labels.
        keypoints: `kpt_shape` (and `flip_idx`) of data.yaml, or None.
        image_size: of the training for which boxes are judged as small, in pixels.
        orphans: label files without an image, by the path for findings.
        findings: findings of the conversion that are not about an image, complete.
        max_findings: stored per severity; all are counted.
    """

    names: list[str]
    task: str | None = None
    keypoints: Keypoints | None = None
    image_size: int = 640
    max_classes: int = 1000
    max_findings: int = 100_000
    orphans: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def rules(self) -> Rules:
        shape = self.keypoints["kpt_shape"] if self.keypoints else (0, 0)
        return Rules(len(self.names) or self.max_classes, self.task, *shape)


@dataclass
class Report:
    """The counts. `usable` and `boxes` are what ultralytics will use, duplicates once."""

    task: str  # as requested, otherwise as the labels show
    images: dict[str, int]  # by split
    usable: dict[str, int]  # by split
    boxes: dict[int, int]  # by class, in usable images
    largest_class: int  # -1 without boxes
    findings: dict[str, int]  # by code; all of them
    severities: dict[str, int]  # error, warning, info
    stored: int  # findings in the index
    left_out: dict[str, int]  # images excluded from training, each once, by the code of the first reason
    fixable: int  # findings that apply_fixes can fix


def examine(
    entries: Iterable[Entry], spec: Examination, index: Path, on_progress: Callable[[int, int], None] | None = None
) -> Report:
    """Judge every label as ultralytics does, find faults in single files and in the whole (leaks, classes, tiny boxes),
    and write images, objects, findings and statistics to a new SQLite file `index`, atomically.

    Entries may be in any order; the index numbers them by split (train, val, test) and name. Unsafe images are
    included. Neither images/ nor labels/ of the version need exist yet.
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

    def __init__(self, spec: Examination, writer: IndexWriter) -> None:
        self.spec = spec
        self.writer = writer
        self.statistics = Statistics()
        self.usable: Counter[str] = Counter()
        self.images: Counter[str] = Counter()
        self.boxes: Counter[int] = Counter()
        self.left_out: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()  # label files with boxes, corners, polygons
        self.repeated: dict[int, list[Finding]] = {}  # by id of the entry
        self.costs = Costs(spec.rules, spec.task)
        self.classes = {name: number for number, name in enumerate(spec.names)}

    def judge_twins(self, entries: list[Entry]) -> None:
        for twin in twins(entries):
            severity, code, data = judge_twin(twin, differ)
            finding: Finding = {"severity": severity, "code": code, "line": None, "data": data}
            self.repeated.setdefault(id(twin.entry), []).append(finding)

    def add(self, number: int, entry: Entry) -> None:
        """Add an image: its findings, its objects, its row."""
        labels = self.labels_of(entry)
        drawn = shapes(labels, self.spec.rules) if self.spec.task != "classify" else []
        findings = [item | {"file": entry.file} for item in entry.picture.findings]
        findings += [item | {"file": entry.file} for item in self.repeated.get(id(entry), ())]
        findings += [with_origin(item, entry, self.spec.task == "classify") for item in labels.findings]
        usable = entry.picture.usable and labels.usable
        if usable and (small := self.small(drawn, entry)):
            findings.append(with_origin(small, entry, False))
        findings += entry.findings
        for item in findings:
            self.writer.find(item, number, entry.split, is_fixable(item))
        self.count(entry, usable, labels, drawn, findings)
        if entry.picture.usable and self.spec.task != "classify":
            self.costs.add(content(entry) or b"", labels)
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

    def small(self, drawn: list[LabelledShape], entry: Entry) -> Finding | None:
        """A finding about boxes whose shorter side is under SMALL_BOX pixels at the training's image size."""
        width, height = entry.picture.width, entry.picture.height
        scale = self.spec.image_size / max(width, height, 1)
        sides = [(min(item.w * width, item.h * height) * scale, item.line) for item in drawn]
        small = [(side, line) for side, line in sides if 0 < side < SMALL_BOX]
        if not small:
            return None
        data = {
            "count": len(small),
            "size": self.spec.image_size,
            "limit": SMALL_BOX,
            "smallest": round(min(side for side, _ in small), 1),
        }
        return {"severity": "info", "code": "small_boxes", "line": small[0][1], "data": data}

    def count(
        self, entry: Entry, usable: bool, labels: Labels, drawn: list[LabelledShape], findings: list[Finding]
    ) -> None:
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
        self,
        number: int,
        entry: Entry,
        usable: bool,
        drawn: list[LabelledShape],
        labels: Labels,
        findings: list[Finding],
    ) -> None:
        """Write the rows of one image."""
        rows = ImageRows(self.writer, number, entry)
        sizes = rows.objects(drawn)
        if self.spec.task == "classify":
            side = round((entry.picture.width * entry.picture.height) ** 0.5, 3)
            sizes = {index: [side] for index in labels.boxes}
        rows.classes(sizes)
        rows.image(usable, sizes, [item["code"] for item in findings])

    def finish(self) -> Report:
        """Check the version as a whole; the report."""
        largest = max(self.boxes, default=-1)
        names = self.spec.names or [f"class_{number}" for number in range(largest + 1)]
        findings = list(self.spec.findings)
        findings += [
            {"severity": "warning", "code": "label_orphan", "file": path, "line": None, "data": {}}
            for path in self.spec.orphans
        ]
        findings += judge_classes(self.statistics, names, self.images)
        if self.forms["box"] and len(self.forms) > 1:
            findings.append({"severity": "info", "code": "mixed_files", "file": None, "line": None, "data": {}})
        for item in findings:
            self.writer.find(item, None, None, is_fixable(item))
        report = self.report(largest)
        summary = {
            "used": sum(report.usable.values()),
            "total": sum(report.images.values()),
            "left_out": report.left_out,
        }
        about = {"summary": summary, "severities": report.severities, "task": report.task, "names": names}
        self.writer.close(self.statistics.view(names) | about | {"costs": self.costs.by_code})
        return report

    def report(self, largest: int) -> Report:
        return Report(
            task=self.spec.task or task_of_forms(self.forms),
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
    """The form of a label file's rows."""
    return "corners" if labels.corners else "polygon" if labels.polygons else "box"


def task_of_forms(forms: Counter[str]) -> str:
    """The task that the labels show. If all polygons have four corners, they are taken for oriented boxes; models of
    both tasks can be trained on them.
    """
    if forms["box"] or not forms:
        return "detect"
    return "segment" if forms["polygon"] else "obb"


def infer_task_of(entries: Iterable[Entry], spec: Examination) -> str:
    """The task that the labels show, before an examination."""
    forms = Counter[str]()
    for entry in entries:
        labels = judge_bytes(content(entry) or b"", spec.rules)
        if labels.boxes and entry.picture.usable:
            forms[form(labels)] += 1
    return task_of_forms(forms)
