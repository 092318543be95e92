"""Supervisely: meta.json, and one folder per dataset with img/ and ann/, with one JSON file per image."""

import json
from collections.abc import Iterator
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.documents import FileFindings, dicts, load_document, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape, pose_shape
from app.worker.formats.geometry import Points, number, side
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, Options, Source
from app.worker.formats.paths import folder_of, join, stem_of
from app.worker.formats.roots import root_of, split_in
from app.worker.formats.tree import Tree

MAX_META = 4 * 1024**2  # bytes
FIELDS = {"classTitle", "geometryType"}


def is_document(head: JsonObject) -> bool:
    """Whether the first values of a JSON file are those of a Supervisely image."""
    objects, size = head.get("objects"), head.get("size")
    if any(FIELDS & set(entry) for entry in dicts(objects)):
        return True
    return objects == [] and isinstance(size, dict) and {"height", "width"} <= set(size)


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    """A project is one dataset: at the folder of its meta.json, otherwise at the common folder of its datasets."""
    metas = {folder_of(path) for path in tree["json"] if path.rpartition("/")[2] == "meta.json"}
    projects: dict[str, list[str]] = {}
    for path in paths:
        root = root_of(path)
        above = root
        while above not in metas and above:
            above = folder_of(above)
        projects.setdefault(above if above in metas else root, []).append(path)
    datasets = []
    for root, members in projects.items():
        images = tree.images_below(root) or len(tree["image"])
        datasets.append(DetectedDataset("supervisely", root, images, len(members), images > 0, hint=members))
    return datasets


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    meta = ProjectMeta(tree, join(detected.root, "meta.json"))
    files = [SuperviselyFile(tree, path, findings, meta) for path in detected.hint]
    drafts = [draft for file in files if (draft := file.read(detected.root))]
    return convert_drafts(
        tree, detected, options, drafts, class_list, findings, meta.names or None, keypoints=meta.points
    )


class ProjectMeta:
    """The contents of meta.json: the classes in order, and their keypoints by node id."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.names: list[str] = []
        self.nodes: dict[str, list[str]] = {}
        self.points: list[str] = []
        if path not in tree["json"] or tree.size(path) > MAX_META:
            return
        try:
            document = json.loads(tree.text(path, MAX_META))
        except (ValueError, RecursionError):
            return  # the objects have class names too
        for entry in dicts(document.get("classes") if isinstance(document, dict) else None):
            if name := text(entry.get("title")):
                self.names.append(name)
                self._keypoints(name, entry.get("geometry_config"))

    def _keypoints(self, name: str, config: Any) -> None:
        nodes = config.get("nodes") if isinstance(config, dict) else None
        if isinstance(nodes, dict) and nodes:
            self.nodes[name] = list(nodes)
            labels = [text(node.get("label")) if isinstance(node, dict) else "" for node in nodes.values()]
            self.points = self.points or labels


class SuperviselyFile:
    """The JSON of one image."""

    def __init__(self, tree: Tree, path: str, findings: list[Finding], meta: ProjectMeta) -> None:
        self.tree, self.path, self.findings, self.meta = tree, path, findings, meta
        self.notes = FileFindings(path, findings)

    def read(self, root: str) -> Draft | None:
        """Its image with the objects; None with a finding if it cannot be used."""
        document = load_document(self.tree, self.path, self.findings)
        if document is None:
            return None
        image = self.image()
        if image is None:
            self.notes.missing(stem_of(self.path.rpartition("/")[2]))
            return None
        size = document.get("size")
        size = size if isinstance(size, dict) else {}
        sides = side(size.get("width")), side(size.get("height"))
        split = split_in(self.path, root, False) or split_in(image, root, False)
        draft = Draft(image, split, self.path, sides if all(sides) else None)
        objects = document.get("objects")
        for line, entry in enumerate(objects if isinstance(objects, list) else [], 1):
            self.add_object(entry if isinstance(entry, dict) else {}, line, draft)
        return draft

    def image(self) -> str | None:
        """The image img/NAME of ann/NAME.json; older projects use only the stem."""
        folder, _, name = self.path.rpartition("/")
        name = stem_of(name)
        image_folder = join(folder_of(folder), "img")
        return self.tree.image(name, image_folder) or self.tree.image(name, image_folder, by_stem=True)

    def add_object(self, entry: JsonObject, line: int, draft: Draft) -> None:
        """Add the shape of one object, or a finding."""
        name, kind = text(entry.get("classTitle")), text(entry.get("geometryType"))
        if not name:
            self.notes.unnamed(line, draft.image)
            return
        try:
            shape = self.shape(entry, name, kind or infer_kind(entry), line)
        except BadMask:
            self.notes.object("mask_unreadable", line, draft.image, name=printable_name(name))
            return
        if shape:
            draft.shapes.append(shape)
        else:
            self.notes.unread(kind, name, line, draft.image)

    def shape(self, entry: JsonObject, name: str, kind: str, line: int) -> DraftShape | None:
        """An object's shape; None for one that YOLO does not support."""
        points = entry.get("points")
        points = points if isinstance(points, dict) else {}
        outer = points_of(points.get("exterior"))
        if kind == "rectangle" and len(outer) == 2:
            return DraftShape("box", name, (*outer[0], *outer[1]), line)
        if kind == "polygon" and len(outer) > 2:
            holes = points.get("interior")
            inner = [points_of(hole) for hole in (holes if isinstance(holes, list) else [])]
            return outline_shape(name, [outer, *(hole for hole in inner if len(hole) > 2)], line)
        if kind == "bitmap":
            return bitmap(entry.get("bitmap"), name, line)
        if kind == "graph":
            return pose_shape(name, self.keypoints_of(name, entry.get("nodes")), line)
        return None

    def keypoints_of(self, name: str, nodes: Any) -> Iterator[tuple[float, float, int]]:
        """The keypoints of an object in the class's order."""
        nodes = nodes if isinstance(nodes, dict) else {}
        for key in self.meta.nodes.get(name) or list(nodes)[:1000]:
            node = nodes.get(key)
            node = node if isinstance(node, dict) else {}
            points = points_of([node.get("loc")])
            yield (*points[0], 1 if node.get("disabled") else 2) if points else (0.0, 0.0, 0)


def infer_kind(entry: JsonObject) -> str:
    """The kind of an object in an old project, which lacks it."""
    if entry.get("bitmap"):
        return "bitmap"
    points = entry.get("points")
    outer = points.get("exterior") if isinstance(points, dict) else None
    return "rectangle" if isinstance(outer, list) and len(outer) == 2 else "polygon"


def bitmap(value: Any, name: str, line: int) -> DraftShape | None:
    """The polygons of a mask: a compressed PNG and the position of its top left corner."""
    value = value if isinstance(value, dict) else {}
    origin = points_of([value.get("origin")])
    if not origin:
        raise BadMask("origin")
    parts = mask_codecs.outlines(mask_codecs.from_text(value.get("data"), packed=True), *origin[0])
    if not parts:
        raise BadMask("empty")
    return outline_shape(name, parts, line)


def points_of(values: Any) -> Points:
    pairs = values if isinstance(values, list) else []
    return [(number(pair[0]), number(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
