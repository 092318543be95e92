"""Finds files with class names in any location and format, nearest first.

A YAML with `names`, classes.txt and similar, darknet's *.names, JSON (Label Studio's notes.json, index or list), and
TensorFlow's label map (.pbtxt).
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from app.core.encodings import DecodedText
from app.worker.formats.class_names import MAX_NAME, MAX_YAML, read_yaml
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import folder_of, inside, join, named, stem_of
from app.worker.formats.table_cells import literal
from app.worker.formats.tree import Tree

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = ("obj.names", "classes.txt", "_darknet.labels", "labelmap.txt", "labels.txt", "predefined_classes.txt")
BESIDE = ("", "labels", "images", "labels/train", "images/train", "train", "Annotations", "annotations", "data")
LIST_NAME = re.compile(
    r"(?i)(\w+[_-])?(classes|class(_?names?|_?list)?|categor(y|ies)|categorias|label_?map|names|labels?(_?list)?"
    r"|classes_?names|nomes|rotulos|类别|标签)\d*"
)
INDEX_NAME = re.compile(r"(?i)(notes|.*(class|categor|label|names|rotulo).*)")
KEYS = ("names", "classes", "class_names", "labels", "categories")
BEFORE = re.compile(r"(\d{1,6})\s*[:=;,. \t]\s*(\D.*)")
BEHIND = re.compile(r"(.*\D)\s*[:=;, \t]\s*(\d{1,6})")
MOST = 50  # files that are read
PBTXT_ITEM = re.compile(r"item\s*\{(.*?)\}", re.S)
PBTXT_ID = re.compile(r"\bid\s*:\s*(\d+)")
PBTXT_NAME = re.compile(r"\b(?:display_name|name)\s*:\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")")


def nearness(root: str) -> Callable[[str], tuple[int, int, str]]:
    """A sort key for paths: in the root, above it, below it, elsewhere; nearer ones first."""

    def key(path: str) -> tuple[int, int, str]:
        folder = folder_of(path)
        if folder == root:
            return 0, 0, path
        if inside(f"{root}/", folder) is not None:  # an empty folder is above every root
            return 1, root.count("/") - folder.count("/") if folder else root.count("/") + 1, path
        return (2 if inside(path, root) is not None else 3), path.count("/"), path

    return key


def yamls(tree: Tree, root: str) -> list[str]:
    """YAML files; among equally near ones, data.yaml first."""
    distance = nearness(root)
    return sorted(tree["yaml"], key=lambda path: (*distance(path)[:2], rank_yaml(path), path))[:MOST]


def rank_yaml(path: str) -> int:
    name = path.rpartition("/")[2].lower()
    return YAML_NAMES.index(name) if name in YAML_NAMES else len(YAML_NAMES)


def names_in(document: Any) -> Any:
    """The raw names in a YAML or JSON document; None if there are none."""
    if not isinstance(document, dict):
        return None
    for key in KEYS:
        value = document.get(key)
        if isinstance(value, list | dict) and value and key != "categories":
            return value
    return None


def names_elsewhere(tree: Tree, names: Any) -> Any:
    """The names in the file that a YAML refers to instead of listing them; its own value if it refers to none."""
    if not isinstance(names, str):
        return names
    path = by_path_end({path.casefold(): path for path in [*tree["text"], *tree["list"]]}, names)
    if path is None or "," in names or tree.size(path) > MAX_YAML:
        return names
    return lines_of(tree.reading(path, MAX_YAML), path) or names


def readable(tree: Tree, path: str) -> Any:
    """A YAML file's document; None if it cannot be read."""
    try:
        return read_yaml(tree.bytes_of_yaml(path), tree.encodings)
    except InvalidInput:
        return None


def lists(tree: Tree, root: str) -> Iterator[str]:
    """Text files that may contain class names, most likely first."""
    present = {path.casefold(): path for path in [*tree["text"], *tree["list"]]}
    usual = [present.get(join(root, folder, name).casefold()) for folder in BESIDE for name in LISTS]
    listed = [path for text in names_of_obj_data(tree, root) if (path := by_path_end(present, text))]
    distance = nearness(root)
    unusual = [path for path in tree["list"] if path.casefold().endswith((".names", ".labels"))]
    unusual += [path for path in tree["text"] if LIST_NAME.fullmatch(stem_of(path.rpartition("/")[2]))]
    yield from list(dict.fromkeys([*listed, *filter(None, usual), *sorted(unusual, key=distance)]))[:MOST]


def names_of_obj_data(tree: Tree, root: str) -> Iterator[str]:
    """The value of `names = …` in obj.data."""
    for path in sorted((path for path in tree["list"] if path.endswith(".data")), key=nearness(root)):
        for line in tree.text(path, MAX_YAML).splitlines():
            key, _, value = line.partition("=")
            if key.strip().lower() == "names":
                yield value


def by_path_end(present: dict[str, str], text: str) -> str | None:
    """The file that shares the longest end of a path."""
    parts = [part.casefold() for part in named(text)]
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        matches = [path for key, path in present.items() if key == end or key.endswith(f"/{end}")]
        if matches:
            return min(matches, key=len)
    return None


def lines_of(reading: DecodedText, path: str) -> list[str] | None:
    """The names in a text file, one per line; None if it has something else, such as rows or paths.

    CVAT's labelmap.txt has more data per line, after a colon.
    """
    lines = [line.strip() for line in reading.text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if path.endswith("labelmap.txt"):
        lines = [line.partition(":")[0].strip() for line in lines if line and not line.startswith("#")]
        lines = [line for line in lines if line not in {"", "background"}]
    return without_numbers(in_one_line(lines)) or None


def in_one_line(lines: list[str]) -> list[str]:
    """Names on a single line, separated by commas, or as Python prints a list."""
    listed = literal(lines[0]) if len(lines) == 1 else None
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        return listed
    parts = [part.strip() for part in lines[0].split(",")] if len(lines) == 1 and not is_row(lines[0]) else []
    return parts if len(parts) > 1 and all(parts) else lines


def without_numbers(lines: list[str]) -> list[str]:
    """Names without a number before or after them, if these count from 0 (or 1, with three or more names)."""
    for pattern, number, name in ((BEFORE, 1, 2), (BEHIND, 2, 1)):
        matches = [pattern.fullmatch(line) for line in lines]
        if len(lines) < 2 or not all(matches):
            continue
        numbers, names = ([match[at] for match in matches if match] for at in (number, name))
        first = int(numbers[0])
        counted = [int(text) for text in numbers] == list(range(first, first + len(lines)))
        if counted and (first == 0 or (first == 1 and len(lines) > 2)) and len(set(names)) == len(names):
            return names
    return lines


def unlike_names(lines: list[str], max_classes: int) -> bool:
    """Whether these lines are label rows, image paths, or prose."""
    return len(lines) > max_classes or any(
        not line or len(line) > MAX_NAME or is_row(line) or is_image(line) for line in lines
    )


def is_row(line: str) -> bool:
    parts = line.replace(",", " ").split()
    return len(parts) > 3 and all(part.replace(".", "").lstrip("-").isdigit() for part in parts)


def is_image(line: str) -> bool:
    return bool(re.search(r"(?i)\.(jpe?g|png|bmp|webp|tiff?)$", line))


def indices(tree: Tree, root: str) -> Iterator[str]:
    """JSON files and label maps that may contain class names."""
    paths = [path for path in tree["list"] if path.lower().endswith(".pbtxt")]
    paths += [path for path in [*tree["json"], *tree["csv"]] if INDEX_NAME.fullmatch(stem_of(path.rpartition("/")[2]))]
    yield from sorted(paths, key=nearness(root))[:MOST]


def names_in_index(tree: Tree, path: str) -> tuple[list[str], DecodedText] | None:
    """The names in a JSON file or a label map; None if there are none."""
    if tree.size(path) > MAX_YAML:
        return None
    reading = tree.reading(path, MAX_YAML)
    if path.lower().endswith(".pbtxt"):
        names = from_label_map(reading.text)
    elif path in tree["csv"]:
        names = from_table(reading.text)
    else:
        try:
            names = from_json(json.loads(reading.text))
        except (ValueError, RecursionError):
            return None
    return (names, reading) if names and not any(map(is_image, names)) else None


def from_json(document: Any) -> list[str] | None:
    """["a", "b"], {"0": "a"}, {"a": 0}, {"names": …}, or {"categories": [{"id": 0, "name": "a"}]}."""
    if isinstance(document, dict) and isinstance(document.get("categories"), list):
        document = {item.get("id"): item.get("name") for item in document["categories"] if isinstance(item, dict)}
    elif (inner := names_in(document)) is not None:
        document = inner
    if isinstance(document, list):
        return document if all(isinstance(name, str) for name in document) else None
    if not isinstance(document, dict) or not document:
        return None
    if all(isinstance(value, int) for value in document.values()):
        document = {value: key for key, value in document.items()}
    try:
        numbered = {int(key): name for key, name in document.items()}
    except (TypeError, ValueError):
        return None
    first = min(numbered)
    consecutive = first in {0, 1} and sorted(numbered) == list(range(first, first + len(numbered)))
    names = [numbered[number] for number in sorted(numbered)]
    return names if consecutive and all(isinstance(name, str) for name in names) else None


def from_label_map(text: str) -> list[str] | None:
    """The items of a .pbtxt by their ids, which begin with 1; YOLO's begin with 0."""
    items: dict[int, str] = {}
    for body in PBTXT_ITEM.findall(text):
        number, name = PBTXT_ID.search(body), PBTXT_NAME.search(body)
        if number and name:
            items[int(number[1])] = name[1] or name[2] or ""
    return from_json({str(number): name for number, name in items.items()})


def from_table(text: str) -> list[str] | None:
    """The names in a table of numbers and names, with or without a header."""
    rows = [
        [cell.strip().strip('"') for cell in re.split(r"[,;\t]", line)] for line in text.splitlines() if line.strip()
    ]
    if not rows or any(len(row) != 2 for row in rows):
        return None
    rows = rows if any(cell.isdigit() for cell in rows[0]) else rows[1:]
    at = next((at for at in (0, 1) if rows and all(row[at].isdigit() for row in rows)), None)
    if at is None or not all(any(map(str.isalpha, row[1 - at])) for row in rows):
        return None  # counts of images or objects
    return from_json({row[at]: row[1 - at] for row in rows})
