"""Splits a dataset's images, as given or anew, and groups near-duplicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.report import Decision
from app.core.splits import SPLITS
from app.worker.assign import Assigned, Material, assign
from app.worker.classes import classes_in
from app.worker.formats import InvalidInput, Item, Source, decision
from app.worker.quality import ImageRecord, near_duplicates
from app.worker.sources import copies, sources
from app.worker.split import VAL_SHARE, SplitShares


@dataclass
class Partition:
    """For each image its split and the number of its group of near-duplicates."""

    splits: list[str]
    groups: list[int | None]
    sources: list[str]  # see sources.py
    material: Material  # what the splits were made of
    decisions: list[Decision] = field(default_factory=list)


def partition(
    items: Sequence[Item],
    pictures: Sequence[ImageRecord],
    wish: SplitShares | None,
    folder: Path,
    originals: Mapping[str, str],
    class_names: Sequence[str] = (),
) -> Partition:
    """Splits as given; where there are none, or others are wished, stratified ones that keep together what belongs
    together.

    Args:
        wish: shares that someone asked for; None: as given, else the default.
        folder: the source, for the classes in label files.
        originals: what images were called, where they are stored under another name, by path below the source.
        class_names: see `sources.sources`.
    """
    kinds = [classes_in(item, folder) for item in items]
    names = [originals.get(item.image, item.image) for item in items]
    hashes = [picture.phash for picture in pictures]
    of = sources(names, hashes, kinds, class_names) if not all(item.class_name for item in items) else copies(names)
    alike = near_duplicates([picture.phash for picture in pictures])
    groups: list[int | None] = [None] * len(items)
    for number, members in enumerate(alike):
        for index in members:
            groups[index] = number
    material = Material(
        keys=[picture.sha256 or item.image for item, picture in zip(items, pictures, strict=True)],
        given=[item.split for item in items],
        classes=[sorted(classes, key=str) for classes in kinds],
        ties=[*alike, *by_key([item.label or "" for item in items]), *by_key(of)],
    )
    done = assign(material, wish)
    return Partition(done.splits, groups, of, material, decided(done, wish or SplitShares()))


def decided(done: Assigned, shares: SplitShares) -> list[Decision]:
    """What is told about a split that was made here."""
    counts: dict[str, Any] = {name: done.splits.count(name) for name in SPLITS}
    made = []
    if done.how == "val_split":
        data = {"moved": counts["val"], "percent": round(100 * VAL_SHARE)}
        made.append(decision("val_split", "split", None, **data))
    elif done.how != "given":
        made.append(decision(done.how, "split", None, **counts, seed=shares.seed))
    if done.torn:
        made.append(decision("groups_torn", None, None, count=done.torn))
    return made


def by_key(keys: Sequence[str]) -> list[list[int]]:
    """Places of images with the same key; an empty one is none."""
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        if key:
            groups.setdefault(key, []).append(index)
    return [members for members in groups.values() if len(members) > 1]


def check_trainable(source: Source) -> None:
    """There must be something to train on, and something to measure it with.

    Raises:
        InvalidInput: there is not.
    """
    splits = {item.split for item in source.items}
    if splits and splits <= {"val", "test"}:
        raise InvalidInput("no_train_images")
    sides = len({item.label or item.image for item in source.items if item.split in {None, "train"}})
    if "val" not in splits and sides < 2:
        raise InvalidInput("one_image")
