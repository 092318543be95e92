"""Of what format an annotation file is, by its beginning; and whether one of no known format looks like labels."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.worker.formats import darwin, datumaro, label_studio, ndjson, supervisely, table, via, xmlread
from app.worker.formats.csvfile import Table
from app.worker.formats.jsonstream import Broken, Reader
from app.worker.formats.model import Refused
from app.worker.formats.paths import folder_of
from app.worker.formats.tree import Tree

ALIKE = 3  # files of a folder; when these are of one kind, the others are
EACH = {"voc", "labelme", "darwin", "supervisely"}  # formats with a file an image
MOST = 64  # keys of an object that are looked at
HEAD = 256 * 1024  # bytes that are searched for words of labels
NAMES = r"bbox(es)?|bndbox|boxes|bounding_?box(es)?|[xy]_?min|xtl|polygons?|segmentation|keypoints?|points|shapes|"\
        r"regions|objects|annotations|coordinates|rle\w*|\w*_rle|encoded\w*"  # fmt: skip
WORDS = {
    "json": re.compile(rf'(?i)"({NAMES})"\s*:'), "ndjson": re.compile(rf'(?i)"({NAMES})"\s*:'),
    "xml": re.compile(rf"(?i)<({NAMES}|object|box)\b"), "csv": re.compile(rf"(?i)^.*\b({NAMES})\b"),
}  # fmt: skip

# In this order: of two that fit the first is meant.
DOCUMENTS: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
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
    """The annotation files by format. "broken": they cannot be read; "": they are of none that is known."""
    found: dict[str, list[str]] = {}
    seen: dict[str, list[str]] = defaultdict(list)
    for kind in ("xml", "json", "csv", "ndjson"):
        for path in tree[kind]:
            known = seen[f"{kind}:{folder_of(path)}"]
            if len(known) >= ALIKE and len(set(known)) == 1 and known[0] in EACH:
                is_a = known[0]
            else:
                is_a = SNIFFERS[kind](tree, path) or ""
                known.append(is_a)
            found.setdefault(is_a, []).append(path)
    return found


def json_kind(path: Path) -> str | None:
    """What a JSON file is, by its first keys; "broken" for what is no JSON that far."""
    try:
        with open(path, "rb") as file:
            reader = Reader(file)
            if reader.peek() == "[":
                return entry_kind(next(reader.elements(), None))
            return read_head(reader)
    except (Broken, ValueError, RecursionError):
        return "broken"


def read_head(reader: Reader) -> str | None:
    """What an object is, by its keys one after the other; of lists only the first element is kept."""
    head: dict[str, Any] = {}
    for key in reader.members():
        elements = reader.elements() if reader.peek() == "[" else None
        head[key] = (
            reader.value() if elements is None else [item for item in [next(elements, None)] if item is not None]
        )
        kind = document_kind(head)
        if kind or len(head) > MOST:
            return kind
        for _ in elements or ():
            pass  # to the next key
    return "ultralytics" if ndjson.is_ultralytics(head) else "labelbox" if ndjson.is_entry(head) else None


def document_kind(head: dict[str, Any]) -> str | None:
    """What an object is, as far as it was read."""
    for kind, fits in DOCUMENTS:
        if fits(head):
            return kind
    if isinstance(head.get("shapes"), list):
        return "labelme"
    for key in ("annotations", "images"):
        if key in head and isinstance(head[key], list):
            entry = next(iter(head[key]), None)
            if entry is None or (isinstance(entry, dict) and {"image_id", "file_name", "coco_url"} & set(entry)):
                return "coco"
    return None


def entry_kind(element: Any) -> str | None:
    """What a list is by its first element."""
    if not isinstance(element, dict):
        return None
    for kind, fits in ENTRIES:
        if fits(element):
            return kind
    image = {"image", "imagefilename"} & set(element)
    return "createml" if image and {"annotations", "annotation"} & set(element) else None


def table_kind(tree: Tree, path: str) -> str | None:
    """What a CSV file is by its heading."""
    try:
        cells = set(Table(tree, path).header)
    except Refused:
        return "broken"
    if via.is_table(cells):
        return "via"
    if label_studio.is_table(cells):
        return "label-studio"
    return "csv" if table.is_table(tree, path) else None


SNIFFERS: dict[str, Callable[[Tree, str], str | None]] = {
    "xml": lambda tree, path: xmlread.sniff(tree.path(path)),
    "json": lambda tree, path: json_kind(tree.path(path)),
    "csv": table_kind,
    "ndjson": ndjson.sniff,
}


def looks_like_labels(tree: Tree, path: str) -> bool:
    """Whether a file of no known format has keys, elements or a heading that labels have."""
    kind = next(kind for kind in SNIFFERS if path in tree[kind])
    with open(tree.path(path), "rb") as file:
        return WORDS[kind].search(file.read(HEAD).decode("utf-8", "replace")) is not None
