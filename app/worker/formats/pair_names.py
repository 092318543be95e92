"""Pairs images and label files whose names differ by common affixes (label_a.txt, a_annotation.txt, img_1 and lbl_1),
in spelling (spaces as + or _, the prefix of an upload or the suffix of a Roboflow export), or in leading zeros
(img1.jpg and 0001.txt), provided that the pairing is one to one.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from app.core.splits import SPLITS
from app.worker.formats.layout import LocatedImage
from app.worker.formats.paths import UPLOAD, splits_apart, splits_in, stem_of

SEPARATORS = re.compile(r"[\s+_]+")
EXPORT = re.compile(r"(.+?)(?:[._-](?:jpe?g|png|bmp|webp|tiff?))?[._-]rf[._-][0-9a-z]{6,}$")
SUFFIX = re.compile(r"[._-](jpe?g|png|bmp|webp|tiff?)$")
WORDS = re.compile(r"[^\W\d_]+|\d+")
DIGITS = 40
LEAST = 3  # files: a match of fewer is chance

Pairs = list[tuple[LocatedImage, str]]


def name_of(path: str) -> str:
    return stem_of(path.rpartition("/")[2]).casefold()


def by_spelling(images: Sequence[LocatedImage], texts: Sequence[str]) -> Pairs:
    """Pairs whose names are equal except for separators, an image's suffix, an upload's prefix, or Roboflow's
    suffix.
    """
    pairs: Pairs = []
    for of_image, of_label in WAYS:
        paired, used = {located.image for located, _ in pairs}, {label for _, label in pairs}
        free = [located for located in images if located.image not in paired]
        pairs += one_to_one(free, [path for path in texts if path not in used], of_image, of_label)
    return pairs


def spelled(name: str) -> str:
    return SUFFIX.sub("", SEPARATORS.sub("_", name))


def unmarked(name: str) -> str:
    """The name without an upload's prefix. A date (20230101-120000) looks the same, so it is never removed from both
    names.
    """
    return spelled(name[9:] if UPLOAD.match(name) else name)


def exported(name: str) -> str:
    """The name without the suffix that Roboflow appends to each exported copy. Two suffixes are two copies, which may
    be flipped or cropped, so it is never removed from both names.
    """
    match = EXPORT.fullmatch(name)
    return spelled(match[1] if match else name)


WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (spelled, spelled),
    (spelled, unmarked),
    (unmarked, spelled),
    (spelled, exported),
    (exported, spelled),
)


def by_affixes(images: Sequence[LocatedImage], texts: Sequence[str], roles: frozenset[str]) -> Pairs:
    """Pairs whose names are equal except for affixes that all label files, or all images, share.

    Args:
        roles: words that describe only the kind of a file.
    """
    if len(images) < LEAST or len(texts) < LEAST:
        return []
    labels = [name_of(path) for path in texts]
    names = [name_of(located.image) for located in images]
    ways = [(("", ""), label_affixes(affixes(labels), affixes(names)))]
    if distinctive_words(affixes(labels), roles) == distinctive_words(affixes(names), roles):
        ways.append((affixes(names), affixes(labels)))
    for image, label in ways:
        pairs = one_to_one(images, texts, affix_cutter(*image), affix_cutter(*label))
        if len(pairs) == len(texts):
            return pairs
    if len(ways) > 1:
        return by_numbers(images, texts, affix_cutter(*affixes(names)), affix_cutter(*affixes(labels)))
    return []


def by_numbers(
    images: Sequence[LocatedImage], texts: Sequence[str], of_image: Callable[[str], str], of_label: Callable[[str], str]
) -> Pairs:
    """Pairs of names that are numbers with different leading zeros, if both cover the same range: otherwise one might
    begin at 0 and the other at 1.
    """
    mine = {of_image(name_of(located.image)) for located in images}
    theirs = {of_label(name_of(path)) for path in texts}
    if not all(name.isascii() and name.isdigit() for name in mine | theirs) or number_range(mine) != number_range(
        theirs
    ):
        return []
    pairs = one_to_one(
        images, texts, lambda name: of_image(name).zfill(DIGITS), lambda name: of_label(name).zfill(DIGITS)
    )
    return pairs if len(pairs) == len(texts) else []


def number_range(numbers: Collection[str]) -> tuple[str, str]:
    """The smallest and the largest number."""
    filled = [number.zfill(DIGITS) for number in numbers]
    return min(filled), max(filled)


def distinctive_words(affixes: tuple[str, str], roles: frozenset[str]) -> list[str]:
    """The words and numbers in affixes that say more than the kind of a file."""
    return [word for word in WORDS.findall(" ".join(affixes)) if word not in roles]


def label_affixes(label: tuple[str, str], image: tuple[str, str]) -> tuple[str, str]:
    """The affixes of all label files that no image has: "label_" in label_pic_a beside pic_a."""
    return label[0].removesuffix(image[0]), label[1].removeprefix(image[1])


def affixes(names: Sequence[str]) -> tuple[str, str]:
    """The common beginning and end of all names, without the digits that number them."""
    first = beginning(names).rstrip("0123456789")
    last = beginning([name[len(first) :][::-1] for name in names])[::-1].lstrip("0123456789")
    return first, last


def beginning(names: Sequence[str]) -> str:
    """The common beginning of all strings."""
    low, high = min(names), max(names)
    same = next((at for at, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))
    return low[:same]


def affix_cutter(first: str, last: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix(first).removesuffix(last)


def one_to_one(
    images: Sequence[LocatedImage], texts: Sequence[str], of_image: Callable[[str], str], of_label: Callable[[str], str]
) -> Pairs:
    """The pairs of a key that exactly one image and one label file have, over the entire set or within a split, unless
    their folders name different splits.
    """
    mine: dict[str, list[LocatedImage]] = defaultdict(list)
    for located in images:
        mine[of_image(name_of(located.image))].append(located)
    theirs: dict[str, list[str]] = defaultdict(list)
    for path in texts:
        theirs[of_label(name_of(path))].append(path)
    pairs: Pairs = []
    for key, paths in theirs.items():
        same = mine.get(key, []) if key else []
        for alike, there in [(same, paths)] if len(same) == len(paths) == 1 else by_split(same, paths):
            if len(alike) == len(there) == 1 and not splits_apart(alike[0].image, there[0]):
                pairs.append((alike[0], there[0]))
    return pairs


def by_split(images: Sequence[LocatedImage], paths: Sequence[str]) -> list[tuple[list[LocatedImage], list[str]]]:
    """Images and label files with the same key, by the split that their folders name."""
    return [
        (
            [located for located in images if splits_in(located.image.split("/")[:-1]) == {split}],
            [path for path in paths if splits_in(path.split("/")[:-1]) == {split}],
        )
        for split in SPLITS
    ]
