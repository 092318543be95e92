"""File names: their kinds, references from a dataset's own files, and their display. Pure: no file access."""

import re
import unicodedata
from collections.abc import Sequence
from html import unescape
from urllib.parse import quote, unquote

from app.core.names import safe_name

IMAGES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jfif", ".jpe"}
)
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "trainset": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "treino": "train",
    "treinamento": "train",
    "validacao": "val",
    "validação": "val",
    "teste": "test",
}

UNCODED = re.compile(r"[^A-Za-z0-9_.~-]")  # characters that percent-encoding replaces
UPLOAD = re.compile(r"[0-9a-f]{8}-.")
WORDS = re.compile(r"[^\W_]+")
YEAR = re.compile(r"(?P<name>[^\W\d_]+)[_-]?(?:\d{4})?")


def suffix_of(name: str) -> str:
    """ ".jpg" for "a/b.JPG"; "" if there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem and "/" not in suffix else ""


def stem_of(name: str) -> str:
    """A path without its suffix."""
    return name[: -len(suffix)] if (suffix := suffix_of(name)) else name


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def join(*parts: str) -> str:
    """Path parts as one path; empty ones are skipped."""
    return "/".join(part for part in parts if part)


def inside(path: str, root: str) -> str | None:
    """The path below `root`; None if it is elsewhere."""
    if not root:
        return path
    return path[len(root) + 1 :] if path.startswith(f"{root}/") else None


def below(path: str, folder: str) -> bool:
    """Whether a path is below a folder; "" is the source folder."""
    return not folder or path.startswith(f"{folder}/")


def splits_apart(first: str, second: str) -> bool:
    """Whether the distinct parts of two paths name different splits: train_images/a.jpg and val_labels/a.txt."""
    mine, theirs = (path.split("/")[:-1] for path in (first, second))
    while mine and theirs and mine[0] == theirs[0]:
        del mine[0], theirs[0]
    here, there = splits_in(mine), splits_in(theirs)
    return bool(here and there and not here & there)


def splits_in(folders: Sequence[str]) -> set[str]:
    """The splits in folders' names, or in words of them."""
    words = {word for folder in folders for word in (folder, *WORDS.findall(folder))}
    return {split for word in words if (split := split_of(word))}


def split_of(folder: str) -> str | None:
    """The split that a folder's or list's name indicates: train, valid, val2017, test …; None for another name."""
    match = YEAR.fullmatch(unicodedata.normalize("NFC", folder))
    return SPLIT_NAMES.get(match["name"].casefold()) if match else None


def named(text: str) -> list[str]:
    """The parts of a path in a dataset's file, as the extraction names them; parent references and roots are removed.

    So `/home/me/data/../images/a.jpg` and `C:\\data\\images\\a.jpg` have the same end, and are looked up below the
    source.
    """
    parts = [part for part in text.strip().replace("\\", "/").split("/") if part not in {"", "."}]
    while ".." in parts:
        del parts[: parts.index("..") + 1]
    return [safe_name(part) for part in parts[-12:]]


def spellings(text: str) -> list[str]:
    """Other readings of a name that no file has: a URL without its query, with percent codes, HTML entities and + for a
    space decoded, and without the prefix that Label Studio gives uploads.
    """
    ways = [text]
    address, mark, query = text.partition("?")
    if mark:
        ways += [value for value in query.split("&") if value.startswith("d=")]
        ways[1:] = [value[2:] for value in ways[1:]]  # /data/local-files/?d=folder/a.jpg
        ways.append(address)
    ways += [decoded for way in ways if (decoded := unquote(way)) != way]
    ways += [decoded for way in ways for decoded in (unescape(way), way.replace("+", " ")) if decoded != way]
    for way in list(ways):
        folder, slash, name = way.rpartition("/")
        if UPLOAD.match(name):
            ways.append(f"{folder}{slash}{name[9:]}")
    return [way for way in dict.fromkeys(ways) if way != text]


def alternative_stems(stem: str) -> list[str]:
    """The percent-decoded and the percent-encoded form of a stem, as the extraction stores them (it shortens long
    ones).
    """
    folder, slash, name = stem.rpartition("/")
    ways = [unquote(name)]
    if not name.isascii() or UNCODED.search(name):
        forms = [name, unicodedata.normalize("NFD", name)]
        ways += [quote(form, safe=safe) for form in forms for safe in ("", "!'()*", "!'()*,&+=@;$")]
    stored = [stem_of(safe_name(f"{way}.txt")) for way in ways if way != name]
    return [f"{folder}{slash}{way}" for way in dict.fromkeys(stored) if way != name]
