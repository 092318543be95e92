"""What is wrong with a revision as a whole: repeated images, leaks between splits, classes with too few examples."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.worker.doctor.model import Entry, Finding
from app.worker.doctor.statistics import SPLITS, Statistics

# Fewer objects of a class in the training images than this are told. Chosen here as a floor; ultralytics advises 1,500
# images and 10,000 objects a class (docs, "Tips for best training results").
FEW = 50


@dataclass(slots=True)
class Twin:
    """An image that repeats another one, or looks like it; `other` is the first of them all."""

    entry: Entry
    other: Entry
    same: bool  # byte by byte


def twins(entries: Iterable[Entry]) -> Iterator[Twin]:
    """Each image that repeats or resembles one before it in the order train, val, test, with the first of those."""
    exact: dict[str, list[Entry]] = {}
    alike: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.picture.sha256 and not entry.picture.unsafe:
            exact.setdefault(entry.picture.sha256, []).append(entry)
        if entry.group is not None:
            alike.setdefault(entry.group, []).append(entry)
    told: set[int] = set()
    for same, groups in ((True, exact.values()), (False, alike.values())):
        for group in groups:
            first, *others = sorted(group, key=order)
            for entry in others:
                if id(entry) not in told:
                    told.add(id(entry))
                    yield Twin(entry, first, same)


def order(entry: Entry) -> tuple[int, str]:
    """The order of the index."""
    return SPLITS.index(entry.split), entry.name


def judge_twin(twin: Twin, differ: Callable[[Entry, Entry], bool]) -> tuple[str, str, dict[str, Any]]:
    """Severity, code and data of a repeated image; `differ` compares the labels of two."""
    entry, other = twin.entry, twin.other
    data = {"other": other.file, "split": entry.split, "other_split": other.split}
    if entry.split != other.split:
        return "warning", "leak_exact" if twin.same else "leak", data
    if not twin.same:
        return "info", "near_duplicate", data
    return "warning", "duplicate_conflict" if differ(entry, other) else "duplicate_image", data


def judge_classes(statistics: Statistics, names: list[str], images: dict[str, int]) -> Iterator[Finding]:
    """Classes that cannot be learned or measured, or hardly."""
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
