"""Assigns each image to a split, using only data that is stored with a version, so that the preview and the import run
the same function.

Standard library only.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.core.files import atomic_write
from app.core.programs import SplitResult
from app.core.splits import SPLITS
from app.worker.split import VAL_SHARE, SplitShares, split

FILE = "split.json.gz"  # in a version's folder


@dataclass
class Material:
    """What the splits of a dataset's images depend on, by image. Stored with each version under these names.

    Attributes:
        keys: content identifiers. given: splits in the upload. classes: those of the objects.
        ties: indexes of images that belong together, in any number of overlapping groups.
    """

    keys: list[str]
    given: list[str | None]
    classes: list[list[int | str]]
    ties: list[list[int]]

    def save(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        atomic_write(folder / FILE, lambda draft: draft.write_bytes(gzip.compress(text, 6, mtime=0)))

    @classmethod
    def load(cls, folder: Path) -> "Material":
        """Read the data that the import stored for a new split.

        Raises:
            OSError: there is none.
            ValueError: it is damaged.
            KeyError: the same.
            TypeError: the same.
            EOFError: the same.
        """
        return cls(**json.loads(gzip.decompress((folder / FILE).read_bytes()).decode("utf-8", "surrogatepass")))


@dataclass
class Assigned:
    """The split of each image; how it was determined: `split_made`, `split_wished`, `val_split`, or `given`; and the
    number of images that were separated from their group.
    """

    splits: list[str]
    how: str
    torn: int = 0


def assign(material: Material, requested: SplitShares | None) -> Assigned:
    """The source's splits; stratified ones if it has none, or shares are requested.

    Args:
        requested: shares; None: the source's splits, otherwise the default shares.
    """
    splits = [name or "train" for name in material.given]
    source_splits = set(material.given)
    if requested or source_splits == {None}:
        how = "split_made" if requested is None else "split_wished"
        return apart(material, splits, requested or SplitShares(), range(len(splits)), how)
    if "val" not in source_splits:
        indices = [index for index, name in enumerate(splits) if name == "train"]
        return apart(material, splits, SplitShares(1 - VAL_SHARE, VAL_SHARE, 0), indices, "val_split")
    return Assigned(splits, "given")


def apart(material: Material, splits: list[str], shares: SplitShares, indices: Sequence[int], how: str) -> Assigned:
    """Split the images at these indexes again."""
    here = {index: position for position, index in enumerate(indices)}
    ties = [[here[index] for index in members if index in here] for members in material.ties]
    keys, classes = [material.keys[index] for index in indices], [material.classes[index] for index in indices]
    result = split(keys, classes, ties, shares)
    for index, name in zip(indices, result.splits, strict=True):
        splits[index] = name
    return Assigned(splits, how, result.torn)


def counted(material: Material, assigned: Assigned) -> SplitResult:
    """Images by split, and by class and split."""
    classes: dict[int | str, dict[str, int]] = {}
    for kinds, name in zip(material.classes, assigned.splits, strict=True):
        for kind in kinds:
            classes.setdefault(kind, dict.fromkeys(SPLITS, 0))[name] += 1
    order = sorted(classes, key=lambda kind: (isinstance(kind, str), kind))
    return {
        "how": assigned.how,
        "splits": {name: assigned.splits.count(name) for name in SPLITS},
        "classes": [
            {"class": kind, "train": classes[kind]["train"], "val": classes[kind]["val"], "test": classes[kind]["test"]}
            for kind in order
        ],
        "torn": assigned.torn,
    }
