"""Reads one COCO file: its images, classes, and objects, numbered from 1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats.class_names import MAX_KEYPOINTS
from app.worker.formats.coco_objects import ObjectCounts, normalised
from app.worker.formats.documents import dicts
from app.worker.formats.geometry import side
from app.worker.formats.item_names import item_name
from app.worker.formats.jsonstream import walk
from app.worker.formats.model import Finding, Item, finding
from app.worker.formats.paths import folder_of, stem_of
from app.worker.formats.roots import split_in
from app.worker.formats.tree import Tree

LISTS = {"images", "annotations", "categories"}
NAMES = ("category_name", "category", "label", "class_name", "class")  # keys of an object's class without a number
COCO_DIGITS = 12  # digits of the names of COCO's own images, which are their ids
MAX_ID = 2**63  # larger numbers are not ids


@dataclass
class CocoFile:
    """The contents of one file, without its objects."""

    path: str
    split: str | None
    images: dict[Any, tuple[Item, tuple[int, int]]] = field(default_factory=dict)  # by image id
    image_paths: set[str] = field(default_factory=set)  # paths of its images
    repeated: set[str] = field(default_factory=set)  # paths that an earlier file has too
    lost: dict[Any, str] = field(default_factory=dict)  # ids of missing images
    categories: dict[Any, str] = field(default_factory=dict)  # id → name, by id
    supers: set[str] = field(default_factory=set)
    keypoints: dict[Any, list[str]] = field(default_factory=dict)  # category id → names of its keypoints
    survey: ObjectCounts = field(default_factory=ObjectCounts)
    called: JsonObject = field(default_factory=dict)  # ids of images by their file names
    named: dict[Any, str] = field(default_factory=dict)  # class names of objects, by category id

    def image(self, key: Any) -> tuple[Item, tuple[int, int]] | None:
        """The image that an object refers to, by id or by file name."""
        entry = lookup(self.images, key)
        return entry or self.images.get(self.called.get(key) if isinstance(key, str) else None)

    def has_lost(self, key: Any) -> bool:
        return lookup(self.lost, key) is not None or (isinstance(key, str) and self.called.get(key) in self.lost)


def survey_file(tree: Tree, path: str, root: str, pictures: dict[str, Item], findings: list[Finding]) -> CocoFile:
    """The first pass: images, classes, and the kinds of objects."""
    file = CocoFile(path, split_in(path, root, with_name=True))
    for key, element in elements(tree, path):
        if key == "annotations":
            file.survey.add(element)
            add_name(file, element)
        elif key == "categories":
            add_category(file, element)
        else:
            add_image(tree, file, element, root, pictures, findings)
    file.categories = file.categories or file.named
    file.categories = dict(sorted(file.categories.items(), key=lambda pair: id_order(pair[0])))
    return file


def elements(tree: Tree, path: str) -> Iterator[tuple[str, JsonObject]]:
    """The images, objects and classes of a file; also objects nested in images, and classes listed without ids."""
    index = -1
    for key, element in walk(tree, path, LISTS, {"categories"}):
        if key == "categories":
            index += 1
            if (category := category_of(index, element)) is not None:
                yield key, category
        elif key in LISTS and isinstance(element, dict):
            yield key, element if key == "images" else normalised(with_class(element))
            for inner in dicts(element.get("annotations")) if key == "images" else ():
                yield "annotations", normalised(with_class(inner | {"image_id": id_of(element)}))


def category_of(index: int, element: Any) -> JsonObject | None:
    """A class with its id, as in COCO, from a plain list of names, or from names by id."""
    if isinstance(element, str):
        return {"id": index, "name": element}
    if not isinstance(element, dict) or "id" in element or len(element) != 1:
        return element if isinstance(element, dict) else None
    [(key, name)] = element.items()
    return {"id": int(key) if key.isascii() and key.isdigit() and len(key) < 20 else key, "name": name}


def with_class(element: JsonObject) -> JsonObject:
    """An object with only a class name, which becomes its id."""
    if "category_id" in element:
        return element
    name = next((name for key in NAMES if isinstance(name := element.get(key), str)), None)
    return element if name is None else element | {"category_id": name}


def id_of(element: JsonObject) -> Any:
    """The id of an image: its file name if it has none."""
    return element["id"] if "id" in element else element.get("file_name")


def add_name(file: CocoFile, element: JsonObject) -> None:
    """Record an object's class name, for files that do not list the classes."""
    key = element.get("category_id")
    if not isinstance(key, int | str) or key in file.named:
        return
    name = next((name for field_name in NAMES if isinstance(name := element.get(field_name), str)), None)
    if name or (isinstance(key, str) and not key.isdigit()):
        file.named[key] = (name or str(key)).strip()


def id_order(key: Any) -> tuple[bool, Any]:
    """A sort key: numbers before strings."""
    return (isinstance(key, str), key)


def add_category(file: CocoFile, element: JsonObject) -> None:
    key, name = element.get("id"), element.get("name")
    if isinstance(key, int | str) and isinstance(name, str):
        file.categories[key] = name.strip()
        above = element.get("supercategory")
        if isinstance(above, str):
            file.supers.add(above.strip())
        points = element.get("keypoints")
        if isinstance(points, list) and 0 < len(points) <= MAX_KEYPOINTS:
            file.keypoints[key] = [str(point) for point in points]


def add_image(
    tree: Tree, file: CocoFile, element: JsonObject, root: str, pictures: dict[str, Item], findings: list[Finding]
) -> None:
    """Add an image of the file; a missing image becomes a finding, a repeated one is merged."""
    key, name = id_of(element), element.get("file_name") or element.get("coco_url")
    if not isinstance(key, int | str):
        return
    if isinstance(name, str) and name != key:
        file.called |= {name: key, stem_of(name): key}
    location = folder_of(file.path), file.split
    names = [name] if isinstance(name, str) and name else [str(key), str(key).zfill(COCO_DIGITS)]
    hits = (tree.image(way, *location, by_stem) for by_stem in (False, True) for way in names)
    path = next((hit for hit in hits if hit), None)
    if path is None:
        file.lost[key] = printable_name(names[0])
        findings.append(finding("warning", "image_missing", file.path, None, image=file.lost[key]))
        return
    size = (side(element.get("width")), side(element.get("height")))
    item = pictures.get(path)
    if item is not None and path not in file.image_paths:
        file.repeated.add(path)
        item.split = item.split or file.split
    if item is not None and (path in file.image_paths or file.split not in {None, item.split}):
        first = file.path if path in file.image_paths else item.split
        findings.append(
            finding("warning", "image_repeated", file.path, None, of=path, image=printable_name(path), first=first)
        )
    elif item is None:
        below = path[len(root) + 1 :] if root and path.startswith(f"{root}/") else path
        split = file.split or split_in(path, root, False)
        item = Item(path, item_name(below), split, rows=[], size=size if all(size) else None)
    file.image_paths.add(path)
    pictures[path] = item
    file.images[key] = (item, size if all(size) else (0, 0))


def lookup(entries: Mapping[Any, Any], key: Any) -> Any:
    """The entry with this id, otherwise with the same number as another type: VIA mixes 0 and "0"."""
    if not isinstance(key, int | str | float) or key in entries:
        return entries.get(key) if isinstance(key, int | str) else None
    if isinstance(key, str):
        return entries.get(int(key)) if key.strip().isascii() and key.strip().isdigit() and len(key) < 20 else None
    return entries.get(str(int(key))) if abs(key) < MAX_ID and key == int(key) else None


def ids_as_text(file: CocoFile) -> bool:
    """Whether the objects use another type for the ids of images or classes."""
    return any(key not in file.categories and lookup(file.categories, key) for key in file.survey.classes) or any(
        key not in file.images and lookup(file.images, key) for key in file.survey.images
    )


def annotations(tree: Tree, file: CocoFile) -> Iterator[tuple[int, JsonObject]]:
    """The objects of a file, numbered from 1."""
    line = 0
    for key, element in elements(tree, file.path):
        if key == "annotations":
            line += 1
            if isinstance(element.get("image_id"), int | str | None):
                yield line, element
