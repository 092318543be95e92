"""Reads every image and label of a dataset and says what training would use: `python -m app.worker.validate DIRECTORY`.

spec.json: `dataset` (its folder), `classes` (their number, 0: unknown), `names`, `task` (null: as the labels show it),
`keypoints` (kpt_shape of data.yaml, or null), `max_classes`, `max_pixels`, `max_findings`.
Says Validating, Findings (`severity, code, file, line, data` each) and, at its end, Validated or Failed. Files below
`dataset` are read; images that would end a training are moved to `set_aside/`, and back when it starts anew.
The codes and what they mean to the user: app/services/datasets/texts.py.
"""

import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from app.events import Findings, Validated, Validating
from app.worker.channel import Channel
from app.worker.doctor.labels import Labels, Rules, read_labels
from app.worker.images import Picture, read_image

SPLITS = ("train", "val", "test")
BATCH = 500  # images in work at once, findings in one event at most
REPORT_S = 0.25


class Validation:
    """The state of one run."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.spec = channel.spec
        self.folder = Path(self.spec["dataset"])
        self.images: dict[str, int] = {}
        self.usable: Counter[str] = Counter()
        self.boxes: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.task: str | None = self.spec.get("task")
        self.classes = {name: number for number, name in enumerate(self.spec.get("names", ()))}
        shape = (self.spec.get("keypoints") or {}).get("kpt_shape", (0, 0))
        self.rules = Rules(self.spec["classes"] or self.spec["max_classes"], self.task, *shape)
        self.forms: Counter[str] = Counter()  # label files with boxes, corners, polygons
        self.waiting: list[dict[str, Any]] = []
        self.sent = 0
        self.said = 0.0

    def run(self) -> None:
        """From the first image to the terminal event."""
        began = time.monotonic()
        self.restore()
        files = {split: sorted(walk(self.folder / "images" / split)) for split in SPLITS}
        self.images = {split: len(names) for split, names in files.items()}
        done, total = 0, sum(self.images.values())
        with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as pool:
            for split, names in files.items():
                rest = iter(names)
                while batch := list(islice(rest, BATCH)):
                    if self.channel.stop_requested():
                        return
                    for name, result in zip(batch, pool.map(self.judge, batch), strict=True):
                        self.record(split, name, *result)
                        done += 1
                        self.report(done, total)
                self.find_orphans(split, names)
        if self.forms["box"] and len(self.forms) > 1:
            self.found(None, {"severity": "info", "code": "mixed_files", "line": None, "data": {}})
        self.flush()
        self.finish(time.monotonic() - began)

    def judge(self, image: Path) -> tuple[Picture, Labels | None]:
        """One image and its labels; runs in a thread, since decoding releases Python's lock."""
        if self.task == "classify":
            return read_image(image, self.spec["max_pixels"]), self.class_of(image)
        label = label_path(self.folder, image)
        labels = read_labels(label, self.rules) if label.is_file() else None
        return read_image(image, self.spec["max_pixels"]), labels

    def class_of(self, image: Path) -> Labels:
        """The class of an image by its folder, counted like one box."""
        labels, name = Labels(), image.relative_to(self.folder / "images").parts[1]
        if name in self.classes:
            labels.boxes[self.classes[name]] = 1
        else:
            labels.add("error", "class_unknown", name=name)
        return labels

    def record(self, split: str, image: Path, picture: Picture, labels: Labels | None) -> None:
        """Count what one image gives, and keep what is wrong with it."""
        for finding in picture.findings:
            self.found(image, finding)
        if labels is None:
            self.found(image, {"severity": "info", "code": "label_missing", "line": None, "data": {}})
            labels = Labels()
        for finding in labels.findings:
            self.found(image if self.task == "classify" else label_path(self.folder, image), finding)
        if picture.usable and labels.usable:
            self.usable[split] += 1
            self.boxes.update(labels.boxes)
            if labels.boxes:
                self.forms["corners" if labels.corners else "polygon" if labels.polygons else "box"] += 1
        if picture.unsafe:
            self.set_aside(image)

    def found(self, path: Path | None, finding: dict[str, Any]) -> None:
        """Count a finding; pass it on while there are not too many."""
        self.codes[finding["code"]] += 1
        if self.sent + len(self.waiting) < self.spec["max_findings"]:
            file = path and path.relative_to(self.folder).as_posix()
            self.waiting.append(finding | {"file": file and file[-255:]})
        if len(self.waiting) >= BATCH:
            self.flush()

    def find_orphans(self, split: str, images: list[Path]) -> None:
        """Labels without an image."""
        known = {label_path(self.folder, image) for image in images}
        for path in sorted(walk(self.folder / "labels" / split)):
            if path not in known and path.suffix == ".txt":
                self.found(path, {"severity": "warning", "code": "label_orphan", "line": None, "data": {}})

    def report(self, done: int, total: int) -> None:
        """Say how far it is, a few times a second."""
        if time.monotonic() - self.said >= REPORT_S or done == total:
            self.said = time.monotonic()
            self.channel.say(Validating(done, total))

    def flush(self) -> None:
        if self.waiting:
            self.channel.say(Findings(self.waiting))
            self.sent += len(self.waiting)
            self.waiting = []

    def finish(self, seconds: float) -> None:
        self.channel.say(
            Validated(
                images=self.images,
                usable={split: self.usable[split] for split in SPLITS},
                boxes={str(index): count for index, count in sorted(self.boxes.items())},
                largest_class=max(self.boxes, default=-1),
                findings=dict(self.codes),
                seconds=round(seconds, 3),
                task=self.task or self.shown(),
            )
        )

    def shown(self) -> str:
        """The task that the labels show. Polygons that all have four corners are taken for turned boxes; a model for
        either can be trained on them."""
        if self.forms["box"] or not self.forms:
            return "detect"
        return "segment" if self.forms["polygon"] else "obb"

    def set_aside(self, image: Path) -> None:
        """Out of the reach of a training: it would stop there, or need all memory."""
        target = self.folder / "set_aside" / image.relative_to(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(image, target)

    def restore(self) -> None:
        """Undo what an earlier run set aside, so that each run sees the same files."""
        for path in list(walk(self.folder / "set_aside")):
            os.replace(path, self.folder / path.relative_to(self.folder / "set_aside"))


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, as ultralytics sees them: hidden ones left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def label_path(folder: Path, image: Path) -> Path:
    """Where an image's labels are."""
    return folder / "labels" / image.relative_to(folder / "images").with_suffix(".txt")


def main(directory: str) -> None:
    os.nice(10)  # every core is used, and whoever waits for a page or a training comes first
    channel = Channel(directory)
    try:
        Validation(channel).run()
    except MemoryError:
        channel.fail("out_of_memory", "The validation ran out of memory.", traceback.format_exc())
    except Exception as error:  # whatever it is, the dataset's row must say it
        channel.fail("code", f"{type(error).__name__}: {error}"[:500], traceback.format_exc())


if __name__ == "__main__":
    main(sys.argv[1])
