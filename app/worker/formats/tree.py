"""The files of a source folder by kind, and the lookup of images named in a dataset's own files."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.core.encodings import TEXTS, DecodedText, decode
from app.core.names import printable_name
from app.core.suffixes import SYSTEM_FOLDERS
from app.worker.formats.class_names import MAX_YAML
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import IMAGES, folder_of, join, named, spellings, split_of, stem_of, suffix_of
from app.worker.formats.sizes import DisplayedSize

KINDS = {
    ".txt": "text",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".xml": "xml",
    ".json": "json",
    ".names": "list",
    ".data": "list",
    ".labels": "list",
    ".pbtxt": "list",
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}

MAX_DEPTH = 40  # folders; archives are limited earlier, folders on the server are not
MANY = 100  # compared images with the same name


class Tree:
    """Every file below a folder that a reader may use, as sorted relative paths. Links and hidden files are skipped."""

    def __init__(self, folder: Path, pictures: Mapping[str, DisplayedSize] | None = None) -> None:
        self.folder = folder
        self.pictures = pictures or {}  # data of the images, once they were read
        self.encodings: Sequence[str] = TEXTS  # candidates for texts that are not UTF-8
        self.files: dict[str, list[str]] = {kind: [] for kind in ("image", *KINDS.values())}
        self._walk(folder, "")
        for paths in self.files.values():
            paths.sort()
        self._counts: Counter[str] = Counter()
        self._paths: set[str] = set()
        self._pairs: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}

    def _walk(self, folder: Path | str, prefix: str, depth: int = 0) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not usable(entry.name) or entry.is_symlink():
                    continue
                path = join(prefix, entry.name)
                if entry.is_dir():
                    if depth < MAX_DEPTH:
                        self._walk(entry.path, path, depth + 1)
                else:
                    suffix = suffix_of(entry.name)
                    kind = "image" if suffix in IMAGES else KINDS.get(suffix)
                    if kind:
                        self.files[kind].append(path)

    def __getitem__(self, kind: str) -> list[str]:
        return self.files[kind]

    def images_below(self, root: str) -> int:
        """The number of images below a folder."""
        if not self._counts:
            for path in self["image"]:
                folder = folder_of(path)
                while folder:
                    self._counts[folder] += 1
                    folder = folder_of(folder)
            self._counts[""] = len(self["image"])
        return self._counts[root]

    def path(self, name: str) -> Path:
        return self.folder / name

    def size(self, name: str) -> int:
        return self.path(name).stat().st_size

    def content(self, name: str, limit: int) -> bytes:
        """The contents of a file.

        Raises:
            InvalidInput: it is larger than `limit` bytes.
        """
        if self.size(name) > limit:
            raise InvalidInput("file_too_large", file=printable_name(name), limit=limit)
        return self.path(name).read_bytes()

    def bytes_of_yaml(self, name: str) -> bytes:
        """The contents of a YAML file, truncated at a size that its parser refuses anyway."""
        with open(self.path(name), "rb") as file:
            return file.read(MAX_YAML + 1)

    def text(self, name: str, limit: int) -> str:
        """The contents of a text file, in the likeliest encoding."""
        return self.reading(name, limit).text

    def reading(self, name: str, limit: int) -> DecodedText:
        """The decoded text, and how it was decoded."""
        return decode(self.content(name, limit), self.encodings)

    def image(self, name: str, folder: str, split: str | None = None, by_stem: bool = False) -> str | None:
        """The image below the source that a file in `folder` calls `name`, wherever that claims it is.

        Matches the same name, then case-insensitively, then (`by_stem`) with another suffix. Of several, the one that
        shares most of the named folders, then one in a folder of `split`, then the nearest to `folder`.
        """
        match = self._image(name, folder, split, by_stem)
        return match or next(
            (hit for way in spellings(name) if (hit := self._image(way, folder, split, by_stem))), None
        )

    def _image(self, name: str, folder: str, split: str | None, by_stem: bool) -> str | None:
        parts = named(name)
        if not parts:
            return None
        self._index()
        if (direct := join(folder, *parts)) in self._paths:
            return direct
        matches = self._names.get(parts[-1].casefold())
        if matches and len(matches) > MANY:  # for example image.jpg in many folders
            matches = (self._pairs.get("/".join(parts[-2:]).casefold()) or matches)[:MANY]
        if not matches and (by_stem or suffix_of(parts[-1]) not in IMAGES):
            matches = self._stems.get(stem_of(parts[-1]).casefold()) or self._stems.get(parts[-1].casefold())
        if not matches or len(matches) == 1:
            return matches[0] if matches else None
        return min(matches, key=lambda path: rank(path, parts, folder, split))

    def by_stem(self, stem: str) -> list[str]:
        """The images with this stem, ignoring case."""
        self._index()
        return self._stems.get(stem.casefold(), [])

    def _index(self) -> None:
        if not self._names:
            names, stems, pairs = defaultdict(list), defaultdict(list), defaultdict(list)
            for path in self["image"]:
                name = path.rpartition("/")[2].casefold()
                names[name].append(path)
                stems[stem_of(name)].append(path)
                pairs["/".join(path.split("/")[-2:]).casefold()].append(path)
            self._paths, self._pairs = set(self["image"]), dict(pairs)
            self._names, self._stems = dict(names), dict(stems)


def usable(name: str) -> bool:
    """Whether a file is included: not hidden, and with a valid name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.startswith(".") and name not in SYSTEM_FOLDERS


def rank(path: str, parts: list[str], folder: str, split: str | None) -> tuple[int, bool, bool, int, str]:
    """A sort key: the smallest one is the most likely image."""
    elsewhere = split is not None and split not in map(split_of, folder_of(path).split("/"))
    return -shared_end(path, parts), not path.endswith(parts[-1]), elsewhere, -shared_start(path, folder), path


def shared_end(path: str, parts: list[str]) -> int:
    """The number of trailing parts that the path shares with the named ones."""
    path_parts = path.split("/")
    count = 0
    for part, counterpart in zip(reversed(path_parts), reversed(parts), strict=False):
        if part.casefold() != counterpart.casefold():
            break
        count += 1
    return count


def shared_start(path: str, folder: str) -> int:
    """The number of common leading folders of two paths."""
    count = 0
    for part, counterpart in zip(folder_of(path).split("/"), folder.split("/"), strict=False):
        if part != counterpart:
            break
        count += 1
    return count
