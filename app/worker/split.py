"""Splits images: stratified by class, deterministic, groups kept together.

Without NumPy, which the preview of a split has no time to import.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from app.core.splits import SPLITS
from app.worker.components import connected_components

DEFAULT = (0.80, 0.15, 0.05)
VAL_SHARE = 0.20  # share of the training images, if a dataset has no validation images
MOST = 0.9  # larger groups are split, since both sides need images


@dataclass
class SplitShares:
    """The requested shares of the splits; `given`: requested by a user."""

    train: float = DEFAULT[0]
    val: float = DEFAULT[1]
    test: float = DEFAULT[2]
    seed: int = 0

    @property
    def parts(self) -> dict[str, float]:
        """Fractions by split that sum up to 1."""
        total = self.train + self.val + self.test
        return {"train": self.train / total, "val": self.val / total, "test": self.test / total}


@dataclass
class Sorted:
    """The split of each image, and the number of images separated from their group."""

    splits: list[str]
    torn: int = 0


@dataclass(slots=True)
class Bundle:
    """Images that stay together: their indexes, their counts per class, and their turn."""

    members: list[int]
    classes: Counter[Hashable] = field(default_factory=Counter)
    turn: bytes = b""


def split(
    keys: Sequence[str], classes: Sequence[Iterable[Hashable]], ties: Iterable[Sequence[int]], shares: SplitShares
) -> Sorted:
    """Distribute images over the splits by iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011).

    Class by class, rarest first, each bundle goes where most of that class is still missing. The order of bundles is
    that of a hash of their contents and the seed, so it does not depend on names, order or machine.

    Args:
        keys: identify each image's content; images with equal keys stay together if possible.
        classes: the classes in each image; images without any count as a class of their own.
        ties: indexes of images that belong together, in any number of overlapping groups.
        shares: requested; splits with the share 0 stay empty.
    """
    bundles, torn = bundled(keys, ties, shares)
    for bundle in bundles:
        for index in bundle.members:
            bundle.classes.update(set(classes[index]) or {None})
    assigned = stratified(bundles, shares)
    fill_empty(bundles, assigned, shares)
    Cover(bundles, assigned, shares).run()
    splits = [""] * len(keys)
    for bundle, name in zip(bundles, assigned, strict=True):
        for index in bundle.members:
            splits[index] = name
    return Sorted(splits, torn)


def bundled(keys: Sequence[str], ties: Iterable[Sequence[int]], shares: SplitShares) -> tuple[list[Bundle], int]:
    """The images in bundles, in order of their turn. A bundle with most of the images is split by content, otherwise by
    image.
    """
    groups, torn = connected_components(len(keys), [*ties, *same(keys, range(len(keys)))]), 0
    largest = max(groups, key=len, default=[])
    if len(largest) > max(1, MOST * len(keys)):
        groups.remove(largest)
        torn = len(largest)
        alike: dict[str, list[int]] = {}
        for index in largest:
            alike.setdefault(keys[index], []).append(index)
        if max(map(len, alike.values())) > MOST * len(keys):
            groups += [[index] for index in largest]
        else:
            groups += list(alike.values())
    bundles = [Bundle(members, turn=turn(keys, members, shares.seed)) for members in groups]
    return sorted(bundles, key=lambda bundle: (bundle.turn, bundle.members)), torn


def turn(keys: Sequence[str], members: list[int], seed: int) -> bytes:
    """The sort key of a bundle."""
    return hashlib.sha256(f"{seed}:{min(keys[index] for index in members)}".encode()).digest()


def same(keys: Sequence[str], indices: Iterable[int]) -> list[list[int]]:
    """Indexes with equal keys, if there are several."""
    alike: dict[str, list[int]] = {}
    for index in indices:
        alike.setdefault(keys[index], []).append(index)
    return [group for group in alike.values() if len(group) > 1]


def stratified(bundles: list[Bundle], shares: SplitShares) -> list[str]:
    """The split of each bundle."""
    parts = {name: part for name, part in shares.parts.items() if part > 0}
    total = sum(len(bundle.members) for bundle in bundles)
    missing = {name: part * total for name, part in parts.items()}
    counts: Counter[Hashable] = Counter()
    holders: dict[Hashable, list[int]] = {}
    for number, bundle in enumerate(bundles):
        counts.update(bundle.classes)
        for kind in bundle.classes:
            holders.setdefault(kind, []).append(number)
    missing_of = {kind: {name: part * count for name, part in parts.items()} for kind, count in counts.items()}
    assigned = [""] * len(bundles)
    for kind in sorted(counts, key=lambda kind: (counts[kind], str(kind))):
        mine = missing_of[kind]
        # Large bundles first, since small ones can then balance the rest. The sort is stable.
        for number in sorted(holders[kind], key=lambda number: -len(bundles[number].members)):
            if assigned[number]:
                continue
            bundle = bundles[number]
            name = max(parts, key=lambda name: (missing[name] > 0, mine[name], missing[name]))
            assigned[number] = name
            missing[name] -= len(bundle.members)
            for class_of_bundle, count in bundle.classes.items():
                missing_of[class_of_bundle][name] -= count
    return assigned


def fill_empty(bundles: list[Bundle], assigned: list[str], shares: SplitShares) -> None:
    """Give the training and the validation set at least one bundle each if there are two."""
    for name in ("val", "train"):
        if shares.parts[name] <= 0 or name in assigned:
            continue
        spare = [number for number, split in enumerate(assigned) if assigned.count(split) > 1 or split == "test"]
        if spare:
            assigned[min(spare, key=lambda number: len(bundles[number].members))] = name


class Cover:
    """Gives each class training and validation images, if there are enough bundles: otherwise it cannot be learned or
    evaluated.

    Args:
        bundles, assigned: groups of images, and the split of each; `assigned` is modified.
    """

    def __init__(self, bundles: list[Bundle], assigned: list[str], shares: SplitShares) -> None:
        self.bundles, self.assigned = bundles, assigned
        self.needed = [name for name in ("train", "val") if shares.parts[name] > 0]
        self.holders: dict[Hashable, list[int]] = {}
        self.counts: dict[str, Counter[Hashable]] = {name: Counter() for name in SPLITS}  # bundles by split and class
        for number, bundle in enumerate(bundles):
            for kind in bundle.classes:
                self.holders.setdefault(kind, []).append(number)
                self.counts[assigned[number]][kind] += 1

    def run(self) -> None:
        """Class by class, rarest first; training before validation."""
        for kind in sorted(self.holders, key=lambda kind: (len(self.holders[kind]), str(kind))):
            for name in self.needed:
                if kind is not None and not self.counts[name][kind]:
                    self.bring(kind, name)

    def bring(self, kind: Hashable, name: str) -> None:
        """Move the smallest bundle with the class that its split can spare, and one of similar size back."""
        free = [number for number in self.holders[kind] if self.spared(number, kind if name == "train" else None)]
        if not free:
            return
        number = min(free, key=lambda number: (len(self.bundles[number].members), self.bundles[number].turn))
        before, size = self.assigned[number], len(self.bundles[number].members)
        self.move(number, name)
        back = (
            replacement for replacement, split in enumerate(self.assigned) if split == name and replacement != number
        )
        fits = (
            replacement
            for replacement in back
            if len(self.bundles[replacement].members) == size and self.spared(replacement)
        )
        if (replacement := next(fits, None)) is not None:
            self.move(replacement, before)

    def spared(self, number: int, otherwise: Hashable = None) -> bool:
        """Whether its split keeps each class without it; `otherwise`: a class that another split needs more."""
        split = self.assigned[number]
        if split not in self.needed:
            return True
        kinds = self.bundles[number].classes.keys() - {None, otherwise}
        return all(self.counts[split][kind] > 1 for kind in kinds)

    def move(self, number: int, name: str) -> None:
        for kind in self.bundles[number].classes:
            self.counts[self.assigned[number]][kind] -= 1
            self.counts[name][kind] += 1
        self.assigned[number] = name
