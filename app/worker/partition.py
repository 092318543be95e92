"""The split of a dataset's images: as given, or made here; and which images look alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.worker.classes import classes_in
from app.worker.doctor import Picture, near_duplicates
from app.worker.formats import Item, Refused, Source, decision
from app.worker.sources import copies, sources
from app.worker.split import VAL_SHARE, Shares, split


@dataclass
class Partition:
    """For each image its split and the number of its group of near-duplicates."""

    splits: list[str]
    groups: list[int | None]
    sources: list[str]  # see sources.py
    decisions: list[dict[str, Any]] = field(default_factory=list)


def partition(
    items: Sequence[Item],
    pictures: Sequence[Picture],
    wish: Shares | None,
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
        for place in members:
            groups[place] = number
    splits = [item.split or "train" for item in items]
    made = Partition(splits, groups, of)
    given = {item.split for item in items}
    if wish or given == {None}:
        shares = wish or Shares()
        apart(made, items, pictures, alike, shares, list(range(len(items))), kinds)
        counts = {name: splits.count(name) for name in ("train", "val", "test")}
        data: dict[str, Any] = counts | {"seed": shares.seed}
        made.decisions.insert(0, decision("split_made" if wish is None else "split_wished", "split", None, **data))
    elif "val" not in given:
        places = [place for place, name in enumerate(splits) if name == "train"]
        apart(made, items, pictures, alike, Shares(1 - VAL_SHARE, VAL_SHARE, 0), places, kinds)
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
    kinds: Sequence[set[int | str]],
) -> None:
    """Split the images at these places anew."""
    here = {place: position for position, place in enumerate(places)}
    ties = [[here[place] for place in members if place in here] for members in alike]
    ties += by_key([item.label or "" for item in items], places, here)
    ties += by_key(made.sources, places, here)
    keys = [pictures[place].sha256 or items[place].image for place in places]
    done = split(keys, [kinds[place] for place in places], ties, shares)
    for place, name in zip(places, done.splits, strict=True):
        made.splits[place] = name
    if done.torn:
        made.decisions.append(decision("groups_torn", None, None, count=done.torn))


def by_key(keys: Sequence[str], places: list[int], here: dict[int, int]) -> list[list[int]]:
    """Positions of images with the same key; an empty one is none."""
    groups: dict[str, list[int]] = {}
    for place in places:
        if keys[place]:
            groups.setdefault(keys[place], []).append(here[place])
    return [members for members in groups.values() if len(members) > 1]


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
