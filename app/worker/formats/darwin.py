"""Darwin JSON of V7: one file per image. Version 2 has `item` and `slots`, version 1 had `image`."""

import math
from typing import Any

from app.core.json_object import JsonObject
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.documents import FileFindings, dicts, load_document, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape, pose_shape
from app.worker.formats.geometry import Points, ellipse, number, side
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, Options, Source, finding
from app.worker.formats.paths import folder_of, join, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree

SHAPES = {"bounding_box", "polygon", "ellipse", "keypoint", "skeleton", "line", "cuboid", "mask", "raster_layer", "tag"}
PARTS = {"id", "name", "properties", "annotators", "reviewers", "ranges", "slot_names", "attributes", "text"}
VISIBILITY = {True: 1, False: 2}  # a keypoint's visibility by its occlusion


def is_document(head: JsonObject) -> bool:
    """Whether the first values of a JSON file are Darwin's."""
    item, objects = head.get("item"), head.get("annotations")
    if isinstance(item, dict) and {"name", "slots"} & set(item) and objects is not None:
        return True
    image = head.get("image")
    if isinstance(image, dict) and {"filename", "original_filename"} & set(image) and isinstance(objects, list):
        return not any("image_id" in entry for entry in dicts(objects))
    return any("image_id" not in entry and "name" in entry and SHAPES & set(entry) for entry in dicts(objects))


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "darwin")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    files = [DarwinFile(tree, path, findings) for path in detected.hint]
    drafts = [draft for file in files if (draft := file.read(detected.root))]
    points = next((file.points for file in files if file.points), [])
    return convert_drafts(tree, detected, options, drafts, class_list, findings, keypoints=points)


class DarwinFile:
    """The JSON of one image."""

    def __init__(self, tree: Tree, path: str, findings: list[Finding]) -> None:
        self.tree, self.path, self.findings = tree, path, findings
        self.notes = FileFindings(path, findings)
        self.points: list[str] = []  # names of a skeleton's nodes
        self.layers: dict[str, str] = {}  # names of masks by id

    def read(self, root: str) -> Draft | None:
        """Its image with the objects; None with a finding if it cannot be used."""
        document = load_document(self.tree, self.path, self.findings)
        if document is None:
            return None
        name, size, slots = described(document)
        image = self.tree.image(name, folder_of(self.path)) if name else None
        image = image or self.tree.image(self.path.rpartition("/")[2], folder_of(self.path), by_stem=True)
        if image is None:
            self.notes.missing(name or stem_of(self.path))
            return None
        if slots > 1:
            self.findings.append(finding("warning", "slots_left_out", self.path, None, of=image, count=slots - 1))
        split = split_in(self.path, root, False) or split_in(image, root, False)
        draft = Draft(image, split, self.path, size)
        objects = document.get("annotations")
        self.layers = {str(entry.get("id")): text(entry.get("name")) for entry in dicts(objects) if "mask" in entry}
        for line, entry in enumerate(objects if isinstance(objects, list) else [], 1):
            self.add_object(entry if isinstance(entry, dict) else {}, line, draft)
        return draft

    def add_object(self, entry: JsonObject, line: int, draft: Draft) -> None:
        """Add the shapes of one object, or a finding."""
        name = text(entry.get("name"))
        if "raster_layer" in entry:
            self.raster(entry["raster_layer"], line, draft)
        elif "mask" in entry:
            return  # its pixels are in the raster layer
        elif not name:
            self.notes.unnamed(line, draft.image)
        elif shape := self.shape(entry, name, line):
            draft.shapes.append(shape)
        else:
            kind = next((key for key in entry if key in SHAPES), None) or next((k for k in entry if k not in PARTS), "")
            self.notes.unread(kind, name, line, draft.image)

    def shape(self, entry: JsonObject, name: str, line: int) -> DraftShape | None:
        """An object's polygon, keypoints or box: the first that it has."""
        if parts := outlines(entry.get("polygon")):
            return outline_shape(name, parts, line)
        oval, skeleton, box = entry.get("ellipse"), entry.get("skeleton"), entry.get("bounding_box")
        if isinstance(oval, dict):
            (x, y), (across, down) = point(oval.get("center")), point(oval.get("radius"))
            return outline_shape(name, [ellipse(x, y, across, down, angle(oval.get("angle")))], line)
        if isinstance(skeleton, dict) and (nodes := dicts(skeleton.get("nodes"))):
            self.points = self.points or [text(node.get("name")) for node in nodes]
            marks = [(*point(node), VISIBILITY[node.get("occluded") is True]) for node in nodes]
            return pose_shape(name, marks, line)
        if isinstance(box, dict):
            left, top, across, down = (number(box.get(key)) for key in ("x", "y", "w", "h"))
            return DraftShape("box", name, (left, top, left + across, top + down), line)
        return None

    def raster(self, layer: Any, line: int, draft: Draft) -> None:
        """Add the masks of an image: each pixel has the number of its object, as runs along the rows."""
        try:
            for name, parts in masks(layer, draft.size, self.layers):
                draft.shapes.append(outline_shape(name, parts, line))
        except BadMask:
            self.notes.object("mask_unreadable", line, draft.image, name="raster_layer")


def described(document: JsonObject) -> tuple[str, tuple[int, int] | None, int]:
    """The image's path and size, and the number of images in the file."""
    item, image = document.get("item"), document.get("image")
    if isinstance(item, dict):
        slots = dicts(item.get("slots"))
        first = slots[0] if slots else {}
        files = dicts(first.get("source_files"))
        name = text(item.get("name")) or text((files[0] if files else {}).get("file_name"))
        name = join(text(item.get("path")).strip("/"), name)
    else:
        first, slots = (image if isinstance(image, dict) else {}), []
        name = join(text(first.get("path")).strip("/"), text(first.get("original_filename") or first.get("filename")))
    size = side(first.get("width")), side(first.get("height"))
    return name, size if all(size) else None, max(1, len(slots))


def outlines(polygon: Any) -> list[Points]:
    """The parts of a polygon: `paths` of version 2; `path` and `additional_paths` of version 1."""
    if not isinstance(polygon, dict):
        return []
    paths = polygon.get("paths")
    if not isinstance(paths, list):
        more = polygon.get("additional_paths")
        paths = [polygon.get("path"), *(more if isinstance(more, list) else [])]
    return [part for path in paths if len(part := [point(value) for value in dicts(path)]) > 2]


def point(value: Any) -> tuple[float, float]:
    value = value if isinstance(value, dict) else {}
    return number(value.get("x")), number(value.get("y"))


def angle(value: Any) -> float:
    """Degrees from Darwin's radians."""
    return math.degrees(number(value)) if value else 0.0


def masks(layer: Any, size: tuple[int, int] | None, names: dict[str, str]) -> list[tuple[str, list[Points]]]:
    """Name and polygons of each mask.

    Raises:
        BadMask: the layer cannot be read.
    """
    import numpy

    layer = layer if isinstance(layer, dict) else {}
    runs, ids = layer.get("dense_rle"), layer.get("mask_annotation_ids_mapping")
    if size is None or not isinstance(runs, list) or len(runs) % 2 or not isinstance(ids, dict):
        raise BadMask("layer")
    mask_codecs.checked_size(*size)
    valid = all(type(value) is int and 0 <= value < 2**31 for value in runs)
    if not valid or len(runs) > 2 * size[0] * size[1] or sum(runs[1::2]) != size[0] * size[1]:
        raise BadMask("runs")
    pixels = numpy.repeat(numpy.asarray(runs[::2], numpy.int64), runs[1::2]).reshape(size[1], size[0])
    outlines = []
    for key, value in list(ids.items())[:1000]:
        parts = mask_codecs.outlines((pixels == value).astype(numpy.uint8)) if type(value) is int else []
        if parts and names.get(str(key)):
            outlines.append((names[str(key)], parts))
    return outlines
