"""The classes of a dataset: those in an image, renaming, merging. Standard library only."""

from collections.abc import Iterator
from pathlib import Path

from app.worker.formats import InvalidInput, Item, Row, Source, decision

GARBLED = "\ufffd"
# Decisions about names that are obsolete once a person has named the classes.
ABOUT_NAMES = frozenset(
    {
        "classes_unnamed",
        "names_sorted",
        "names_from_file",
        "names_added",
        "annotation_names",
        "form_names_ignored",
        "form_names_ignored_list",
        "folder_names",
    }
)


def classes_in(item: Item, folder: Path) -> set[int | str]:
    """The classes in an image's label; unreadable rows are skipped."""
    if item.class_name is not None:
        return {item.class_name}
    texts = [row.text for row in item.rows] if item.rows is not None else lines(folder, item.label)
    return {number for text in texts if (number := class_of(text)) is not None}


def lines(folder: Path, label: str | None) -> list[str]:
    """The lines of a label file; none if it is missing or not text."""
    if label is None:
        return []
    try:
        return (folder / label).read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return []


def class_of(text: str) -> int | None:
    """The class number of a YOLO row."""
    try:
        value = float(text.split(None, 1)[0])
    except (ValueError, IndexError):
        return None
    return int(value) if value.is_integer() else None


def set_names(source: Source, folder: Path, names: list[str] | None) -> None:
    """Rename all classes, in the order of their numbers. Changes `source`, no files.

    Raises:
        InvalidInput: there are too few names.
    """
    if names:
        if len(names) < len(source.names):
            raise InvalidInput("names_too_few", count=len(names), needed=len(source.names))
        rename_numbers(source, folder, names)
        source.decisions = [item for item in source.decisions if item["code"] not in ABOUT_NAMES]
        source.decisions.append(decision("names_given", "names", count=len(source.names)))


def ungarble(source: Source, folder: Path) -> None:
    """Remove replacement characters (U+FFFD) from names that were garbled before the import."""
    bad = [name for name in source.names if GARBLED in name]
    if bad:
        readable = set(source.names) - set(bad)
        new = {name: free_class_name(name.replace(GARBLED, "_"), readable) for name in bad}
        rename_numbers(source, folder, [new.get(name, name) for name in source.names])
        source.decisions.append(decision("names_garbled", "names", names=", ".join(new.values())[:200]))


def free_class_name(name: str, used: set[str]) -> str:
    """The name, with a number appended if another class has it; it is added to `used`."""
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name}{number}"
    used.add(free)
    return free


def rename(source: Source, folder: Path, new_names: dict[str, str] | None) -> None:
    """Rename some classes by their former names; classes with the same new name are merged.

    Raises:
        InvalidInput: a former name does not exist.
    """
    if new_names:
        unknown = [name for name in new_names if name not in source.names]
        if unknown:
            raise InvalidInput("class_not_there", name=unknown[0][:200])
        rename_numbers(source, folder, [new_names.get(name, name) for name in source.names])


def rename_numbers(source: Source, folder: Path, new_names: list[str]) -> None:
    """Rename classes by number; `new_names` are in the order of the present numbers."""
    merged = list(dict.fromkeys(new_names))
    numbers = {number: merged.index(name) for number, name in enumerate(new_names)}
    if source.task == "classify":
        rename_folders(source, dict(zip(source.names, new_names, strict=False)))
    elif any(old != new for old, new in numbers.items()):
        for item in source.items:
            renumber(item, folder, numbers)
    if len(merged) < len(new_names):
        source.decisions.append(decision("classes_merged", "rename", None, before=len(new_names), after=len(merged)))
    source.names = merged


def renumber(item: Item, folder: Path, numbers: dict[int, int]) -> None:
    """Change the class numbers in an item's rows. Unreadable rows and files are unchanged, and reported later."""
    rows = item.rows
    if rows is None:
        if item.label is None or not (texts := lines(folder, item.label)):
            return
        rows = [Row(text, item.label, number) for number, text in enumerate(texts, 1) if text.strip()]
        item.label = None
    item.rows = [Row(renumbered(row.text, numbers), row.file, row.line) for row in rows]


def renumbered(text: str, numbers: dict[int, int]) -> str:
    """A row with another class number."""
    old = class_of(text)
    if old is None or old not in numbers:
        return text
    parts = text.split(None, 1)
    return " ".join([str(numbers[old]), *parts[1:]])


def rename_folders(source: Source, new_names: dict[str, str]) -> None:
    """Rename classes that are folders. If two images would get the same name, the later one gets its former class as a
    prefix.

    Raises:
        InvalidInput: a name is not valid for a folder.
    """
    for name in new_names.values():
        if "/" in name or "\\" in name or name.startswith(".") or name != name.strip():
            raise InvalidInput("class_no_folder", name=name[:200])
    used: set[str] = set()
    for item in source.items:
        old = item.class_name or ""
        new = new_names.get(old, old)
        rest = item.name.split("/", 1)[-1]
        item.name = next(name for name in free_names(new, old, rest) if name.casefold() not in used)
        item.class_name = new
        used.add(item.name.casefold())


def free_names(new: str, old: str, rest: str) -> Iterator[str]:
    """Paths for an image whose class changes from `old` to `new`, in order of preference."""
    yield f"{new}/{rest}"
    parent, _, name = rest.rpartition("/")
    number = 0
    while True:
        mark = f"{old}_{number}" if number else old
        yield "/".join(part for part in (new, parent, f"{mark}_{name}") if part)
        number += 1
