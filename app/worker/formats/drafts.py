"""Common conversion of formats whose objects have names and pixels to a Source."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.core.names import printable_name
from app.worker.formats.classes import ClassList, index_by_name, merge_names
from app.worker.formats.coordinate_frames import CoordinateFrame, FrameFitting, SizeClaim
from app.worker.formats.draft_boxes import USUAL, DraftSet
from app.worker.formats.geometry import Points, RowBuilder, bounding_box, corners_of, join_outlines, rotated_box
from app.worker.formats.item_names import ensure_unique_names, item_name
from app.worker.formats.keypoints import described
from app.worker.formats.model import (
    Decision,
    DetectedDataset,
    Finding,
    InvalidInput,
    Item,
    Options,
    Source,
    decision,
    finding,
    task_decision,
)
from app.worker.formats.paths import below, inside
from app.worker.formats.sizes import DisplayedSize, image_size
from app.worker.formats.tree import Tree

KINDS = ("box", "polygon", "turned", "pose")
Marks = tuple[tuple[float, float, int], ...]  # keypoints: x, y, visibility 0, 1 or 2


@dataclass(slots=True)
class DraftShape:
    """One object: `values` are left, top, right, bottom of a box or pose, alternating x and y of a polygon or of four
    corners.
    """

    kind: str  # one of KINDS
    name: str
    values: tuple[float, ...]
    line: int | None  # the object's number in its file, from 1
    marks: Marks = ()  # keypoints of a pose

    def points(self) -> Points:
        if self.kind in {"box", "pose"}:
            return corners_of(self.box())
        return list(zip(self.values[::2], self.values[1::2], strict=False))

    def box(self) -> tuple[float, float, float, float]:
        if self.kind in {"box", "pose"}:
            left, top, right, bottom = self.values
            return left, top, right, bottom
        return bounding_box(self.points()) if len(self.values) > 1 else (math.nan,) * 4


@dataclass(slots=True)
class Draft:
    """One image with its objects, as in an annotation file."""

    image: str
    split: str | None
    file: str
    size: tuple[int, int] | None
    shapes: list[DraftShape] = field(default_factory=list)
    fractions: bool = False  # shapes are fractions of the image, not pixels
    relative: bool = False  # see SizeClaim
    frame: CoordinateFrame | None = None  # if its shapes are not in the displayed image's pixels

    def claim(self, displayed: DisplayedSize, numbers: Mapping[str, int]) -> SizeClaim:
        """Its declared size, and that of the image."""
        boxes = [(numbers.get(shape.name, 0), shape.box()) for shape in self.shapes]
        finite = [entry for entry in boxes if all(map(math.isfinite, entry[1]))]
        return SizeClaim(self.image, self.size, displayed, finite, self.relative)


def outline_shape(name: str, parts: Sequence[Points], line: int | None) -> DraftShape:
    """An object's polygons, of one part or several; a hole is a part too."""
    return DraftShape("polygon", name, flat(join_outlines(parts)), line)


def pose_shape(name: str, marks: Iterable[tuple[float, float, int]], line: int | None) -> DraftShape | None:
    """Keypoints without a box of their own: the bounding box of the labeled ones; None if there are none."""
    points = tuple(
        (x, y, visibility) if math.isfinite(x) and math.isfinite(y) else (0.0, 0.0, 0) for x, y, visibility in marks
    )
    labelled = [(x, y) for x, y, visibility in points if visibility]
    return DraftShape("pose", name, bounding_box(labelled), line, points) if labelled else None


def flat(points: Iterable[tuple[float, float]]) -> tuple[float, ...]:
    return tuple(value for point in points for value in point)


def rotated_shape(name: str, box: tuple[float, float, float, float], degrees: float, line: int | None) -> DraftShape:
    """A box, perhaps with a rotation."""
    if not degrees % 360 or not math.isfinite(degrees):
        return DraftShape("box", name, box, line)
    return DraftShape("turned", name, flat(rotated_box(box, degrees)), line)


def choose_task(counts: Counter[str], requested: str) -> tuple[str, list[Decision]]:
    """The task of the objects: keypoints, polygons, oriented boxes or, if some are axis-aligned, boxes.

    Raises:
        InvalidInput: keypoints were requested, and there are none.
    """
    boxes, polygons, tilted, poses = (counts[kind] for kind in KINDS)
    if requested == "pose" and not poses:
        raise InvalidInput("pose_missing")
    alternatives = ["segment"] * bool(polygons) + ["obb"] * bool(tilted) + ["pose"] * bool(poses)
    if requested != "auto":
        return requested, [task_decision(requested, ["detect", *alternatives])]
    if poses:
        return "pose", [decision("task_found", "task", ["detect", *alternatives], task="pose")]
    if tilted and not polygons:
        return "obb", [decision("task_found", "task", ["detect", "obb"], task="obb")]
    if polygons and not boxes:
        return "segment", [decision("task_found", "task", ["detect", "segment"], task="segment")]
    if polygons or tilted:
        data = {"boxes": boxes, "polygons": polygons + tilted}
        return "detect", [decision("shapes_mixed", "task", ["detect", "segment"], **data)]
    return "detect", []


def convert_drafts(
    tree: Tree,
    detected: DetectedDataset,
    options: Options,
    drafts: list[Draft],
    class_list: ClassList,
    findings: list[Finding],
    names: list[str] | None = None,
    keypoints: Sequence[str] = (),
) -> Source:
    """The Source of these drafts.

    Args:
        names: the classes in the order of the annotation files, if those list them.
        keypoints: their names, in the order of the marks, if known.
    """
    if not drafts:
        raise InvalidInput("no_images_found", file=detected.where)
    drafts = without_repeats(drafts, findings)
    for shape in (shape for draft in drafts for shape in draft.shapes):
        shape.name = shape.name.strip()  # check_names strips class names too: " dog" is "dog"
    present = Counter(shape.name for draft in drafts for shape in draft.shapes)
    classes, decisions = merge_names(names or class_list.names, present, options)
    if names and class_list.names and class_list.names != classes:
        decisions.append(decision("annotation_names", "names"))
    task, reported = choose_task(Counter(shape.kind for draft in drafts for shape in draft.shapes), options.task)
    decisions += reported
    numbers = index_by_name(classes)
    decisions += DraftSet(tree, drafts, numbers, options, USUAL.get(detected.format)).infer_boxes()
    decisions += fit_frames(tree, drafts, numbers, options)
    items = []
    count = max((len(shape.marks) for draft in drafts for shape in draft.shapes), default=0)
    for draft in drafts:
        item = convert(tree, draft, task, numbers, findings, count)
        draft.shapes = []  # free memory: the rows replace them
        if item:
            item.name = item_name(inside(draft.image, detected.root) or draft.image)
            items.append(item)
    source = create_source(tree, detected, task, classes, items, class_list.decisions + decisions, findings)
    source.keypoints = described(count, keypoints) if task == "pose" else None
    return source


def fit_frames(tree: Tree, drafts: list[Draft], numbers: Mapping[str, int], options: Options) -> list[Decision]:
    """Set the frame of drafts whose declared sizes differ from those of their images, as far as these are known."""
    claims = [
        draft.claim(tree.pictures[draft.image], numbers)
        for draft in drafts
        if draft.image in tree.pictures and not draft.fractions
    ]
    frames, decisions = FrameFitting(claims, options).fit()
    for draft in drafts:
        draft.frame = frames.get(draft.image)
    return decisions


def create_source(
    tree: Tree,
    detected: DetectedDataset,
    task: str,
    names: list[str],
    items: list[Item],
    decisions: list[Decision],
    findings: list[Finding],
) -> Source:
    """A Source with unique names, and unused files recorded."""
    if not items:
        raise InvalidInput("no_images_found", file=detected.where)
    decisions += ensure_unique_names(items)
    used = {item.image for item in items}
    outside = [path for path in tree["image"] if path not in used]
    findings += [
        finding("info", "image_unlisted", path, image=printable_name(path))
        for path in outside
        if below(path, detected.root)
    ]
    return Source(detected.format, detected.root, task, names, items, decisions, findings, outside=outside)


def without_repeats(drafts: list[Draft], findings: list[Finding]) -> list[Draft]:
    """Of two annotations of one image the first; objects of both are merged if they are in the same file."""
    by_image: dict[str, Draft] = {}
    for draft in drafts:
        first = by_image.setdefault(draft.image, draft)
        if first is not draft:
            findings.append(
                finding(
                    "warning",
                    "image_repeated",
                    draft.file,
                    of=draft.image,
                    image=printable_name(draft.image),
                    first=first.file,
                )
            )
            if first.file == draft.file:
                first.shapes += draft.shapes
    return list(by_image.values())


def convert(
    tree: Tree, draft: Draft, task: str, numbers: Mapping[str, int], findings: list[Finding], keypoints: int = 0
) -> Item | None:
    """The item of a draft; None with a finding if the image's size is unknown. `keypoints`: per pose."""
    item = Item(draft.image, draft.image, draft.split, rows=[], size=draft.size)
    size = draft.frame.size if draft.frame else draft.size
    size = size or (image_size(tree.path(draft.image)) if draft.shapes else (1, 1))
    if size is None:
        findings.append(finding("error", "size_unknown", draft.file, image=printable_name(draft.image)))
        return None
    shapes = RowBuilder(draft.file, draft.image, size, item.rows or [], findings, draft.frame)
    item.rows = shapes.rows
    for shape in draft.shapes:
        in_image = in_pixels(shape, size) if draft.fractions else shape
        add_shape(shapes, numbers[shape.name], in_image, task, keypoints)
    return item


def in_pixels(shape: DraftShape, size: tuple[int, int]) -> DraftShape:
    """A shape in pixels, from fractions of the image."""
    values = tuple(value * size[index % 2] for index, value in enumerate(shape.values))
    marks = tuple((x * size[0], y * size[1], visibility) for x, y, visibility in shape.marks)
    return replace(shape, values=values, marks=marks)


def add_shape(shapes: RowBuilder, number: int, shape: DraftShape, task: str, keypoints: int = 0) -> None:
    """Add a shape as the task requires."""
    if task == "pose":
        marks = [*shape.marks, *[(0.0, 0.0, 0)] * keypoints][:keypoints]
        shapes.pose(number, shape.name, shape.box(), marks, shape.line)
    elif task == "segment":
        if shape.kind in {"box", "pose"}:
            shapes.note("info", "box_as_polygon", shape.line, name=printable_name(shape.name))
        shapes.polygon(number, shape.name, shape.points(), shape.line)
    elif task == "obb" and (shape.kind != "polygon" or len(shape.values) == 8):
        shapes.corners(number, shape.name, shape.points(), shape.line)
    elif task == "obb":
        shapes.corners(number, shape.name, corners_of(shape.box()), shape.line)
    else:
        shapes.box(number, shape.name, shape.box(), shape.line)
