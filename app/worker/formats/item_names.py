"""Names the images of a version, for every format."""

from collections.abc import Iterable

from app.core.names import printable_name
from app.worker.formats.model import Decision, Item, decision
from app.worker.formats.paths import split_of, stem_of

GENERIC_FOLDERS = frozenset({"images", "image", "imgs", "img", "jpegimages", "data", "obj", "default", "labels"})
YOLO_FOLDERS = frozenset({"images", "labels"})


def inner(parts: Iterable[str]) -> list[str]:
    """Folders, with those renamed that ultralytics would take for the dataset's own."""
    return [f"{part}_" if part.casefold() in YOLO_FOLDERS else part for part in parts]


def item_name(path: str) -> str:
    """An image's name in a version, from its path below the dataset's root: without folders that describe only its kind
    or split.
    """
    *folders, name = path.split("/")
    while folders and (folders[0].casefold() in GENERIC_FOLDERS or split_of(folders[0])):
        del folders[0]
    return "/".join([*inner(folders), name])


def ensure_unique_names(items: list[Item]) -> list[Decision]:
    """Give items unique names if they differ only in suffix or case, or not at all.

    Two items that share a label file may have the same stem.
    """
    used: dict[str, str] = {}  # stem → the label it belongs to
    names: set[str] = set()
    changed: list[tuple[str, str]] = []
    for item in items:
        owner = item.label or item.image
        stem, name = stem_of(item.name), item.name
        if used.get(stem.casefold(), owner) != owner or name.casefold() in names:
            item.name = free_item_name(item, name, used, owner)
            changed.append((item.image, item.name))
        used[stem_of(item.name).casefold()] = owner
        names.add(item.name.casefold())
    if not changed:
        return []
    return [
        decision(
            "names_changed", count=len(changed), first=printable_name(changed[0][0]), name=printable_name(changed[0][1])
        )
    ]


def free_item_name(item: Item, name: str, used: dict[str, str], owner: str) -> str:
    """An unused name: with the split appended, then with a number."""
    stem = stem_of(name)
    suffix = name[len(stem) :]
    mark, number = f"_{item.split}" if item.split else "", 1
    while not mark or f"{stem}{mark}".casefold() in used:
        number += 1
        mark = f"_{number}"
    return f"{stem}{mark}{suffix}"
