"""Moves related images to one split: copies, similar images, frames of one source."""

from collections import Counter
from collections.abc import Collection

from app.core.splits import SPLITS
from app.worker.components import connected_components
from app.worker.quality.model import Entry
from app.worker.quality.revision_checks import related

MIN_SHARE = 0.5  # of a split's images
Group = list[Entry]


def together(entries: list[Entry], leaking: Collection[int]) -> dict[int, str]:
    """The new split of each moved image, by its id; no image moves if a split would become empty.

    A group contains everything that is linked, by any kind: moving a part would separate other pairs. It goes where
    most of it is, but a split keeps at least MIN_SHARE of its size if other groups can fill it.

    Args:
        leaking: ids of images; groups without one of them are unchanged.
    """
    groups = [group for group in linked(entries) if any(id(entry) in leaking for entry in group)]
    former = Counter(entry.split for entry in entries)
    moving = {id(entry) for group in groups for entry in group}
    sizes = Counter(entry.split for entry in entries if id(entry) not in moving)
    chosen: list[tuple[Group, str]] = []
    for group in sorted(groups, key=len, reverse=True):
        here = Counter(entry.split for entry in group)
        target = max(here, key=lambda split: (here[split], -SPLITS.index(split)))
        sizes[target] += len(group)
        chosen.append((group, target))
    for split in SPLITS:
        fill(split, chosen, sizes, former)
    if any(former[split] and not sizes[split] for split in SPLITS):
        return {}
    return {id(entry): target for group, target in chosen for entry in group if entry.split != target}


def fill(split: str, chosen: list[tuple[Group, str]], sizes: Counter[str], former: Counter[str]) -> None:
    """Fill a split that has become too small with groups that have images of it, those with the most first."""
    while sizes[split] < MIN_SHARE * former[split]:
        missing = former[split] - sizes[split]
        fitting = [
            (len(group) <= missing, share(group, split), -len(group), at)
            for at, (group, target) in enumerate(chosen)
            if target != split and share(group, split) and spares(target, len(group), sizes, former)
        ]
        if not fitting:
            return
        at = max(fitting)[-1]
        group, target = chosen[at]
        sizes[target] -= len(group)
        sizes[split] += len(group)
        chosen[at] = (group, split)


def share(group: Group, split: str) -> float:
    return sum(entry.split == split for entry in group) / len(group)


def spares(split: str, count: int, sizes: Counter[str], former: Counter[str]) -> bool:
    """Whether a split can give away so many images."""
    return sizes[split] > count and sizes[split] - count >= MIN_SHARE * former[split]


def linked(entries: list[Entry]) -> list[Group]:
    """Groups of images that are linked by any kind."""
    index_of = {id(entry): index for index, entry in enumerate(entries)}
    groups = [[index_of[id(entry)] for entry in group] for kind in related(entries).values() for group in kind]
    components = connected_components(len(entries), groups)
    return [[entries[index] for index in component] for component in components if len(component) > 1]
