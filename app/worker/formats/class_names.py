"""Class names, and uploaded YAML. Only names and keypoints are read; nothing in it is executed or resolved."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import yaml

from app.core.encodings import TEXTS, decode
from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.core.report import Keypoints
from app.worker.formats.model import InvalidInput

MAX_YAML = 256 * 1024  # bytes
MAX_YAML_DEPTH = 20
MAX_NAME = 200  # characters
MAX_KEYPOINTS = 1000

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STANDARD_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")} | {"!"}


def read_yaml(data: bytes, encodings: Sequence[str] = TEXTS) -> Any:
    """A YAML file as dictionaries, lists and strings; numbers stay strings.

    Built from the parser's events, so aliases, tags and deep nesting are refused before any object is created.

    Raises:
        InvalidInput: it is not YAML, or uses features that class names do not need.
    """
    if len(data) > MAX_YAML:
        raise InvalidInput("yaml_too_large", limit=MAX_YAML)
    text = decode(data, encodings).text
    try:
        return parsed(text)
    except (yaml.YAMLError, RecursionError) as error:
        if "\t" in text:  # indented with tabs, a common mistake that YAML forbids
            try:
                return parsed(text.replace("\t", "  "))
            except (yaml.YAMLError, RecursionError):
                pass
        raise InvalidInput("yaml_unreadable", reason=printable_name(str(error))) from error


def parsed(text: str) -> Any:
    return build(yaml.parse(text, Loader=Loader))


def build(events: Any) -> Any:
    """The document of a stream of parser events."""
    stack: list[tuple[Any, list[str]]] = []  # open collections, each with the key that awaits its value
    root: Any = None
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            continue
        value = start_value(event, len(stack))
        if stack:
            add_value(*stack[-1], value)
        elif root is None:
            root = value
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((value, []))
    return root


def start_value(event: Any, depth: int) -> Any:
    """The value that an event starts."""
    if event.tag is not None and event.tag not in STANDARD_TAGS:
        raise yaml.YAMLError(f"tag {event.tag} is not accepted")
    if isinstance(event, yaml.ScalarEvent):
        is_null = event.implicit[0] and event.value in {"", "~", "null", "Null", "NULL"}
        return None if is_null else event.value
    if depth >= MAX_YAML_DEPTH:
        raise yaml.YAMLError("nested too deeply")
    return {} if isinstance(event, yaml.MappingStartEvent) else []


def add_value(collection: Any, waiting: list[str], value: Any) -> None:
    """Add a value to an open collection; in a mapping, keys and values alternate."""
    if isinstance(collection, list):
        collection.append(value)
    elif waiting:
        collection[waiting.pop()] = value
    elif not isinstance(value, str):
        raise yaml.YAMLError("a key is not a text")
    elif value in collection:
        raise yaml.YAMLError(f"key {value} appears twice")
    else:
        waiting.append(value)
        collection[value] = None


def names_of(document: Any, max_classes: int) -> list[str] | None:
    """The class names in a data.yaml; None if it has none.

    Raises:
        InvalidInput: its names are invalid, or their number differs from `nc`.
    """
    if document is None:
        return None
    if not isinstance(document, dict):
        raise InvalidInput("yaml_not_mapping")
    names, count = document.get("names"), document.get("nc")
    if isinstance(names, dict):
        names = in_order(names)
    elif isinstance(names, str) and "," in names:
        names = [name.strip() for name in names.split(",")]
    elif isinstance(names, list):
        names = [join_mapping(name) for name in names]
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str | None) for name in names)):
        raise InvalidInput("yaml_names")
    if count is not None:
        count = parse_whole_number(count)
        if names is None:
            names = [f"class_{index}" for index in range(min(count, max_classes + 1))]
        elif count != len(names):
            raise InvalidInput("yaml_count", count=count, names=len(names))
    return None if names is None else check_names([name or "" for name in names], max_classes, "data.yaml")


def join_mapping(name: Any) -> Any:
    """An unquoted name with a colon, which YAML parses as a mapping."""
    if isinstance(name, dict) and len(name) == 1:
        [(key, value)] = name.items()
        return f"{key}: {value}" if isinstance(value, str) else name
    return name


def in_order(names: JsonObject) -> list[Any]:
    """Names by number; the numbers must be consecutive from 0, or from 1."""
    numbers = {parse_whole_number(key): name for key, name in names.items()}
    first = min(numbers, default=0)
    if first > 1 or sorted(numbers) != list(range(first, first + len(names))):
        raise InvalidInput("yaml_gap", last=len(names) - 1)
    return [name for _, name in sorted(numbers.items())]


def first_class(document: Any) -> int:
    """The number of the first class in a data.yaml: 1 if its names begin there."""
    names = document.get("names") if isinstance(document, dict) else None
    return min(map(parse_whole_number, names), default=0) if isinstance(names, dict) else 0


def parse_whole_number(text: Any) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise InvalidInput("yaml_whole", text=printable_name(str(text)))


def names_from_form(text: str, max_classes: int) -> list[str] | None:
    """Comma separated names; None for an empty field."""
    return check_names([name.strip() for name in text.split(",")], max_classes, "classes") if text.strip() else None


def check_names(names: list[str], max_classes: int, source: str) -> list[str]:
    """The names, stripped.

    Raises:
        InvalidInput: too many, none, or an invalid one: empty, too long, or like a path.
    """
    if not names:
        raise InvalidInput("names_none", source=source)
    if len(names) > max_classes:
        raise InvalidInput("names_too_many", limit=max_classes)
    names = [name.strip() for name in names]
    for number, name in enumerate(names):
        if not name:
            raise InvalidInput("name_empty", number=number, source=source)
        if len(name) > MAX_NAME or is_path(name) or any(unicodedata.category(char) in {"Cc", "Cs"} for char in name):
            raise InvalidInput("name_unfit", name=printable_name(name), source=source)
    return names


def is_path(name: str) -> bool:
    """Whether a class name would escape a folder. Names become file names in exports: "car/truck" is fine there once
    escaped.
    """
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or (len(parts) > 1 and parts[0] == "") or name in {".", ".."}


def keypoints_of(document: Any) -> Keypoints | None:
    """`kpt_shape` and, if present, `flip_idx`; None without keypoints.

    Raises:
        InvalidInput: one of them is invalid.
    """
    shape = document.get("kpt_shape") if isinstance(document, dict) else None
    if shape is None:
        return None
    numbers = [parse_whole_number(item) for item in shape] if isinstance(shape, list) else []
    if len(numbers) != 2 or not 1 <= numbers[0] <= MAX_KEYPOINTS or numbers[1] not in {2, 3}:
        raise InvalidInput("yaml_kpt_shape")
    flipped = document.get("flip_idx")
    if flipped is None:
        return {"kpt_shape": numbers}
    order = [parse_whole_number(item) for item in flipped] if isinstance(flipped, list) else []
    if sorted(order) != list(range(numbers[0])):
        raise InvalidInput("yaml_flip_idx", last=numbers[0] - 1)
    return {"kpt_shape": numbers, "flip_idx": order}
