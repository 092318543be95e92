"""Compares two evaluations of the same images, with confidence intervals.

spec.json: see `CompareSpec`. Result: `images`; `differ` (`images` or `objects`: the evaluations do not have the same;
other fields are then missing); `figures`, each with `value`, the difference of this evaluation from the other, and
`low` and `high` of its 95 % interval by a paired bootstrap over the images. Refused code: `damaged`, with `side`
(`this` or `other`) and `file`. Without torch, since a request waits for it.
"""

import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from app.core.outcome_files import MATCHES, OUTCOMES, Picture, read_only, read_pictures
from app.core.outcomes import ImageResult, unpack
from app.core.programs import CompareSpec, Difference, Differences
from app.worker.bootstrap import MAP50, MAP95, ROUNDS, mean_precision, paired, rounds_of
from app.worker.channel import Channel
from app.worker.failures import InvalidInput
from app.worker.matches import Matches

SIDES = ("this", "other")
# Errors of numpy and SQLite on damaged files.
DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, struct.error, zipfile.BadZipFile, zlib.error)


def run(channel: Channel) -> Differences:
    """Compare two evaluations of the same images.

    Raises:
        InvalidInput: a stored file is damaged.
    """
    spec = CompareSpec.of(channel.spec)
    this, other = Path(spec.this), Path(spec.other)
    if not same_files(this, other):
        return {"differ": "images"}
    images, right = 0, []
    for (one, mine), (_two, theirs) in zip(images_in(this, "this"), images_in(other, "other"), strict=True):
        if list(mine.objects) != list(theirs.objects) or not same_positions(mine, theirs, slack(one)):
            return {"differ": "objects"}
        images += 1
        right.append([is_right(mine), is_right(theirs)])
    if spec.classification:
        return {"images": images, "figures": accuracies(right)}
    return {"images": images, "figures": precisions(this, other)}


@contextmanager
def reading(side: str, file: str) -> Iterator[None]:
    """Name the damaged file if reading it fails.

    Raises:
        InvalidInput: this file is damaged.
    """
    try:
        yield
    except (*DAMAGE, sqlite3.DatabaseError) as error:
        raise InvalidInput("damaged", side=side, file=file) from error


def images_in(folder: Path, side: str) -> Iterator[tuple[Picture, ImageResult]]:
    """Each image, by its number."""
    with reading(side, OUTCOMES):
        for picture in read_pictures(folder / OUTCOMES):
            yield picture, unpack(picture[-1])


def same_files(this: Path, other: Path) -> bool:
    return all(one == two for one, two in zip_longest(names_in(this, "this"), names_in(other, "other")))


def names_in(folder: Path, side: str) -> Iterator[str]:
    with reading(side, OUTCOMES), closing(sqlite3.connect(read_only(folder / OUTCOMES), uri=True)) as connection:
        for (name,) in connection.execute("SELECT file FROM image ORDER BY id"):
            yield name


def slack(picture: Picture) -> float:
    """Tolerance for an object's position, px: models of other sizes round to whole pixels of their input, each several
    pixels of a photo.
    """
    _id, _file, width, height, _packed = picture
    return 2 + 0.01 * max(width, height)


def same_positions(first: ImageResult, second: ImageResult, within: float) -> bool:
    """Whether the objects have the same positions."""
    if [len(corners) for corners in first.object_corners] != [len(corners) for corners in second.object_corners]:
        return False
    pairs = zip(first.object_corners, second.object_corners, strict=True)
    return all(abs(a - b) < within for mine, theirs in pairs for a, b in zip(mine, theirs, strict=True))


def is_right(image: ImageResult) -> bool:
    return bool(image.detections) and image.detections[0] == (image.objects[0] if image.objects else None)


def accuracies(right: list[list[bool]]) -> dict[str, Difference]:
    """The differences of accuracies of a classification."""
    import numpy as np

    table = np.array(right, float)

    def accuracy(column: int) -> Any:
        return lambda weight: np.array([np.average(table[:, column], weights=weight)])

    return {"top1": paired(accuracy(0), accuracy(1), len(table), ROUNDS)[0]}


def precisions(this: Path, other: Path) -> dict[str, Difference]:
    mine, theirs = matches_in(this, "this"), matches_in(other, "other")
    if not mine.classes:  # no objects
        return {}
    rounds = rounds_of(mine.detections + theirs.detections)
    differences = paired(
        lambda weight: mean_precision(mine.classes, weight),
        lambda weight: mean_precision(theirs.classes, weight),
        mine.images,
        rounds,
    )
    return dict(zip((MAP50, MAP95), differences, strict=True))


def matches_in(folder: Path, side: str) -> Matches:
    with reading(side, MATCHES):
        return Matches.read(folder / MATCHES)
