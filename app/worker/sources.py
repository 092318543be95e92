"""Determines which images have the same source: copies of one image, frames of one video. The split, the findings and
the fixes share this definition.

Names are judged as a set. A mark such as "frame" or a video file's name is accepted if several sources have it; a
number after a name is accepted only if the names are not class names, and the images, the numbers or many such names
support it. So an ordinary numbered set (IMG_0001 …, cat_001 …) is not merged into one source.
"""

import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

from app.worker.formats.pairs import is_role
from app.worker.formats.paths import split_of, stem_of

# Copies of one image: suffixes added by augmentation tools.
ROBOFLOW = re.compile(r"(.+?)(?:_(?:jpe?g|png|bmp|webp|tiff?|heic))?\.rf\.[0-9a-zA-Z]{6,}$", re.I)
TILE = re.compile(
    r"(.+?)(?:_\d+_\d+_\d+_\d+|__\d+(?:\.\d+)?__\d+___\d+|[_-]x\d+[_-]?y\d+"
    r"|[_-](?:tile|crop|patch)[_-]?\d+)$",
    re.I,
)
CHANGED = re.compile(
    r"(.+?)[ _.-]+\(?(?:aug(?:mented|mentation)?|[hv]?flip(?:ped)?(?:[_-]?[hvlrud]+)?|mirror(?:ed)?|rot(?:ate|ated)?"
    r"|blur(?:red)?|noise|noisy|bright(?:ness|er)?|dark(?:er)?|contrast|gr[ae]y(?:scale)?|copy|scaled?|shear|cutout|hue"
    r"|saturation|jitter|orig(?:inal)?)\)?[ _.-]*\d*$",
    re.I,
)
AGAIN = re.compile(r"(.+?) ?\(\d+\)$")  # a.jpg, a (1).jpg
# Frames: the word, or a video file's suffix in the name, or a time in it.
FRAME = re.compile(r"(.*?)[ _.#-]*(?<![a-z])(?:frames?|frm|fr)[ _.#-]*\d+(?:[_-]?jpe?g|[_-]?png)?$", re.I)
FRAME_F = re.compile(r"(.+?)[ _.#-]f[ _#-]?\d+$", re.I)
VIDEO = re.compile(
    r"(.+?)[._ -](?:mp4|mov|avi|mkv|webm|m4v|mpe?g|wmv|flv|3gp|mts|m2ts)(?:[ _.#-]*[a-z]*[ _.#-]*\d+)+$", re.I
)
TIME = re.compile(r"(.+?)[ _.-]+(?:(?:t|time|sec|ts)[ _-]?\d+(?:\.\d+)?m?s?|\d+(?:\.\d+)?(?:ms|s|sec))$", re.I)
HINT = re.compile(
    r"fr|[ _.#-]f|mp4|mov|avi|mkv|webm|m4v|mpe?g|wmv|flv|3gp|m2?ts|[ _.-]t|sec|\dm?s$", re.I
)  # of any of these
DAY = re.compile(r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d$")  # and a time after it: a camera's own name
NUMBER = re.compile(r"(.*?)[ _.#-]*(\d+)$")
FOLDER = re.compile(
    r"(?:video|vid|clip|seq|sequence|scene|cam|camera|rec|record(?:ing)?|session|run|shot|track|mvi|dji"
    r"|gopr|gx|flight|drive|sub|subject|patient)[ _-]*\d+|.+[._](?:mp4|mov|avi|mkv)",
    re.I,
)
# Generic names from cameras and people, which identify no source.
GENERIC = frozenset(
    {
        "",
        "img",
        "image",
        "images",
        "dsc",
        "dscn",
        "dscf",
        "pxl",
        "photo",
        "pic",
        "picture",
        "p",
        "im",
        "sam",
        "wp",
        "foto",
        "imagem",
        "bild",
        "imgs",
        "file",
        "sample",
        "data",
        "screenshot",
        "scan",
        "page",
        "train",
        "val",
        "valid",
        "test",
        "training",
        "validation",
        "testing",
    }
)
FEWEST = 5  # minimum number of sources of a weak mark, the largest of which may have at most half of the images
PAIRS = 2000  # compared pairs of images
NEIGHBOUR_BITS = (
    14  # maximum median of differing hash bits between neighboring frames; different scenes have 20 and more
)
MOST_COPIES = 0.3  # of the images: a name shared by more does not identify an image
CLOSER = 0.7  # relative to the difference between sources
PADDED = 4  # digits of a number written by a tool


@dataclass(slots=True)
class Name:
    """A parsed image name. `strong`, `weak`: its source by that mark; "": none."""

    folder: str
    base: str  # without the suffix of copies
    strong: str = ""
    weak: str = ""
    digits: str = ""
    marked: bool = False  # as a copy


def sources(
    names: Sequence[str],
    hashes: Sequence[int | None] | None = None,
    classes: Sequence[Collection[Hashable]] | None = None,
    class_names: Collection[str] = (),
) -> list[str]:
    """The source of each image; "" if no other image shares it.

    Args:
        names: original paths; folders of splits and "images" are ignored.
        hashes: perceptual hashes, which show whether consecutive numbers are consecutive frames.
        classes: of each image: names that correspond to the classes are not sources.
        class_names: the same for folders and names equal to a class name.
    """
    parts = [parse_name(name) for name in names]
    join_copies(parts)
    copies_of = copied(parts)
    mark_frames(parts)
    judge = SourceFinder(parts, hashes, classes, {name.casefold() for name in class_names})
    weak = judge.weak()
    folders = judge.folders(weak)
    recordings = []
    for index, part in enumerate(parts):
        recordings.append(part.strong or weak.get(index) or folders.get(index) or copies_of[index])
    counts = Counter(recordings)
    if len(counts) == 1:  # a single source for all says nothing
        return [""] * len(names)
    return [source if counts[source] > 1 else "" for source in recordings]


def copies(names: Sequence[str]) -> list[str]:
    """Copies alone, for classification: its folders are classes, and its names are often numbers."""
    parts = [parse_name(name) for name in names]
    join_copies(parts)
    return copied(parts)


def copied(parts: Sequence[Name]) -> list[str]:
    """The original of each copy, if the set has another copy of it or the original; two images with the same name are
    not copies.
    """
    keys = [f"{part.folder}/{part.base}" for part in parts]
    counts = Counter(keys)
    marked = {key for key, part in zip(keys, parts, strict=True) if part.marked}
    return [key if counts[key] > 1 and key in marked else "" for key in keys]


def parse_name(path: str) -> Name:
    """The distinctive folders, and the name without Roboflow's suffix of copies."""
    *folders, name = path.split("/")
    folder = "/".join(part for part in folders if not is_role(part) and not split_of(part))
    stem = stem_of(name)
    if ".rf." in stem and (match := ROBOFLOW.match(stem)):
        return Name(folder, match[1].casefold(), marked=True)
    return Name(folder, stem.casefold())


def join_copies(parts: Sequence[Name]) -> None:
    """Remove other tools' suffixes of copies, if the copies per image are few."""
    originals = {(part.folder, part.base) for part in parts}
    reduced = []
    for part in parts:
        base = part.base
        for mark in (TILE, CHANGED):
            while match := mark.match(base):
                base = match[1]
        again = AGAIN.match(base) if base.endswith(")") else None
        reduced.append(again[1] if again and (part.folder, again[1]) in originals else base)
    counts = Counter((part.folder, base) for part, base in zip(parts, reduced, strict=True))
    most = max(FEWEST, MOST_COPIES * len(parts))
    for part, base in zip(parts, reduced, strict=True):
        if 1 < counts[part.folder, base] <= most and base != part.base:
            part.base, part.marked = base, True


def mark_frames(parts: Sequence[Name]) -> None:
    """Set the sources that names of frames contain."""
    for part in parts:
        if HINT.search(part.base) and (mark := frame_mark(part.base)):
            part.strong = f"{part.folder}/{mark[1]}"
        elif number := NUMBER.fullmatch(part.base):
            part.weak, part.digits = f"{part.folder}/{number[1]}", number[2]
    if len({part.strong for part in parts}) == 1:  # all are frames of one video, or none is one
        for part in parts:
            part.strong = ""


def frame_mark(base: str) -> re.Match[str] | None:
    """The match that marks an image as a frame; its first group is the source."""
    return next((match for mark in (VIDEO, FRAME, TIME, FRAME_F) if (match := mark.fullmatch(base))), None)


class SourceFinder:
    """Checks ambiguous marks of sources over the entire set."""

    def __init__(
        self,
        parts: Sequence[Name],
        hashes: Sequence[int | None] | None,
        classes: Sequence[Collection[Hashable]] | None,
        class_names: Collection[str],
    ) -> None:
        self.parts, self.hashes, self.classes, self.class_names = parts, hashes, classes, class_names

    def weak(self) -> dict[int, str]:
        """Sources by a number after a name, by index; empty if it is only a number."""
        groups = self.groups(lambda part: "" if part.strong or self.is_generic(part.weak) else part.weak)
        if len(groups) < 2 or self.named_by_class(groups):
            return {}
        if not (self.are_frames(groups) or self.many(groups) or self.counts_anew(groups)):
            return {}
        return {index: key for key, indices in groups.items() for index in indices}

    def folders(self, assigned: dict[int, str]) -> dict[int, str]:
        """Sources by folder: one per video."""
        candidates = [index for index, part in enumerate(self.parts) if not part.strong and index not in assigned]
        groups: dict[str, list[int]] = defaultdict(list)
        for index in candidates:
            if self.parts[index].folder:
                groups[self.parts[index].folder].append(index)
        groups = {key: indices for key, indices in groups.items() if len(indices) > 1}
        called = sum(bool(FOLDER.fullmatch(key.rpartition("/")[2])) for key in groups)
        if len(groups) < 2 or self.named_by_class(groups):
            return {}
        if 2 * called < len(groups) and not self.many(groups) and not self.are_frames(groups):
            return {}
        return {index: f"{key}/" for key, indices in groups.items() for index in indices}

    def groups(self, key: Callable[[Name], str]) -> dict[str, list[int]]:
        """Indexes of two or more images with the same key."""
        indices: dict[str, list[int]] = defaultdict(list)
        for index, part in enumerate(self.parts):
            if name := key(part):
                indices[name].append(index)
        return {name: members for name, members in indices.items() if len(members) > 1}

    def is_generic(self, key: str) -> bool:
        """Whether the name before the number is generic."""
        folder, _, prefix = key.rpartition("/")
        return bool(DAY.search(prefix)) or (prefix.strip(" _.-#") in GENERIC and not folder)

    def many(self, groups: dict[str, list[int]]) -> bool:
        """Whether there are many sources, none of which has most of the images."""
        return len(groups) >= FEWEST and max(map(len, groups.values())) <= len(self.parts) / 2

    def counts_anew(self, groups: dict[str, list[int]]) -> bool:
        """Whether numbers have a constant width, and restart in each group."""
        numbers = [{self.parts[index].digits for index in members} for members in groups.values()]
        if any(len(digits) < PADDED for digit_groups in numbers for digits in digit_groups):
            return False
        shared = sum(bool(digit_groups & following) for digit_groups, following in itertools.pairwise(numbers))
        return 2 * shared >= len(numbers) - 1

    def named_by_class(self, groups: dict[str, list[int]]) -> bool:
        """Whether the groups are the classes: by their names, or because each has a single, different class."""
        called = sum(key.strip("/").rpartition("/")[2].strip(" _-.#") in self.class_names for key in groups)
        if 2 * called >= len(groups):
            return True
        if self.classes is None:
            return False
        alone = [classes for members in groups.values() if len(classes := self.classes_of(members)) == 1]
        return len(alone) > 0.8 * len(groups) and len(set().union(*alone)) > max(1, len(groups) // 2)

    def classes_of(self, members: Sequence[int]) -> set[Hashable]:
        return {kind for index in members for kind in (self.classes or ())[index]}

    def are_frames(self, groups: dict[str, list[int]]) -> bool:
        """Whether consecutive images in a group are much more similar than images of different groups."""
        if self.hashes is None:
            return False
        within, between = [], []

        def number_of(index: int) -> tuple[int, int]:
            return int(self.parts[index].digits or 0), index

        ordered = [sorted(members, key=number_of) for members in groups.values()]
        for members, next_members in zip(ordered, [*ordered[1:], ordered[0]], strict=True):
            for at, (one, following) in enumerate(itertools.pairwise(members)):
                within += self.distance(one, following)
                between += self.distance(one, next_members[at % len(next_members)])
            if len(within) > PAIRS:
                break
        if not within or not between:
            return False
        return statistics.median(within) <= min(NEIGHBOUR_BITS, CLOSER * statistics.median(between))

    def distance(self, first_index: int, second_index: int) -> list[int]:
        first, second = (self.hashes or [])[first_index], (self.hashes or [])[second_index]
        return [] if first is None or second is None else [(first ^ second).bit_count()]
