"""Datumaro JSON: one file per subset below annotations/, with classes by number and one item per image."""

from collections.abc import Iterator
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.documents import FileFindings, dicts, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape, pose_shape, rotated_shape
from app.worker.formats.geometry import Points, ellipse, number, side
from app.worker.formats.jsonstream import walk
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, Options, Source
from app.worker.formats.paths import folder_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree

LISTS = {"items"}
QUIET = {"label", "caption", "feature_vector"}  # annotations of the entire image


def is_document(head: JsonObject) -> bool:
    """Whether the first values of a JSON file are Datumaro's."""
    items, categories = head.get("items"), head.get("categories")
    if isinstance(categories, dict) and isinstance(categories.get("label"), dict):
        return "items" in head
    return any({"id", "annotations"} <= set(item) and {"image", "media"} & set(item) for item in dicts(items))


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "datumaro")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: list[Draft] = []
    names: list[str] = []
    points: list[str] = []
    for path in detected.hint:
        file = DatumaroFile(tree, path, detected.root, findings)
        drafts += file.read()
        names += [name for name in file.names if name not in names]
        points = points or file.points
    return convert_drafts(tree, detected, options, drafts, class_list, findings, names or None, keypoints=points)


class DatumaroFile:
    """The JSON of one subset. Read twice as a stream, since the classes may follow the items."""

    def __init__(self, tree: Tree, path: str, root: str, findings: list[Finding]) -> None:
        self.tree, self.path, self.root = tree, path, root
        self.notes = FileFindings(path, findings)
        self.split = split_in(path, root, with_name=True)
        self.names: list[str] = []
        self.points: list[str] = []
        self.line = 0  # number of the object in the file
        for key, value in walk(tree, path, LISTS):
            if key == "categories" and isinstance(value, dict):
                self.categories(value)

    def categories(self, value: JsonObject) -> None:
        labels, points = value.get("label"), value.get("points")
        if isinstance(labels, dict):
            self.names = [text(entry.get("name")) for entry in dicts(labels.get("labels"))]
        for entry in dicts(points.get("items") if isinstance(points, dict) else None):
            names = entry.get("labels")
            if isinstance(names, list) and not self.points:
                self.points = [str(name) for name in names[:1000]]

    def read(self) -> list[Draft]:
        """Its images with their objects."""
        drafts = []
        for key, item in walk(self.tree, self.path, LISTS):
            if key == "items" and isinstance(item, dict) and (draft := self.item(item)):
                drafts.append(draft)
        self.notes.close()
        return drafts

    def item(self, item: JsonObject) -> Draft | None:
        """One image; None with a finding if it cannot be used."""
        media = item.get("image") if isinstance(item.get("image"), dict) else item.get("media")
        media = media if isinstance(media, dict) else {}
        objects = dicts(item.get("annotations"))
        named = [name for name in (text(media.get("path")), text(item.get("id"))) if name]
        hits = (self.tree.image(name, folder_of(self.path), self.split, by_stem=True) for name in named)
        image = next((hit for hit in hits if hit), None)
        if image is None:
            self.line += len(objects)
            self.notes.missing(named[0] if named else "")
            return None
        size = media.get("size")
        sides = (side(size[1]), side(size[0])) if isinstance(size, list) and len(size) == 2 else (0, 0)
        draft = Draft(image, self.split or split_in(image, self.root, False), self.path, sides if all(sides) else None)
        shapes = [(entry, shape) for entry in objects if (shape := self.shape(entry, draft))]
        draft.shapes = sorted(joined_groups(shapes), key=lambda shape: shape.line or 0)
        return draft

    def shape(self, entry: JsonObject, draft: Draft) -> DraftShape | None:
        """An object's shape; None with a finding if it is unsupported."""
        self.line += 1
        kind, number_ = text(entry.get("type")), entry.get("label_id")
        if kind in QUIET:
            return None
        listed = type(number_) is int and 0 <= number_ < len(self.names)
        name = self.names[number_] if listed and type(number_) is int else ""
        if not name:
            self.notes.unnamed(self.line, draft.image)
            return None
        try:
            shape = shape_of(kind, entry, name, self.line)
        except BadMask:
            self.notes.object("mask_unreadable", self.line, draft.image, name=printable_name(name))
            return None
        if shape is None:
            self.notes.unread(kind, name, self.line, draft.image)
        return shape


def joined_groups(entries: list[tuple[JsonObject, DraftShape]]) -> Iterator[DraftShape]:
    """Polygons of one group and class are one object, as in COCO; a box beside its polygon is not another one."""
    groups: dict[tuple[Any, str], list[DraftShape]] = {}
    for entry, shape in entries:
        group = entry.get("group")
        if not (type(group) is int and group):
            yield shape
        else:
            groups.setdefault((group, shape.name), []).append(shape)
    for shapes in groups.values():
        outlines = [shape for shape in shapes if shape.kind == "polygon"]
        if len(outlines) > 1 or (outlines and len(shapes) > 1 and all(s.kind in {"box", "polygon"} for s in shapes)):
            yield outline_shape(outlines[0].name, [shape.points() for shape in outlines], outlines[0].line)
        else:
            yield from shapes


def shape_of(kind: str, entry: JsonObject, name: str, line: int) -> DraftShape | None:
    """An object's shape; None for one that YOLO does not support."""
    if kind in {"bbox", "rotated_bbox", "ellipse"}:
        values = entry.get("bbox")
        values = values if isinstance(values, list) else [entry.get(key) for key in ("x1", "y1", "x2", "y2")]
        if kind == "rotated_bbox" and not isinstance(entry.get("bbox"), list):
            x, y, width, height = (number(entry.get(key)) for key in ("cx", "cy", "w", "h"))
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            return rotated_shape(name, box, number(entry.get("r") or 0), line)
        left, top, width, height = map(number, [*values, None, None, None, None][:4])
        if kind == "ellipse":
            if not isinstance(entry.get("bbox"), list) and len(ends := pairs(entry.get("points"))) == 2:
                (left, top), (right, bottom) = ends
                width, height = right - left, bottom - top
            return outline_shape(name, [ellipse(left + width / 2, top + height / 2, width / 2, height / 2)], line)
        return DraftShape("box", name, (left, top, left + width, top + height), line)
    if kind == "polygon":
        points = pairs(entry.get("points"))
        return outline_shape(name, [points], line) if len(points) > 2 else None
    if kind == "mask":
        parts = mask_codecs.outlines(mask_codecs.from_coco(entry.get("rle")))
        if not parts:
            raise BadMask("empty")
        return outline_shape(name, parts, line)
    if kind == "points":
        return pose_shape(name, keypoints_of(entry), line)
    return None


def pairs(values: Any) -> Points:
    values = values if isinstance(values, list) else []
    return [(number(x), number(y)) for x, y in zip(values[::2], values[1::2], strict=False)]


def keypoints_of(entry: JsonObject) -> Iterator[tuple[float, float, int]]:
    """Keypoints with Datumaro's visibility: 0 absent, 1 hidden, 2 visible, as in COCO."""
    visibility = entry.get("visibility")
    for index, point in enumerate(pairs(entry.get("points"))):
        mark = visibility[index] if isinstance(visibility, list) and index < len(visibility) else 2
        yield (*point, mark if mark in {0, 1, 2} else 0)
