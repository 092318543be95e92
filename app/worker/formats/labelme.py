"""LabelMe: one JSON file per image, beside it. Written by labelme, X-AnyLabeling and others."""

import math
from dataclasses import dataclass
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.class_names import MAX_KEYPOINTS
from app.worker.formats.classes import ClassList
from app.worker.formats.documents import load_document, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, flat, outline_shape
from app.worker.formats.geometry import Points, bounding_box, ellipse, number, side
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, Options, Source, decision, finding
from app.worker.formats.paths import folder_of, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    """One dataset for all files: subfolders are its parts, unless they are far apart."""
    datasets = by_root(tree, paths, "labelme")
    if len(datasets) < 2:
        return datasets
    roots = {item.root: item for item in datasets}
    top = []
    for item in sorted(datasets, key=lambda item: -item.root.count("/") - bool(item.root)):  # deepest first
        above = item.root
        while above:
            above = folder_of(above)
            if above in roots:
                roots[above].labels += item.labels
                roots[above].hint.extend(item.hint)
                break
        else:
            top.append(item)
    return top


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts, poses, joined_count = [], list[tuple[Draft, Pose]](), 0
    for path in detected.hint:
        file = LabelMeFile(tree, path, findings)
        if file.draft:
            file.draft.split = split_in(path, detected.root, False) or split_in(file.draft.image, detected.root, False)
            drafts.append(file.draft)
            poses += [(file.draft, pose) for pose in file.poses]
            joined_count += file.joined
    points = list(dict.fromkeys(name for _, pose in poses for name in pose.marks))[:MAX_KEYPOINTS]
    for draft, pose in poses:
        marks = tuple(pose.marks.get(name, (0.0, 0.0, 0)) for name in points)
        draft.shapes.append(DraftShape("pose", pose.box.name, pose.box.values, pose.box.line, marks))
    if points:
        class_list.decisions.append(
            decision("keypoints_named", None, None, names=printable_name(", ".join(points)), count=len(points))
        )
    if joined_count:
        class_list.decisions.append(decision("groups_joined", None, None, count=joined_count))
    return convert_drafts(tree, detected, options, drafts, class_list, findings, keypoints=points)


@dataclass
class Pose:
    """A box with the points of its group, as X-AnyLabeling writes keypoints."""

    box: DraftShape
    marks: dict[str, tuple[float, float, int]]


class LabelMeFile:
    """The JSON of one image.

    Attributes:
        draft: its image and objects; None with a finding if it cannot be used.
        poses: of its objects with keypoints.
        joined: the number of objects with several parts.
    """

    def __init__(self, tree: Tree, path: str, findings: list[Finding]) -> None:
        self.path, self.findings = path, findings
        self.draft: Draft | None = None
        self.poses: list[Pose] = []
        self.joined = 0
        document = load_document(tree, path, findings)
        if document is None:
            return
        shapes = document.get("shapes")
        if not isinstance(shapes, list):
            findings.append(
                finding("error", "annotation_unreadable", path, file=printable_name(path), reason="no shapes")
            )
            return
        image = image_of(tree, path, document.get("imagePath"))
        if image is None:
            name = printable_name(str(document.get("imagePath") or ""))
            findings.append(finding("warning", "image_missing", path, image=name))
            return
        size = side(document.get("imageWidth")), side(document.get("imageHeight"))
        self.draft = Draft(image, None, path, size if all(size) else None)
        self.add_shapes(shapes, self.draft)

    def add_shapes(self, shapes: list[Any], draft: Draft) -> None:
        """Add the objects: shapes of one group and class are one object; points in the group of a box are its
        keypoints.
        """
        entries: list[tuple[Any, DraftShape]] = []
        points: dict[Any, list[tuple[int, JsonObject]]] = {}
        for line, shape in enumerate(shapes, 1):
            group = group_of(shape)
            if group is not None and shape.get("shape_type") == "point" and text(shape.get("label")):
                points.setdefault(group, []).append((line, shape))
                continue
            one = shape_of(shape, line)
            if isinstance(one, DraftShape):
                entries.append((group, one))
            else:
                self.note(one[0], line, draft, one[1])
        boxes = {group: shape for group, shape in entries if shape.kind == "box" and group in points}
        self.poses = [Pose(box, keypoints_of(points.pop(group))) for group, box in boxes.items()]
        for ungrouped in points.values():
            for line, shape in ungrouped:
                self.note(
                    "shape_unsupported", line, draft, {"shape": "point", "name": printable_name(text(shape["label"]))}
                )
        used = set(map(id, boxes.values()))
        before = [(group, shape) for group, shape in entries if id(shape) not in used]
        draft.shapes = join_parts(before)
        self.joined = len(before) - len(draft.shapes)

    def note(self, code: str, line: int, draft: Draft, data: JsonObject) -> None:
        self.findings.append(finding("warning", code, self.path, line, of=draft.image, **data))


def group_of(shape: Any) -> int | str | None:
    """The group of a shape."""
    group = shape.get("group_id") if isinstance(shape, dict) else None
    return group if isinstance(group, int | str) and not isinstance(group, bool) and group != "" else None


def keypoints_of(points: list[tuple[int, JsonObject]]) -> dict[str, tuple[float, float, int]]:
    """Keypoints by name; a difficult one is hidden."""
    keypoints = {}
    for _, shape in points:
        point = points_of(shape.get("points"))
        if point and all(map(math.isfinite, point[0])):
            keypoints[text(shape["label"])] = (*point[0], 1 if shape.get("difficult") is True else 2)
    return keypoints


def join_parts(entries: list[tuple[Any, DraftShape]]) -> list[DraftShape]:
    """Polygons of one group and class are parts of one object; boxes too, which become their bounding box."""
    parts: dict[tuple[Any, str, str], list[DraftShape]] = {}
    order: list[list[DraftShape]] = []
    for group, shape in entries:
        members = parts.setdefault((group, shape.name, shape.kind), []) if group is not None else []
        if not members:
            order.append(members)
        members.append(shape)
    return [members[0] if len(members) == 1 else one_of(members) for members in order]


def one_of(parts: list[DraftShape]) -> DraftShape:
    first = parts[0]
    if first.kind == "polygon":
        return outline_shape(first.name, [part.points() for part in parts], first.line)
    corners = [point for part in parts for point in part.points()]
    return DraftShape("box", first.name, bounding_box(corners), first.line)


def image_of(tree: Tree, path: str, named: Any) -> str | None:
    """The image beside the file with its stem; otherwise the one that the file names."""
    folder, _, name = path.rpartition("/")
    hits = [hit for hit in tree.by_stem(stem_of(name)) if folder_of(hit) == folder]
    if len(hits) == 1:
        return hits[0]
    image = tree.image(named, folder) if isinstance(named, str) else None
    return image or tree.image(name, folder, by_stem=True)


def shape_of(shape: Any, line: int) -> DraftShape | tuple[str, JsonObject]:
    """An object's shape, or code and data of the finding about it."""
    if not isinstance(shape, dict):
        return "object_no_box", {"name": ""}
    name, kind = shape.get("label"), shape.get("shape_type") or "polygon"
    if not isinstance(name, str) or not name.strip():
        return "object_unnamed", {"name": ""}
    name, points = name.strip(), points_of(shape.get("points"))
    if kind == "rectangle" and len(points) in {2, 4}:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return DraftShape("box", name, (min(xs), min(ys), max(xs), max(ys)), line)
    if kind in {"rotation", "oriented_rectangle"} and len(points) == 4:
        return DraftShape("turned", name, flat(points), line)
    if kind == "polygon" and len(points) > 2:
        return DraftShape("polygon", name, flat(points), line)
    if kind == "circle" and len(points) == 2:
        radius = math.dist(*points)
        return DraftShape("polygon", name, flat(ellipse(*points[0], radius, radius)), line)
    if kind == "mask" and len(points) == 2:
        return mask_shape(shape, name, points, line)
    if kind in {"rectangle", "polygon", "circle", "rotation", "oriented_rectangle", "mask"}:
        return "object_no_box", {"name": printable_name(name)}
    return "shape_unsupported", {"shape": printable_name(str(kind)), "name": printable_name(name)}


def mask_shape(shape: JsonObject, name: str, points: Points, line: int) -> DraftShape | tuple[str, JsonObject]:
    """The polygons of a mask at the first of two corners; if it cannot be read, the box between the corners."""
    (left, top), (right, bottom) = points
    try:
        parts = mask_codecs.outlines(mask_codecs.from_text(shape.get("mask")), left, top)
    except BadMask:
        parts = []
    if parts:
        return outline_shape(name, parts, line)
    if math.isfinite(left + top + right + bottom):
        return DraftShape("box", name, (left, top, right + 1, bottom + 1), line)  # the last pixel is inclusive
    return "mask_unreadable", {"name": printable_name(name)}


def points_of(values: Any) -> Points:
    pairs = values if isinstance(values, list) else []
    return [(number(pair[0]), number(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) >= 2]
