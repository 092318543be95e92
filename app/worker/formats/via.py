"""VGG Image Annotator: JSON of versions 1 and 2 (annotations or the entire project), their CSV, and JSON of
version 3.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.documents import FileFindings, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape
from app.worker.formats.geometry import ellipse, number
from app.worker.formats.jsonstream import walk
from app.worker.formats.model import Decision, DetectedDataset, Finding, InvalidInput, Options, Source, decision
from app.worker.formats.paths import folder_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree

PARTS = {"_via_settings", "_via_img_metadata", "_via_attributes", "_via_data_format_version", "_via_image_id_list"}
THIRD = {"file", "view", "metadata", "attribute"}  # of version 3
LARGE = {"_via_img_metadata", *THIRD}  # read member by member
CELLS = {"filename", "region_shape_attributes", "region_attributes"}
USUAL = ("class", "label", "name", "type", "category", "object", "classes", "labels", "object_name")
NAMES_3 = {2: "rect", 3: "circle", 4: "ellipse", 7: "polygon"}
OBJECT_CLASS = "object"  # the class of regions without one


@dataclass
class Region:
    """A region as in the file."""

    shape: JsonObject
    attributes: JsonObject
    line: int


@dataclass
class ViaFile:
    """The contents of one file: its images with their regions."""

    path: str
    split: str | None
    images: dict[str, list[Region]] = field(default_factory=dict)
    options: dict[str, JsonObject] = field(default_factory=dict)  # of each attribute, by id


def is_document(head: JsonObject) -> bool:
    """Whether the first values of a JSON file are VIA's."""
    if PARTS & set(head):
        return True
    if "pid" in as_dict(head.get("project")):
        return True
    return any(isinstance(value, dict) and {"filename", "regions"} <= set(value) for value in head.values())


def is_table(cells: set[str]) -> bool:
    """Whether these are the columns of VIA's CSV."""
    return cells >= CELLS


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "via")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    files = []
    for path in detected.hint:
        file = ViaFile(path, split_in(path, detected.root, with_name=True))
        for name, region in regions(tree, path, file.options):
            image_regions = file.images.setdefault(name, [])
            if region:
                image_regions.append(region)
        files.append(file)
    key, decisions = class_attribute(files)
    class_list.decisions += decisions
    drafts: list[Draft] = []
    for file in files:
        drafts += draw(tree, file, detected.root, key, findings)
    return convert_drafts(tree, detected, options, drafts, class_list, findings)


def regions(tree: Tree, path: str, options: dict[str, JsonObject]) -> Iterator[tuple[str, Region | None]]:
    """Each region with its image; an image without regions with None.

    Args:
        options: filled with those of the attributes.
    """
    if path.endswith(".json"):
        yield from regions_of_json(tree, path, options)
        return
    for line, row in CsvTable(tree, path).rows():
        shape, attributes = (cell_object(row.get(key, "")) for key in ("region_shape_attributes", "region_attributes"))
        yield row.get("filename", ""), Region(shape, attributes, line) if shape else None


def cell_object(cell: str) -> JsonObject:
    """The JSON object in a cell."""
    try:
        value = json.loads(cell) if cell.strip() else {}
    except (ValueError, RecursionError):
        return {"name": "unreadable"}
    return value if isinstance(value, dict) else {}


def regions_of_json(tree: Tree, path: str, options: dict[str, JsonObject]) -> Iterator[tuple[str, Region | None]]:
    line = 0
    third: dict[str, JsonObject] = {}
    for key, value in walk(tree, path, maps=LARGE):
        images = value if key == "_via_img_metadata" else {key: value}
        if key == "_via_attributes":
            entries = as_dict(as_dict(value).get("region"))
            options |= {name: as_dict(as_dict(entry).get("options")) for name, entry in entries.items()}
        if key in THIRD:
            third.setdefault(key, {}).update(as_dict(value))
        for image in images.values() if isinstance(images, dict) else []:
            if not isinstance(image, dict) or "regions" not in image:
                continue
            name, entries = text(image.get("filename")), image["regions"]
            yield name, None
            for entry in (
                entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else []
            ):
                line += 1
                yield name, region(entry, line)
    yield from regions_of_third(third)


def region(entry: Any, line: int) -> Region:
    entry = entry if isinstance(entry, dict) else {}
    shape, attributes = entry.get("shape_attributes"), entry.get("region_attributes")
    return Region(shape if isinstance(shape, dict) else {}, attributes if isinstance(attributes, dict) else {}, line)


def regions_of_third(document: Mapping[str, object]) -> Iterator[tuple[str, Region | None]]:
    """Version 3 has images, views and regions in separate objects, and names of options in its attributes."""
    files, views, attributes = (as_dict(document.get(key)) for key in ("file", "view", "attribute"))
    names: dict[str, str] = {}
    for key, view in views.items():
        ids = as_dict(view).get("fid_list")
        file = as_dict(files.get(str(ids[0]))) if isinstance(ids, list) and ids else {}
        names[str(key)] = text(file.get("fname"))
        if names[str(key)]:
            yield names[str(key)], None
    for line, entry in enumerate(as_dict(document.get("metadata")).values(), 1):
        entry = as_dict(entry)
        name = names.get(str(entry.get("vid")), "")
        if name and not entry.get("z"):
            yield name, Region(third_shape(entry.get("xy")), third_attributes(entry.get("av"), attributes), line)


def as_dict(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def third_attributes(values: Any, attributes: JsonObject) -> JsonObject:
    """The attributes of a region by name, with the names of their options."""
    named = {}
    for key, value in as_dict(values).items():
        attribute = as_dict(attributes.get(key))
        options = as_dict(attribute.get("options"))
        named[text(attribute.get("aname")) or str(key)] = options.get(str(value), value)
    return named


def third_shape(values: Any) -> JsonObject:
    """A shape of version 3 in version 2's form."""
    values = values if isinstance(values, list) and values else [0]
    kind, numbers = NAMES_3.get(values[0] if type(values[0]) is int else 0, f"shape {values[0]}"), values[1:]
    keys = {"rect": ("x", "y", "width", "height"), "circle": ("cx", "cy", "r"), "ellipse": ("cx", "cy", "rx", "ry")}
    if kind == "polygon":
        return {"name": kind, "all_points_x": numbers[::2], "all_points_y": numbers[1::2]}
    return {"name": kind} | dict(zip(keys.get(kind, ()), numbers, strict=False))


def class_attribute(files: list[ViaFile]) -> tuple[str | None, list[Decision]]:
    """The attribute of the regions that is their class: one with a usual name, otherwise the most frequent one."""
    counts = Counter[str]()
    total = 0
    for file in files:
        for image_regions in file.images.values():
            for entry in image_regions:
                total += 1
                counts.update(key for key, value in entry.attributes.items() if class_of(value))
    if not total:
        raise InvalidInput("no_objects")
    if not counts:
        return None, [decision("class_of_all", "names", name=OBJECT_CLASS)]
    usual = {key.casefold().replace(" ", "_"): key for key in counts}
    key = next((usual[name] for name in USUAL if name in usual), counts.most_common(1)[0][0])
    decisions = [
        decision(
            "class_attribute", None, None, name=printable_name(key), others=printable_name(", ".join(sorted(counts)))
        )
    ]
    return key, decisions if len(counts) > 1 else []


def class_of(value: Any) -> str:
    """A class: a string, a number, or the checked item of a list of checkboxes."""
    if isinstance(value, dict):
        ticked = [str(name) for name, on in value.items() if on]
        return ticked[0].strip() if len(ticked) == 1 else ""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def option_text(value: str, options: JsonObject) -> str:
    """The text of an option whose id is a plain number; another id is the name itself."""
    return text(options.get(value)) or value if value.isdigit() else value


def draw(tree: Tree, file: ViaFile, root: str, key: str | None, findings: list[Finding]) -> list[Draft]:
    """The images of a file with their shapes."""
    notes, drafts = FileFindings(file.path, findings), []
    for name, image_regions in file.images.items():
        image = tree.image(name, folder_of(file.path), file.split)
        if image is None:
            notes.missing(name)
            continue
        draft = Draft(image, file.split or split_in(image, root, False), file.path, None)
        for entry in image_regions:
            kind = option_text(class_of(entry.attributes.get(key)), file.options.get(key, {})) if key else OBJECT_CLASS
            if not kind:
                notes.unnamed(entry.line, image)
            elif drawn := shape_of(entry.shape, kind, entry.line):
                draft.shapes.append(drawn)
            else:
                notes.unread(entry.shape.get("name"), kind, entry.line, image)
        drafts.append(draft)
    notes.close()
    return drafts


def shape_of(shape: JsonObject, name: str, line: int) -> DraftShape | None:
    """An object's shape; None for one that YOLO does not support."""

    def values(*keys: str) -> list[float]:
        return [number(shape.get(key)) for key in keys]

    kind = shape.get("name")
    if kind == "rect":
        left, top, width, height = values("x", "y", "width", "height")
        return DraftShape("box", name, (left, top, left + width, top + height), line)
    if kind == "circle":
        x, y, radius = values("cx", "cy", "r")
        return outline_shape(name, [ellipse(x, y, radius, radius)], line)
    if kind == "ellipse":
        x, y, across, down = values("cx", "cy", "rx", "ry")
        turn = math.degrees(number(shape.get("theta") or 0))
        return outline_shape(name, [ellipse(x, y, across, down, turn)], line)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if kind == "polygon" and isinstance(xs, list) and isinstance(ys, list) and min(len(xs), len(ys)) > 2:
        return outline_shape(name, [[(number(x), number(y)) for x, y in zip(xs, ys, strict=False)]], line)
    return None
