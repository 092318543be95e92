"""CVAT's XML: "for images 1.1" of one task or of a project with its tasks, "for video 1.1" with tracks."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.cvat_tracks import FrameImages, Track
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape, pose_shape, rotated_shape
from app.worker.formats.geometry import ellipse, number, side
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import Decision, DetectedDataset, Finding, InvalidInput, Options, Source, finding
from app.worker.formats.paths import below, folder_of, join, split_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree
from app.worker.formats.xmlread import events, text_of

UNUSED = {"polyline", "points", "cuboid", "tag"}


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "cvat")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: list[Draft] = []
    names: list[str] = []
    points: list[str] = []
    for path in detected.hint:
        file = CvatFile(tree, path, detected.root, findings, drafts, names, options)
        file.read()
        class_list.decisions += file.decisions
        points = points or next(iter(file.points.values()), [])
    return convert_drafts(tree, detected, options, drafts, class_list, findings, names or None, keypoints=points)


class CvatFile:
    """One annotations.xml, read as a stream that frees each element."""

    def __init__(
        self,
        tree: Tree,
        path: str,
        root: str,
        findings: list[Finding],
        drafts: list[Draft],
        names: list[str],
        options: Options,
    ) -> None:
        self.tree, self.path, self.root, self.options = tree, path, root, options
        self.findings, self.drafts, self.names = findings, drafts, names
        self.decisions: list[Decision] = []
        self.points: dict[str, list[str]] = {}  # names of a skeleton's points
        self.meta: dict[str, int] = {}
        self.tasks: dict[str, tuple[str, dict[str, int]]] = {}  # of a project: subset and frames, by id
        self.tracks: dict[tuple[str, str], list[Track]] = {}  # by subset and task, each with its own frames
        self.object = 0  # number of the object in the file, from 1

    def read(self) -> None:
        top = None
        for depth, event, element in events(self.tree.path(self.path), self.tree.encodings):
            if depth == 1 and event == "start":
                top = element
            elif event == "end" and element.tag == "label" and depth == 5:
                self.label(element)
            elif event == "end" and depth == 2:
                if element.tag == "image":
                    self.image(element)
                elif element.tag == "track":
                    self.track(element)
                elif element.tag == "meta":
                    self.describe(element)
                top.clear()  # type: ignore[union-attr]
        if self.tracks:
            self.frames()

    def describe(self, element: Any) -> None:
        """Read frames and size of a video, or of each in a project."""
        for part in element.iterfind("project/tasks/task"):
            self.tasks[text_of(part, "id")] = text_of(part, "subset"), self.frames_in(part)
        task = next((part for name in ("task", "job") if (part := element.find(name)) is not None), element)
        self.meta |= self.frames_in(task)

    def frames_in(self, task: Any) -> dict[str, int]:
        meta = {}
        fields = (
            ("size", "size"),
            ("start", "start_frame"),
            ("stop", "stop_frame"),
            ("width", "original_size/width"),
            ("height", "original_size/height"),
        )
        for key, path in fields:
            text = text_of(task, path)
            if text.isascii() and text.isdigit() and len(text) < 10:
                meta[key] = int(text)
        return meta

    def label(self, element: Any) -> None:
        """Read a class of the task; the parts of a skeleton are its keypoints."""
        name, parent = text_of(element, "name"), element.find("parent")
        if parent is not None:
            self.points.setdefault((parent.text or "").strip(), []).append(name)
        elif name and name not in self.names:
            self.names.append(name)

    def image(self, element: Any) -> None:
        """Read an image with its shapes."""
        name = element.get("name", "")
        subset = element.get("subset") or ""
        named_split = split_of(subset) or split_in(self.path, self.root, True)
        image = self.tree.image("/".join(filter(None, [subset, name])), folder_of(self.path), named_split)
        if image is None:
            self.object += sum(1 for _ in element)
            self.note("image_missing", image=printable_name(name))
            return
        size = side(element.get("width")), side(element.get("height"))
        split = named_split or split_in(image, self.root, False)
        draft = Draft(image, split, self.path, size if all(size) else None)
        shapes = [(entry.get("group_id"), self.shape(entry, entry.get("label", ""), draft.image)) for entry in element]
        draft.shapes = grouped(shapes)
        self.drafts.append(draft)

    def track(self, element: Any) -> None:
        """Read a track: one object across frames."""
        name, track = element.get("label", ""), Track(element.get("group_id"))
        for entry in element:
            frame = entry.get("frame", "")
            if not (frame.isascii() and frame.isdigit() and len(frame) < 10):
                continue
            outside = entry.get("outside") == "1"
            shape = self.shape(entry, name, None)
            if shape or outside:
                track.add(int(frame), None if outside else shape)
        task = element.get("task_id") or ""
        subset = element.get("subset") or self.tasks.get(task, ("", {}))[0]
        self.tracks.setdefault((subset, task) if task in self.tasks else ("", ""), []).append(track)

    def frames(self) -> None:
        """Convert the tracks to images of the frames.

        Raises:
            InvalidInput: tasks of one subset share a folder, so that their frames cannot be distinguished.
        """
        subsets = Counter(subset for subset, _ in self.tasks.values())
        for (subset, task), tracks in self.tracks.items():
            folder = join(folder_of(self.path), "images", subset)
            if task and subsets[subset] > 1:
                images = sum(below(image, folder) for image in self.tree["image"])
                raise InvalidInput("frames_unknown", file=printable_name(self.path), images=images, frames=len(tracks))
            meta = self.tasks[task][1] if task else self.meta
            self.frames_of(tracks, meta, subset, folder if len(self.tasks) > 1 and task else None)

    def frames_of(self, tracks: list[Track], meta: dict[str, int], subset: str, folder: str | None) -> None:
        """The images of one task, below a folder if one is given."""
        used = {draft.image for draft in self.drafts}
        frames = FrameImages(self.tree, self.root, self.path, meta, tracks, used, self.options, folder)
        self.decisions += frames.decisions
        size = side(meta.get("width")), side(meta.get("height"))
        named_split = split_of(subset) or split_in(self.path, self.root, True)
        shapes = frames.shapes()
        for frame, image in frames.images.items():
            split = named_split or split_in(image, self.root, False)
            draft = Draft(image, split, self.path, size if all(size) else None)
            draft.shapes = grouped(shapes.pop(frame, []))
            self.drafts.append(draft)
        if shapes:
            named = ", ".join(str(frame) for frame in sorted(shapes)[:5])
            self.note("frames_missing", count=len(shapes), frames=named, objects=sum(map(len, shapes.values())))

    def shape(self, element: Any, name: str, image: str | None) -> DraftShape | None:
        """One object; an unsupported one becomes a finding."""
        self.object += 1
        kind = element.tag
        about = {"of": image} if image else {}
        if not name:
            self.note("object_unnamed", self.object, **about)
            return None
        if kind in UNUSED:
            self.note("shape_unsupported", self.object, shape=kind, name=printable_name(name), **about)
            return None
        try:
            shape = shape_of(element, name, self.object, self.points.get(name, ()))
        except BadMask:
            self.note("mask_unreadable", self.object, name=printable_name(name), **about)
            return None
        if shape is None and kind == "skeleton":
            self.note("shape_unsupported", self.object, shape=kind, name=printable_name(name), **about)
        return shape

    def note(self, code: str, line: int | None = None, **data: Any) -> None:
        self.findings.append(finding("warning", code, self.path, line, **data))


def shape_of(element: Any, name: str, line: int, points: Sequence[str]) -> DraftShape | None:
    """An object's shape; None for other elements."""
    kind = element.tag
    if kind == "box":
        left, top, right, bottom = (number(element.get(part)) for part in ("xtl", "ytl", "xbr", "ybr"))
        return rotated_shape(name, (left, top, right, bottom), number(element.get("rotation", "0")), line)
    if kind == "polygon":
        return DraftShape("polygon", name, points_of(element.get("points", "")), line)
    if kind == "ellipse":
        x, y, across, down = (number(element.get(part)) for part in ("cx", "cy", "rx", "ry"))
        return outline_shape(name, [ellipse(x, y, across, down, number(element.get("rotation", "0")))], line)
    if kind == "mask":
        return mask_shape(element, name, line)
    if kind == "skeleton":
        return skeleton(element, name, line, points)
    return None


def mask_shape(element: Any, name: str, line: int) -> DraftShape:
    """The polygons of a mask: runs along the rows of a box.

    Raises:
        BadMask: it cannot be read.
    """
    words = element.get("rle", "").split(",")
    if not all(word.strip().isascii() and word.strip().isdigit() and len(word) < 12 for word in words):
        raise BadMask("runs")
    mask = mask_codecs.from_runs(
        [int(word) for word in words], side(element.get("width")), side(element.get("height")), by_column=False
    )
    parts = mask_codecs.outlines(mask, number(element.get("left")), number(element.get("top")))
    if not parts:
        raise BadMask("empty")
    return outline_shape(name, parts, line)


def skeleton(element: Any, name: str, line: int, points: Sequence[str]) -> DraftShape | None:
    """Keypoints in the order of the class's points."""
    marks: dict[str, tuple[float, float, int]] = {}
    for part in element.iterfind("points"):
        point = (*points_of(part.get("points", "")), 0.0, 0.0)[:2]
        visibility = 0 if part.get("outside") == "1" else 1 if part.get("occluded") == "1" else 2
        marks[part.get("label", "")] = (point[0], point[1], visibility)
    return pose_shape(name, [marks.get(key, (0.0, 0.0, 0)) for key in points or marks], line)


def grouped(entries: Sequence[tuple[str | None, DraftShape | None]]) -> list[DraftShape]:
    """The shapes; polygons of one group and class are parts of one object."""
    shapes: list[DraftShape] = []
    parts: dict[tuple[str, str], list[DraftShape]] = {}
    for group, shape in entries:
        if shape is None:
            continue
        if shape.kind == "polygon" and group not in {None, "", "0"}:
            members = parts.setdefault((str(group), shape.name), [])
            members.append(shape)
            if len(members) > 1:
                continue
        shapes.append(shape)
    joined = {id(members[0]): members for members in parts.values() if len(members) > 1}
    return [
        outline_shape(shape.name, [part.points() for part in joined[id(shape)]], shape.line)
        if id(shape) in joined
        else shape
        for shape in shapes
    ]


def points_of(text: str) -> tuple[float, ...]:
    """The numbers of "x,y;x,y;…", alternating."""
    return tuple(number(value) for pair in text.split(";") for value in [*pair.split(","), ""][:2])
