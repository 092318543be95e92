"""Detects the format of an annotation file by its beginning, and whether a file of unknown format looks like labels."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.json_object import JsonObject
from app.worker.formats import class_table, darwin, datumaro, label_studio, ndjson, supervisely, table, via, xmlread
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.file_encoding import encoding_of
from app.worker.formats.jsonstream import BrokenJson, JsonCursor, objects
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import folder_of, stem_of
from app.worker.formats.tree import Tree

ALIKE = 3  # sampled files per folder: if they have the same format, the others do
EACH = {"voc", "labelme", "darwin", "supervisely"}  # formats with one file per image
ENOUGH = 3  # images that a file must name to be about them
NAMED = 200  # sampled image names
MOST = 64  # inspected keys of an object
HEAD = 256 * 1024  # bytes searched for typical words of labels
ANSWERS = re.compile(r"(?i)(^|[_ .-])(sample_?)?submission")
NAMES = (
    r"bbox(es)?|box(2d|3d)?|poly2d|quad|bndbox|boxes|bounding_?box(es)?|[xy]_?min|xtl|polygons?|segmentation|keypoints?|points|shapes|"
    r"regions|objects|annotations|coordinates|rle\w*|\w*_rle|encoded\w*"
)
WORDS = {
    "json": re.compile(rf'(?i)"({NAMES})"\s*:'),
    "ndjson": re.compile(rf'(?i)"({NAMES})"\s*:'),
    "xml": re.compile(rf"(?i)<({NAMES}|object|box)\b"),
    "csv": re.compile(rf"(?i)^.*\b({NAMES})\b"),
}

# In order of precedence.
DOCUMENTS: tuple[tuple[str, Callable[[JsonObject], bool]], ...] = (
    ("datumaro", datumaro.is_document),
    ("darwin", darwin.is_document),
    ("supervisely", supervisely.is_document),
    ("via", via.is_document),
)
ENTRIES: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("label-studio", label_studio.is_entry),
    ("labelbox", ndjson.is_entry),
)


def annotation_files(tree: Tree) -> dict[str, list[str]]:
    """The annotation files by format. "broken": unreadable; "": unknown."""
    by_kind: dict[str, list[str]] = {}
    sniffed: dict[str, list[str]] = defaultdict(list)
    for kind in ("xml", "json", "csv", "ndjson"):
        for path in tree[kind]:
            kinds = sniffed[f"{kind}:{folder_of(path)}"]
            if len(kinds) >= ALIKE and len(set(kinds)) == 1 and kinds[0] in EACH:
                is_a = kinds[0]
            else:
                is_a = SNIFFERS[kind](tree, path) or ""
                kinds.append(is_a)
            by_kind.setdefault(is_a, []).append(path)
    return by_kind


def json_kind(path: Path) -> str | None:
    """The format of a JSON file, by its first keys; "broken" if it is invalid up to there."""
    try:
        with open(path, "rb") as file:
            reader = JsonCursor(file, encoding_of(path).name)
            if reader.peek() == "[":
                return entry_kind(next(reader.elements(), None))
            return read_head(reader)
    except (BrokenJson, ValueError, RecursionError):
        return "broken"


def read_head(reader: JsonCursor) -> str | None:
    """The format of an object, by its keys in sequence; of lists, only the first element is read."""
    head: JsonObject = {}
    for key in reader.members():
        elements = reader.elements() if reader.peek() == "[" else None
        head[key] = (
            reader.value() if elements is None else [item for item in [next(elements, None)] if item is not None]
        )
        kind = document_kind(head)
        if kind or len(head) > MOST:
            return kind
        for _ in elements or ():
            pass  # continue to the next key
    return "ultralytics" if ndjson.is_ultralytics(head) else entry_kind(head)


def document_kind(head: JsonObject) -> str | None:
    """The format of a partially read object."""
    for kind, fits in DOCUMENTS:
        if fits(head):
            return kind
    if isinstance(head.get("shapes"), list):
        return "labelme"
    for key, signs in (("annotations", {"image_id"}), ("images", {"file_name", "coco_url"})):
        if isinstance(elements := head.get(key), list):
            entry = next(iter(elements), None)
            if entry is None or (isinstance(entry, dict) and signs & set(entry)):
                return "coco"
    return None


def entry_kind(element: Any) -> str | None:
    """The format of a list, by its first element."""
    if not isinstance(element, dict):
        return None
    for kind, fits in ENTRIES:
        if fits(element):
            return kind
    image = any(isinstance(element.get(key), str) for key in ("image", "imagefilename"))
    return "createml" if image and {"annotations", "annotation"} & set(element) else None


def table_kind(tree: Tree, path: str) -> str | None:
    """The format of a CSV file, by its header; answers of a competition are not labels."""
    if ANSWERS.search(path.rpartition("/")[2]):
        return None
    try:
        cells = set(CsvTable(tree, path).header)
    except InvalidInput:
        return "broken"
    if via.is_table(cells):
        return "via"
    if label_studio.is_table(cells):
        return "label-studio"
    if table.is_table(tree, path):
        return "csv"
    return class_table.KEY if class_table.is_table(tree, path) else None


def lines_kind(tree: Tree, path: str) -> str | None:
    """The format of a JSON lines file, by its first line."""
    try:
        first = next(objects(tree, path), None)
    except InvalidInput:
        return "broken"
    return "ultralytics" if ndjson.is_ultralytics(first) else entry_kind(first)


SNIFFERS: dict[str, Callable[[Tree, str], str | None]] = {
    "xml": lambda tree, path: xmlread.sniff(tree.path(path)),
    "json": lambda tree, path: json_kind(tree.path(path)),
    "csv": table_kind,
    "ndjson": lines_kind,
}


def names_images(tree: Tree, path: str) -> bool:
    """Whether a file of unknown format has the name of an image, or data about several images."""
    if tree.by_stem(stem_of(path.rpartition("/")[2])):
        return True
    stems = {stem for image in tree["image"][:NAMED] if len(stem := stem_of(image.rpartition("/")[2])) >= ENOUGH}
    with open(tree.path(path), "rb") as file:
        text = file.read(HEAD).decode("utf-8", "replace")
    return bool(stems) and sum(stem in text for stem in stems) >= min(ENOUGH, len(stems))


def has_label_words(tree: Tree, path: str) -> bool:
    """Whether a file of unknown format has keys, elements or a header typical of labels."""
    kind = next(kind for kind in SNIFFERS if path in tree[kind])
    with open(tree.path(path), "rb") as file:
        return WORDS[kind].search(file.read(HEAD).decode("utf-8", "replace")) is not None
