"""Checks a version as a whole: duplicates, leaks between splits, classes with too few examples."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.core.natural import natural_key
from app.core.splits import SPLITS
from app.core.text_data import TextData
from app.worker.quality.model import Entry, Finding
from app.worker.quality.statistics import Statistics

# Classes with fewer objects in the training images are reported. A minimum chosen here; ultralytics recommends 1,500
# images and 10,000 objects per class (docs, "Tips for best training results").
FEW = 50


LEAKS = {"same": "leak_exact", "alike": "leak", "source": "leak_source"}  # by kind: identical bytes, similarity, name


@dataclass(slots=True)
class Twin:
    """A related image: identical, similar, or from the same source; `first` is the first one of its group."""

    entry: Entry
    first: Entry
    kind: str  # key of LEAKS

    @property
    def leak(self) -> str | None:
        """The code of the finding if the two are in different splits."""
        return LEAKS[self.kind] if self.entry.split != self.first.split else None


def twins(entries: Iterable[Entry]) -> Iterator[Twin]:
    """Each image that repeats or resembles an earlier one in the order train, val, test, with the first of those; and
    each whose source is in an earlier split. An image is reported once as a repetition, and once as a leak.
    """
    reported: set[tuple[int, bool]] = set()
    for kind, groups in related(entries).items():
        for group in groups:
            first, *rest = sorted(group, key=order)
            for entry in rest:
                twin = Twin(entry, first, kind)
                mark = (id(entry), twin.leak is not None)
                if mark not in reported and (twin.leak or kind != "source"):  # the same source within one split is fine
                    reported.add(mark)
                    yield twin


def leaking(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Each group with images in several splits, and the code of the leak; an image reported as one kind of leak may
    also be in groups of others.
    """
    for kind, groups in related(entries).items():
        for group in groups:
            if len({entry.split for entry in group}) > 1:
                yield LEAKS[kind], group


def related(entries: Iterable[Entry]) -> dict[str, list[list[Entry]]]:
    """Groups of related images, by kind of LEAKS."""
    entries_by_kind: dict[str, dict[Any, list[Entry]]] = {kind: {} for kind in LEAKS}
    for entry in entries:
        if entry.picture.sha256 and not entry.picture.unsafe:
            entries_by_kind["same"].setdefault(entry.picture.sha256, []).append(entry)
        if entry.group is not None:
            entries_by_kind["alike"].setdefault(entry.group, []).append(entry)
        if entry.source:
            entries_by_kind["source"].setdefault(entry.source, []).append(entry)
    return {kind: [group for group in groups.values() if len(group) > 1] for kind, groups in entries_by_kind.items()}


def order(entry: Entry) -> tuple[int, tuple[str, str]]:
    """The order of the index: natural order, image2 before image10."""
    return SPLITS.index(entry.split), natural_key(entry.name)


def judge_twin(twin: Twin, differ: Callable[[Entry, Entry], bool]) -> tuple[str, str, TextData]:
    """Severity, code and data of a related image; `differ` compares the labels of two."""
    entry, first = twin.entry, twin.first
    data = {"other": first.file, "split": entry.split, "other_split": first.split}
    if twin.leak:
        return "warning", twin.leak, data | ({"source": source_name(entry)} if twin.kind == "source" else {})
    if twin.kind != "same":
        return "info", "near_duplicate", data
    return "warning", "duplicate_conflict" if differ(entry, first) else "duplicate_image", data


def source_name(entry: Entry) -> str:
    """A source for a message."""
    return entry.source.strip("/") or "/"


def judge_classes(statistics: Statistics, names: list[str], images: dict[str, int]) -> Iterator[Finding]:
    """Classes with too few examples for training or validation."""
    for number, name in enumerate(names):
        train = statistics.objects["train"][number]
        if not train:
            yield about(name, "warning", "class_missing_train")
        elif train < FEW:
            yield about(name, "warning", "class_few", count=train, few=FEW)
        if train and not statistics.objects["val"][number]:
            yield about(name, "warning", "class_missing_val")
        elif train and images["test"] and not statistics.objects["test"][number]:
            yield about(name, "info", "class_missing_test")


def about(name: str, severity: str, code: str, **data: Any) -> Finding:
    return {"severity": severity, "code": code, "file": None, "line": None, "data": {"name": name} | data}
