"""The entries of a version: each image with its name, object and labels."""

import json
from collections.abc import Mapping
from pathlib import Path

from app.core.imports import ORIGINALS
from app.core.report import Decision
from app.worker.formats import Item, Source
from app.worker.importing.reporter import Reporter
from app.worker.objects import Objects
from app.worker.partition import Partition
from app.worker.quality import Entry, ImageRecord
from app.worker.recode import stored_name


class EntryMaker:
    """Creates the entries of a version.

    Args:
        originals: uploaded names of files that are stored under another name.
        examples: images in decisions, by their path below the source; `names_of_images` has their names in the version.
    """

    def __init__(
        self, dataset: Path, objects: Objects, originals: Mapping[str, str], examples: set[str], reporter: Reporter
    ) -> None:
        self.dataset, self.objects, self.originals = dataset, objects, originals
        self.examples, self.reporter = examples, reporter
        self.names_of_images: dict[str, str] = {}

    def create_entries(self, source: Source, pictures: list[ImageRecord], division: Partition) -> list[Entry]:
        """The entries in the order of the source's items, whose rows are consumed."""
        entries, findings_by_image = [], source.pop_image_findings()
        names = {item.name.casefold() for item in source.items}
        rows = zip(source.items, pictures, division.splits, division.groups, division.sources, strict=True)
        for item, picture, split, group, of in rows:
            self.reporter.go_on()
            rename(item, picture, names)
            entry = Entry(
                item.name,
                split,
                self.store(item, picture),
                picture,
                group=group,
                class_name=item.class_name,
                source=of,
                original=self.originals.get(item.image),
                findings=findings_by_image.pop(item.image, ()),
            )
            self.label(entry, item)
            if item.image in self.examples:
                self.names_of_images[item.image] = entry.name
            entries.append(entry)
        return entries

    def label(self, entry: Entry, item: Item) -> None:
        """Set its rows, or its file."""
        if item.rows is not None:
            entry.text = "".join(f"{row.text}\n" for row in item.rows)
            entry.origins = [(row.file, row.line) for row in item.rows]
            item.rows = None  # freed, since there may be 100,000 images
        elif item.label is not None:
            entry.label = self.dataset / "source" / item.label

    def store(self, item: Item, picture: ImageRecord) -> Path:
        """Store an image as an object; an unsafe one stays in the source only."""
        path = self.dataset / "source" / item.image
        if picture.unsafe or not picture.sha256:
            return path
        if picture.stored:
            return self.objects.add_file(self.dataset / picture.stored, picture.sha256)
        if picture.tail:
            return self.objects.with_tail(path, picture.tail, picture.sha256)
        return self.objects.add_file(path, picture.sha256)


def rename(item: Item, picture: ImageRecord, names: set[str]) -> None:
    """Give an image a suffix that YOLO supports; another name if that one is in use."""
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


def original_names(dataset: Path) -> dict[str, str]:
    """The uploaded names of files that are stored under another name; empty if they were not recorded."""
    try:
        originals = json.loads((dataset / ORIGINALS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(originals, dict):
        return {}
    return {key: name for key, name in originals.items() if isinstance(name, str)}


def images_of(decisions: list[Decision]) -> set[str]:
    """The images in decisions' examples, by their path below the source."""
    return {example["image"] for item in decisions for example in item.get("examples", [])}
