"""Splits of a YOLO dataset given by its own files: lists of images, obj.data, the paths in data.yaml.

Referenced files are looked up below the source only.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from app.core.names import printable_name
from app.worker.formats.layout import LocatedImage
from app.worker.formats.model import Decision, Finding, decision, finding
from app.worker.formats.paths import folder_of, inside, join, named, split_of, stem_of
from app.worker.formats.tree import Tree

WORDS = re.compile(r"[\W_\d]+")
MAX_LIST = 64 * 1024**2  # bytes
KEYS = {"train": "train", "val": "val", "valid": "val", "test": "test"}
MOST = 100  # paths of a data.yaml
NAMED = 50  # missing images named in the findings of one list


@dataclass
class SplitLists:
    """The split of an image by its path, according to the files."""

    splits: dict[str, str] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)  # with at least one existing image
    findings: list[Finding] = field(default_factory=list)


def read_lists(tree: Tree, root: str, document: Any) -> SplitLists:
    """The lists of a root: those named in obj.data and data.yaml, and train.txt, val.txt, test.txt."""
    lists = SplitLists()
    texts = {path for path in tree["text"] if inside(path, root) is not None or is_above(path, root)}
    for path, split in [*named_lists(tree, root, document), *lists_by_file_name(texts, root)]:
        if path in texts and path not in lists.lists:
            read_list(tree, path, split, lists)
    return lists


def named_lists(tree: Tree, root: str, document: Any) -> list[tuple[str, str]]:
    """The lists named in data.yaml and obj.data."""
    pairs = [entry for entry in split_entries(document) if entry[0].lower().endswith(".txt")]
    for path in tree["list"]:
        if path.endswith(".data"):
            for line in tree.text(path, 64 * 1024).splitlines():
                key, _, value = line.partition("=")
                if key.strip().lower() in KEYS:
                    pairs.append((value, KEYS[key.strip().lower()]))
    lists = [(below_root(tree["text"], root, value), split) for value, split in pairs]
    return [(path, split) for path, split in lists if path]


def is_above(path: str, root: str) -> bool:
    """Whether a file is in a folder above the root, as darknet's lists are."""
    folder = folder_of(path)
    return folder != root and (not folder or root.startswith(f"{folder}/"))


def split_entries(document: Any) -> list[tuple[str, str]]:
    """The train, val and test entries of a data.yaml, each with one or several paths."""
    entries = []
    for key, split in KEYS.items():
        value = document.get(key) if isinstance(document, dict) else None
        entries += [(item, split) for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
    return entries[:MOST]


def below_root(paths: list[str], root: str, text: str) -> str | None:
    """The referenced file below the root, otherwise anywhere: the one that shares the longest end of the path."""
    parts = named(text)
    for start in range(len(parts)):
        candidate = join(root, *parts[start:])
        if candidate in paths:
            return candidate
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        matches = [path for path in paths if path == end or path.endswith(f"/{end}")]
        if matches:
            return min(matches, key=len)
    return None


def lists_by_file_name(texts: set[str], root: str) -> list[tuple[str, str]]:
    lists = []
    for path in sorted(texts):
        folder, _, name = path.rpartition("/")
        words = [word for word in WORDS.split(stem_of(name)) if split_of(word)]
        split = split_of(stem_of(name)) or (split_of(words[0]) if len(words) == 1 else None)
        if split and (
            folder in {root, join(root, "data"), join(root, "ImageSets"), join(root, "splits")} or is_above(path, root)
        ):
            lists.append((path, split))
    return lists


def read_list(tree: Tree, path: str, split: str, lists: SplitLists) -> None:
    """Read one list: one image path per line."""
    missing = count = 0
    for number, line in enumerate(tree.text(path, MAX_LIST).splitlines(), 1):
        if not line.strip():
            continue
        image = tree.image(line, folder_of(path))
        if image:
            lists.splits.setdefault(image, split)
            count += 1
        else:
            missing += 1
            if missing <= NAMED:
                lists.findings.append(
                    finding("warning", "image_missing", path, number, image=printable_name(line.strip()))
                )
    if count:
        lists.lists.append(path)


def apply(
    images: list[LocatedImage], lists: SplitLists, document: Any
) -> tuple[list[LocatedImage], list[Decision], list[Finding]]:
    """Set the splits that folders do not determine; if there are lists, images that are in none are excluded."""
    decisions: list[Decision] = []
    unlisted: list[LocatedImage] = []
    without_split = [item for item in images if item.split is None or item.weak]
    if lists.lists and any(item.image in lists.splits for item in without_split):
        for item in without_split:
            item.split = lists.splits.get(item.image)
            if item.split is None:
                unlisted.append(item)
        names = ", ".join(printable_name(path) for path in lists.lists)
        decisions.append(lists_used(names, len(unlisted)))
    dropped = {id(item) for item in unlisted}
    images = [item for item in images if id(item) not in dropped]
    decisions += from_folders(images, document)
    findings = [*lists.findings] if decisions and lists.lists else []
    findings += [finding("info", "image_unlisted", item.image, image=printable_name(item.image)) for item in unlisted]
    return images, decisions, findings


def lists_used(names: str, unlisted: int) -> Decision:
    """The decision that lists give the split, with the number of images in no list."""
    if unlisted:
        return decision("lists_used", "split", lists=names, left_out=unlisted)
    return decision("lists_of_all", "split", lists=names)


def from_folders(images: list[LocatedImage], document: Any) -> list[Decision]:
    """The splits of data.yaml's folders, for images whose own folders do not name one."""
    waiting = [item for item in images if item.split is None]
    if not waiting:
        return []
    chosen: dict[str, str] = {}
    for value, split in split_entries(document):
        if value.lower().endswith(".txt"):
            continue
        for image in below_named([item.image for item in waiting], value):
            chosen.setdefault(image, split)
    if not chosen or len(set(chosen.values())) < 2:  # the same folder for all says nothing
        return []
    for item in waiting:
        item.split = chosen.get(item.image)
    return [decision("yaml_folders", "split", count=len(chosen))]


def below_named(images: list[str], value: str) -> list[str]:
    """The images below a folder named in data.yaml: of a path from another computer, the longest end that matches a
    folder is used.
    """
    parts = [part.casefold() for part in named(value)]
    for start in range(len(parts)):
        hits = [image for image in images if has_run(folder_of(image).casefold().split("/"), parts[start:])]
        if hits:
            return hits
    return []


def has_run(folders: list[str], parts: list[str]) -> bool:
    """Whether the folders contain these parts consecutively."""
    return any(folders[at : at + len(parts)] == parts for at in range(len(folders) - len(parts) + 1))
