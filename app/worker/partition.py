"""Splits a dataset's images, by the source or by shares, and groups near-duplicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.report import Decision
from app.core.splits import SPLITS
from app.worker.assign import Assigned, Material, assign
from app.worker.classes import classes_in
from app.worker.formats import InvalidInput, Item, Source, decision
from app.worker.quality import ImageRecord, near_duplicates
from app.worker.sources import copies, sources
from app.worker.split import SplitShares


@dataclass
class Partition:
    """For each image its split and the number of its group of near-duplicates."""

    splits: list[str]
    groups: list[int | None]
    sources: list[str]  # see sources.py
    material: Material  # the input of the split
    decisions: list[Decision] = field(default_factory=list)


def partition(
    items: Sequence[Item],
    pictures: Sequence[ImageRecord],
    requested: SplitShares | None,
    folder: Path,
    originals: Mapping[str, str],
    class_names: Sequence[str] = (),
) -> Partition:
    """The source's splits; if there are none, or shares are requested, stratified ones that keep groups together.

    Args:
        requested: requested shares; None: the source's splits, otherwise the default shares.
        folder: the source, for the classes in label files.
        originals: uploaded names of images stored under another name, by path below the source.
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
    assigned = assign(material, requested)
    return Partition(assigned.splits, groups, of, material, decided(assigned, requested or SplitShares()))


def decided(assigned: Assigned, shares: SplitShares) -> list[Decision]:
    """The decisions about a split that was computed here."""
    counts = {name: assigned.splits.count(name) for name in SPLITS}
    decisions = []
    if assigned.how == "val_split":
        # Groups stay together, so the share may differ from VAL_SHARE.
        moved, candidates = counts["val"], counts["train"] + counts["val"]
        data = {"moved": moved, "percent": round(100 * moved / candidates)}
        decisions.append(decision("val_split", "split", None, **data))
    elif assigned.how != "given":
        decisions.append(decision(assigned.how, "split", None, **counts, seed=shares.seed))
    if assigned.torn:
        decisions.append(decision("groups_torn", None, None, count=assigned.torn))
    return decisions


def by_key(keys: Sequence[str]) -> list[list[int]]:
    """Indexes of images with the same non-empty key."""
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        if key:
            groups.setdefault(key, []).append(index)
    return [members for members in groups.values() if len(members) > 1]


def check_trainable(source: Source) -> None:
    """Check that there are images for training, and for validation.

    Raises:
        InvalidInput: one of them has none.
    """
    splits = {item.split for item in source.items}
    if splits and splits <= {"val", "test"}:
        raise InvalidInput("no_train_images")
    sides = len({item.label or item.image for item in source.items if item.split in {None, "train"}})
    if "val" not in splits and sides < 2:
        raise InvalidInput("one_image")
