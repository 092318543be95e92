"""CVAT for images 1.1: one XML file for many images, of one task or of a project with its tasks."""

from typing import Any

from app.worker.formats.classes import Known
from app.worker.formats.drafts import Draft, Shape, finish, turned_shape
from app.worker.formats.geometry import number, ring, side
from app.worker.formats.model import Finding, Found, Options, Source, finding
from app.worker.formats.paths import folder_of, shown, split_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree
from app.worker.formats.xmlread import events, text_of

UNUSED = {"polyline", "points", "cuboid", "mask", "skeleton", "tag"}


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    return by_root(tree, paths, "cvat")


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    drafts: list[Draft] = []
    names: list[str] = []
    for path in found.hint:
        File(tree, path, found.root, findings, drafts, names).read()
    return finish(tree, found, options, drafts, known, findings, names or None)


class File:
    """One annotations.xml, read as a stream: what was taken in is freed."""

    def __init__(
        self, tree: Tree, path: str, root: str, findings: list[Finding], drafts: list[Draft], names: list[str]
    ) -> None:
        self.tree, self.path, self.root = tree, path, root
        self.findings, self.drafts, self.names = findings, drafts, names
        self.object = 0  # number of the object in the file, from 1

    def read(self) -> None:
        with open(self.tree.path(self.path), "rb") as file:
            top = None
            for depth, event, element in events(file, self.path):
                if depth == 1 and event == "start":
                    top = element
                elif event == "end" and element.tag == "label" and depth == 5:
                    self.label(element)
                elif event == "end" and depth == 2:
                    if element.tag == "image":
                        self.image(element)
                    elif element.tag == "track":
                        self.note("shape_unsupported", shape="track", name=shown(element.get("label", "")))
                    top.clear()  # type: ignore[union-attr]

    def label(self, element: Any) -> None:
        """A class of the task; the parts of a skeleton are none."""
        name = text_of(element, "name")
        if name and name not in self.names and element.find("parent") is None:
            self.names.append(name)

    def image(self, element: Any) -> None:
        """One image with its shapes."""
        name = element.get("name", "")
        subset = element.get("subset") or ""
        said = split_of(subset) or split_in(self.path, self.root, True)
        image = self.tree.image("/".join(filter(None, [subset, name])), folder_of(self.path), said)
        if image is None:
            self.object += sum(1 for _ in element)
            self.note("image_missing", image=shown(name))
            return
        size = side(element.get("width")), side(element.get("height"))
        split = said or split_in(image, self.root, False)
        draft = Draft(image, split, self.path, size if all(size) else None)
        for shape in element:
            self.object += 1
            self.shape(shape, draft)
        self.drafts.append(draft)

    def shape(self, element: Any, draft: Draft) -> None:
        """One object; what YOLO has no row for is noted."""
        name, kind = element.get("label", ""), element.tag
        made: Shape | None = None
        if not name:
            self.note("object_unnamed", self.object, of=draft.image)
        elif kind == "box":
            left, top, right, bottom = (number(element.get(part)) for part in ("xtl", "ytl", "xbr", "ybr"))
            made = turned_shape(name, (left, top, right, bottom), number(element.get("rotation", "0")), self.object)
        elif kind == "polygon":
            made = Shape("polygon", name, points_of(element.get("points", "")), self.object)
        elif kind == "ellipse":
            x, y, across, down = (number(element.get(part)) for part in ("cx", "cy", "rx", "ry"))
            outline = ring(x, y, across, down, number(element.get("rotation", "0")))
            made = Shape("polygon", name, tuple(value for point in outline for value in point), self.object)
        elif kind in UNUSED:
            self.note("shape_unsupported", self.object, of=draft.image, shape=kind, name=shown(name))
        if made:
            draft.shapes.append(made)

    def note(self, code: str, line: int | None = None, **data: Any) -> None:
        self.findings.append(finding("warning", code, self.path, line, **data))


def points_of(text: str) -> tuple[float, ...]:
    """Numbers in turn, of x,y;x,y;…"""
    return tuple(number(value) for pair in text.split(";") for value in [*pair.split(","), ""][:2])
