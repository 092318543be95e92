"""The split of a dataset's images: as given, or made here; and which images look alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.worker.classes import classes_in
from app.worker.doctor import Picture, near_duplicates
from app.worker.formats import Item, Refused, Source, decision
from app.worker.split import VAL_SHARE, Shares, split

SOURCES_MOST = 0.3  # a "source" with more of the images says nothing about where they are from


@dataclass
class Partition:
    """For each image its split and the number of its group of near-duplicates."""

    splits: list[str]
    groups: list[int | None]
    decisions: list[dict[str, Any]] = field(default_factory=list)


def partition(items: Sequence[Item], pictures: Sequence[Picture], wish: Shares | None, folder: Path) -> Partition:
    """Splits as given; where there are none, or others are wished, stratified ones that keep together what belongs
    together.

    Args:
        wish: shares that someone asked for; None: as given, else the default.
        folder: the source, for the classes in label files.
    """
    alike = near_duplicates([picture.phash for picture in pictures])
    groups: list[int | None] = [None] * len(items)
    for number, members in enumerate(alike):
        for place in members:
            groups[place] = number
    splits = [item.split or "train" for item in items]
    made = Partition(splits, groups)
    given = {item.split for item in items}
    if wish or given == {None}:
        shares = wish or Shares()
        apart(made, items, pictures, alike, shares, list(range(len(items))), folder)
        counts = {name: splits.count(name) for name in ("train", "val", "test")}
        data: dict[str, Any] = counts | {"seed": shares.seed}
        made.decisions.insert(0, decision("split_made" if wish is None else "split_wished", "split", None, **data))
    elif "val" not in given:
        places = [place for place, name in enumerate(splits) if name == "train"]
        apart(made, items, pictures, alike, Shares(1 - VAL_SHARE, VAL_SHARE, 0), places, folder)
        data = {"moved": splits.count("val"), "percent": round(100 * VAL_SHARE)}
        made.decisions.insert(0, decision("val_split", "split", None, **data))
    return made


def apart(
    made: Partition,
    items: Sequence[Item],
    pictures: Sequence[Picture],
    alike: list[list[int]],
    shares: Shares,
    places: list[int],
    folder: Path,
) -> None:
    """Split the images at these places anew."""
    here = {place: position for position, place in enumerate(places)}
    ties = [[here[place] for place in members if place in here] for members in alike]
    ties += by_key(items, places, here, lambda item: item.label or "", len(places) + 1)
    ties += by_key(items, places, here, lambda item: item.group, max(1, int(SOURCES_MOST * len(places))))
    keys = [pictures[place].sha256 or items[place].image for place in places]
    done = split(keys, [classes_in(items[place], folder) for place in places], ties, shares)
    for place, name in zip(places, done.splits, strict=True):
        made.splits[place] = name
    if done.torn:
        made.decisions.append(decision("groups_torn", None, None, count=done.torn))


def by_key(
    items: Sequence[Item], places: list[int], here: dict[int, int], key: Callable[[Item], str], most: int
) -> list[list[int]]:
    """Positions of items with the same key; groups of more than `most` are none."""
    groups: dict[str, list[int]] = {}
    for place in places:
        if name := key(items[place]):
            groups.setdefault(name, []).append(here[place])
    return [members for members in groups.values() if 1 < len(members) <= most]


def check_trainable(source: Source) -> None:
    """There must be something to train on, and something to measure it with.

    Raises:
        Refused: there is not.
    """
    given = {item.split for item in source.items}
    if given and given <= {"val", "test"}:
        raise Refused("no_train_images")
    sides = len({item.label or item.image for item in source.items if item.split in {None, "train"}})
    if "val" not in given and sides < 2:
        raise Refused("one_image")
