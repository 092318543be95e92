"""Makes a revision of a dataset from its raw files: `python -m app.worker.ingest DIRECTORY`.

spec.json:
    dataset     the dataset's folder (or its staging folder), with the files in `source/`
    number      of the revision to build, below `dataset/revisions/`
    adopt       true: the dataset is from before revisions; `source/` is made of what is there
    arriving    true: `source/` is still being filled; the file `arrived` names the images that are whole
    wait        true: after the first verdict the dataset still moves; where to, the file `placed` will say
    objects     the folder of the objects
    options     root, merge, classes, names, rename, split, task, format, reading; see DATASETS in the wiki and `Recipe`
    fixes       codes of findings to be mended, or "all"
    max_pixels, max_classes, max_findings, image_size

Says Planned or Refused, then Ingesting, at its end Ingested or Failed. Nothing below `source/` changes its content.
"""

import errno
import json
import os
import shutil
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.events import Ingested, Ingesting, Planned
from app.events import Refused as RefusedEvent
from app.worker import classes, formats
from app.worker.adopt import take_over
from app.worker.arrivals import Stopped, arrivals, has_task
from app.worker.assign import Material
from app.worker.build import Building
from app.worker.channel import Channel
from app.worker.doctor import Done, Entry, Examination, Picture, Report, Scan, ScanSpec, apply_fixes, examine
from app.worker.formats import Item, Options, Refused, Shown, Source
from app.worker.formats.paths import stem_of
from app.worker.objects import Objects
from app.worker.partition import Partition, check_trainable, partition
from app.worker.recode import stored_name
from app.worker.split import Shares

SPLITS = ("train", "val", "test")
SOURCE = Path("source")  # below the working directory
CONVERTED = Path("converted")  # images that are stored in another format, until they are objects
REPORT_S = 0.25
PLACED_S = 600.0  # until a web process that lives has moved the files
SAMPLES = 6
ORIGINALS = "names.json"  # of the dataset's folder, see app/services/storage/staging.py
NAMED = 50  # files that a report lists


@dataclass
class Recipe:
    """The options of the spec."""

    root: str | None = None
    merge: bool = False
    classes: str = ""
    names: list[str] | None = None
    rename: dict[str, str] | None = None
    split: dict[str, Any] | None = None
    task: str = "auto"
    format: str | None = None
    reading: list[str] | None = None

    def choices(self, max_classes: int) -> Options:
        reading = tuple(self.reading or ())
        return Options(self.root, self.merge, self.classes, self.task or "auto", self.format, max_classes, reading)

    @property
    def shares(self) -> Shares | None:
        return Shares(**self.split) if self.split else None


class Ingest:
    """The state of one run."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.spec = channel.spec
        self.recipe = Recipe(**self.spec["options"])
        self.dataset = Path(self.spec["dataset"])
        self.objects = Objects(Path(self.spec["objects"]))
        self.decisions: list[dict[str, Any]] = []
        self.source_names: list[str] = []
        self.names_of_images: dict[str, str] = {}  # in the revision, by path below the source; of examples only
        self.said = 0.0
        self.began = time.monotonic()

    @property
    def source_folder(self) -> Path:
        return self.dataset / "source"

    @property
    def scanning(self) -> ScanSpec:
        return ScanSpec(self.spec["max_pixels"], Path("thumbnails"), converted=CONVERTED)

    def run(self) -> None:
        """From the files to the terminal event."""
        if self.spec.get("adopt"):
            take_over(self.dataset)
        shutil.rmtree(CONVERTED, ignore_errors=True)  # of a run that ended early
        with Scan(self.scanning) as scan:
            for name in arrivals(self.channel, self.spec.get("arriving", False)):
                scan.begin(SOURCE / name)
            self.began = time.monotonic()
            source = self.read()
            paths = [SOURCE / item.image for item in source.items]
            pictures = list(scan.pictures(paths, self.progress("scanning")))  # each is read once
        source, pictures = self.read_again(source, pictures)
        self.decisions += source.decisions
        self.wait_for_place()
        originals = original_names(self.dataset)
        done = partition(source.items, pictures, self.recipe.shares, self.source_folder, originals, source.names)
        self.decisions += done.decisions
        entries = self.entries(source, pictures, done, originals)
        source.items.clear()
        self.tell_converted(pictures)
        entries, effects = self.fix(source, entries)
        self.build(source, entries, effects, done.material)

    def read(self) -> Source:
        """What the files are; says Planned."""
        self.tell("reading", 0, 0, force=True)
        source = self.read_files({})
        check_trainable(source)
        self.channel.say(
            Planned(source.format, source.root, len(source.items), source.names, source.task, source.decisions)
        )
        return source

    def read_files(self, pictures: Mapping[str, Shown]) -> Source:
        """The source with the recipe's names; `pictures` as `formats.read` takes them."""
        options = self.recipe.choices(self.spec["max_classes"])
        found = formats.choose(formats.detect(SOURCE, options.task), options)
        source = formats.read(SOURCE, found, options, pictures)
        classes.set_names(source, SOURCE, self.recipe.names)
        classes.ungarble(source, SOURCE)
        self.source_names = source.names
        classes.rename(source, SOURCE, self.recipe.rename)
        return source

    def read_again(self, source: Source, pictures: list[Picture]) -> tuple[Source, list[Picture]]:
        """Where images are turned, or not of the size that the annotations say, these are read once more with that
        knowledge. In nearly all datasets there is nothing to be done."""
        seen = {item.image: picture for item, picture in zip(source.items, pictures, strict=True)}
        shown = {
            name: Shown((picture.width, picture.height), picture.orientation) for name, picture in seen.items()
            if picture.width and picture.height
        }  # fmt: skip
        disputed = formats.disputed(source, shown)
        if not disputed:
            return source, pictures
        source = self.read_files(disputed)
        return source, [seen[item.image] for item in source.items]

    def wait_for_place(self) -> None:
        """The files are where they stay, and on the disk, from here on."""
        limit = time.monotonic() + PLACED_S
        placed = self.channel.directory / "placed"
        while self.spec["wait"] and not placed.exists():
            if time.monotonic() > limit:
                raise TimeoutError("The server did not take the dataset over.")
            self.go_on()
            time.sleep(0.005)
        if self.spec["wait"]:
            self.dataset = Path(json.loads(placed.read_text(encoding="utf-8"))["dataset"])

    def entries(
        self, source: Source, pictures: list[Picture], done: Partition, originals: Mapping[str, str]
    ) -> list[Entry]:
        """What the revision holds."""
        made, found = [], source.take_findings()
        shown = images_of(self.decisions)
        names = {item.name.casefold() for item in source.items}
        places = zip(source.items, pictures, done.splits, done.groups, done.sources, strict=True)
        for item, picture, split, group, of in places:
            self.go_on()
            rename(item, picture, names)
            entry = Entry(item.name, split, self.keep(item, picture), picture, group=group, class_name=item.class_name,
                          source=of, original=originals.get(item.image),
                          found=found.pop(item.image, ()))  # fmt: skip
            if item.rows is not None:
                entry.text = "".join(f"{row.text}\n" for row in item.rows)
                entry.origins = [(row.file, row.line) for row in item.rows]
                item.rows = None  # their memory is needed: 100,000 images
            elif item.label is not None:
                entry.label = self.source_folder / item.label
            if item.image in shown:
                self.names_of_images[item.image] = entry.name
            made.append(entry)
        return made

    def tell_converted(self, pictures: list[Picture]) -> None:
        """What became of images in formats that training may not read."""
        kinds = Counter(
            finding["data"]["format"] for picture in pictures if picture.stored
            for finding in picture.findings if finding["code"] == "image_converted"
        )  # fmt: skip
        for kind, count in sorted(kinds.items()):
            self.decide("images_converted", count=count, format=kind)
        shutil.rmtree(self.dataset / CONVERTED, ignore_errors=True)  # they are objects now

    def keep(self, item: Item, picture: Picture) -> Path:
        """The object of an image; an unsafe one stays among the source's files alone."""
        path = self.source_folder / item.image
        if picture.unsafe or not picture.sha256:
            return path
        if picture.stored:
            return self.objects.take(self.dataset / picture.stored, picture.sha256)
        if picture.tail:
            return self.objects.with_tail(path, picture.tail, picture.sha256)
        return self.objects.take(path, picture.sha256)

    def fix(self, source: Source, entries: list[Entry]) -> tuple[list[Entry], list[Done]]:
        """Mend what was asked for."""
        if not self.spec["fixes"]:
            return entries, []

        def store(content: bytes, suffix: str) -> Path:
            return self.objects.add(lambda draft: draft.write_bytes(content))[0]

        return apply_fixes(entries, self.spec["fixes"], self.examination(source, entries), store, self.scanning)

    def examination(self, source: Source, entries: list[Entry]) -> Examination:
        return Examination(
            names=source.names,
            task=source.task,
            keypoints=source.keypoints,
            image_size=self.spec["image_size"],
            max_classes=self.spec["max_classes"],
            max_findings=self.spec["max_findings"],
            orphans=[],
            found=source.findings,
        )

    def build(self, source: Source, entries: list[Entry], effects: list[Done], material: Material) -> None:
        """Examine the entries, build the tree; says Ingested."""
        with Building(self.dataset / "revisions" / str(self.spec["number"])) as building:
            index = building.folder / "index.sqlite"
            report = examine(entries, self.examination(source, entries), index, self.progress("checking"))
            names = self.final_names(source, report)
            total, progress = len(entries), self.progress("building")
            building.fill(entries, report.task == "classify", lambda done: progress(done, total))
            building.describe(names, source.keypoints)
            material.save(building.folder)
            found = building.finish()
        self.channel.say(self.result(source, names, report, effects, found, building.size))

    def final_names(self, source: Source, report: Report) -> list[str]:
        """Those that are known; else numbered ones, up to the largest class in the labels."""
        if source.names or report.largest_class < 0:
            return source.names
        self.decide("classes_unnamed", "names", last=report.largest_class)
        return [f"class_{number}" for number in range(report.largest_class + 1)]

    def result(
        self, source: Source, names: list[str], report: Report, effects: list[Done], found: str, size: int
    ) -> Ingested:
        """The terminal event."""
        if source.task is None and report.task != "detect":
            self.decide("task_found", "task", ["detect", "segment", "obb"], task=report.task)
        aside = sum(report.findings.get(code, 0) for code in ("image_broken", "image_too_large"))
        if aside:
            self.decide("set_aside", count=aside)
        total = sum(report.findings.values())
        if total > report.stored:
            self.decide("findings_cut", total=total, stored=report.stored)
        index = self.dataset / "revisions" / str(self.spec["number"]) / "index.sqlite"
        place_examples(self.decisions, self.names_of_images, index)
        return Ingested(
            number=self.spec["number"],
            hash=found,
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
            seconds=round(time.monotonic() - self.began, 3),
            source_names=self.source_names or names,
            keypoints=source.keypoints,
            effects={
                done.code: {"images": done.images, "rows": done.rows, "files": done.files, "emptied": done.emptied}
                for done in effects
            },
            fixable=report.fixable,
            outside=source.outside[:NAMED],
            outside_count=len(source.outside),
            root=source.root,
        )

    def decide(self, code: str, parameter: str | None = None, options: list[Any] | None = None, **data: Any) -> None:
        self.decisions.append(formats.decision(code, parameter, options, **data))

    def progress(self, stage: str) -> Callable[[int, int], None]:
        """Says how far a stage is."""
        return lambda done, total: self.tell(stage, done, total)

    def tell(self, stage: str, done: int, total: int, force: bool = False) -> None:
        """A few times a second, and at a stage's end."""
        now = time.monotonic()
        if force or now - self.said >= REPORT_S or (total and done == total):
            self.said = now
            self.go_on()
            self.channel.say(Ingesting(stage, done, total))

    def go_on(self) -> None:
        """End here where the supervisor asked for it. Looked up a few times a second only."""
        if self.channel.stop_requested():
            raise Stopped


def original_names(dataset: Path) -> dict[str, str]:
    """What the upload called files that are stored under another name; none where nobody wrote it down."""
    try:
        known = json.loads((dataset / ORIGINALS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: name for key, name in known.items() if isinstance(name, str)}


def labelled_elsewhere(source: Source) -> dict[str, int]:
    """Images that somebody labelled and the dataset does not hold, by the code of the finding."""
    counts = Counter[str]()
    for item in source.findings:
        listed = item["code"] == "image_missing" and str(item["file"]).endswith(
            ".txt"
        )  # by a list, which labels nothing
        if item["code"] in {"label_orphan", "image_missing"} and not listed:
            counts[item["code"]] += 1
        elif item["code"] == "images_missing":
            counts["image_missing"] += item["data"]["count"]
    return dict(counts)


def rename(item: Item, picture: Picture, names: set[str]) -> None:
    """A name with a suffix that YOLO looks at; another one where an image has that already."""
    name = stored_name(item.name, picture.stored is not None)
    if name == item.name:
        return
    names.discard(item.name.casefold())
    stem, dot, suffix = name.rpartition(".")
    number = 1
    while name.casefold() in names:
        number += 1
        name = f"{stem}_{number}{dot}{suffix}"
    names.add(name.casefold())
    item.name = name


def samples(index: Path) -> list[int]:
    """Some images of the index for a first look: evenly spread, usable ones where there are."""
    with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM image WHERE thumbnail ORDER BY id")]
    step = max(1, len(ids) // SAMPLES)
    return ids[::step][:SAMPLES]


def images_of(decisions: list[dict[str, Any]]) -> set[str]:
    """The images that decisions show as examples, by their path below the source."""
    return {example["image"] for item in decisions for example in item.get("examples", [])}


def place_examples(decisions: list[dict[str, Any]], names: dict[str, str], index: Path) -> None:
    """Give each example the number and size of its image in the index; one that has no thumbnail goes."""
    if not names:
        return
    wanted = {stem_of(name): image for image, name in names.items()}
    placed: dict[str, dict[str, Any]] = {}
    with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as connection:
        for key, file, width, height in connection.execute("SELECT id, file, width, height FROM image WHERE thumbnail"):
            if image := wanted.get(stem_of(file.split("/", 2)[2])):  # a fix may have given it another suffix
                placed[image] = {"id": key, "file": file, "width": width, "height": height}
    for item in decisions:
        if "examples" in item:
            item["examples"] = [
                shown | placed[shown["image"]] for shown in item["examples"] if shown["image"] in placed
            ]


def main(directory: str) -> None:
    os.nice(10)  # every core is used, and whoever waits for a page or a training comes first
    place = Path(directory).absolute()
    if not has_task(place):
        return
    channel = Channel(place)
    channel.hear_terminations()
    try:
        os.chdir(channel.spec["dataset"])  # it is renamed while it is read: what is relative goes with it
        Ingest(channel).run()
    except Stopped:
        return
    except Refused as verdict:
        channel.say(RefusedEvent(verdict.code, verdict.data))
    except MemoryError:
        channel.fail("out_of_memory", "The import ran out of memory.", traceback.format_exc())
    except Exception as error:  # whatever it is, the dataset's row must say it
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        channel.fail("disk_full" if full else "code", f"{type(error).__name__}: {error}"[:500], traceback.format_exc())


if __name__ == "__main__":
    main(sys.argv[1])
