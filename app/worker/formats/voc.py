"""Pascal VOC: one XML file per image, or a single one, splits in ImageSets. Also reads LabelMe's older XML with
polygons.

The original counts pixels from 1, inclusively; LabelImg, CVAT, datumaro and others write the box's edges from 0. No
field distinguishes them, so only files whose `source` names a tool that counts from 1 are shifted by one pixel.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, rotated_shape
from app.worker.formats.geometry import number, side
from app.worker.formats.model import DetectedDataset, Finding, InvalidInput, Options, Source, decision, finding
from app.worker.formats.paths import folder_of, inside, join, split_of, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.split_lists import lists_used
from app.worker.formats.tree import Tree
from app.worker.formats.xmlread import events, parse, text_of

FROM_ONE = ("The VOC20", "roboflow.ai")  # the VOC devkit; supervision
MAX_XML = 4 * 1024**2  # bytes of a single image's file
OUTLINES = ("polygon", "points", "segmentation", "robndbox")  # elements with corners
POINTS = {"pt", "point"}
NUMBERS = re.compile(r"[\s.,;eE+-]*\d[\d\s.,;eE+-]*")  # linear in the length of untrusted input
SEPARATORS = re.compile(r"[\s,;]+")
CORNERS = 4
LEAST = 6  # numbers: three corners
SETS = ("ImageSets/Main", "ImageSets/Detection", "ImageSets", "ImageSets/Segmentation", "ImageSets/Layout")


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "voc")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    sets = VocSplits(tree, detected.root)
    drafts: list[Draft] = []
    unlisted, counts = 0, [0, 0]  # files that count pixels from 0, from 1
    for path, top, several in documents(tree, detected.hint, findings):
        split = sets.split(path) if sets.ids else split_in(path, detected.root, with_name=several)
        draft = read_image(tree, path, top, several, split, findings, counts)
        if draft is None:
            continue
        if several and sets.ids:
            split = sets.split(draft.image)
        if sets.ids and split is None:
            unlisted += 1  # its missing image is a finding
            continue
        draft.split = split or split_in(draft.image, detected.root, with_name=False)
        drafts.append(draft)
    if counts[1]:
        class_list.decisions.append(decision("voc_from_one", count=counts[1]))
    drafts += sets.images_without_xml(tree, {draft.image for draft in drafts})
    if sets.ids:
        class_list.decisions.append(lists_used(", ".join(sets.files), unlisted))
    return convert_drafts(tree, detected, options, drafts, class_list, findings)


def documents(tree: Tree, paths: Iterable[str], findings: list[Finding]) -> Iterator[tuple[str, Any, bool]]:
    """(file, annotation of an image, whether the file has several) of each; invalid XML becomes a finding."""
    for path in paths:
        try:
            if tree.size(path) <= MAX_XML:
                top = parse(tree.content(path, MAX_XML), tree.encodings)
                below = [] if top.tag == "annotation" else list(top.iter("annotation"))
                yield from ((path, element, bool(below)) for element in below or [top])
            else:
                yield from ((path, element, True) for element in streamed(tree, path))
        except InvalidInput as error:
            findings.append(finding("error", error.code, path, **error.data))


def streamed(tree: Tree, path: str) -> Iterator[Any]:
    """The annotations of a large file, one after the other.

    Raises:
        InvalidInput: it has a single image.
    """
    around: list[Any] = []
    for depth, event, element in events(tree.path(path), tree.encodings):
        if event == "start":
            if depth == 1 and element.tag == "annotation":
                raise InvalidInput("file_too_large", file=printable_name(path), limit=MAX_XML)
            around.append(element)
            continue
        around.pop()
        if element.tag == "annotation":
            yield element
        if around and all(outer.tag != "annotation" for outer in around):
            around[-1].remove(element)  # processed or irrelevant: free its memory


def read_image(
    tree: Tree, path: str, top: Any, several: bool, split: str | None, findings: list[Finding], counts: list[int]
) -> Draft | None:
    """One image's annotation; None with a finding if it cannot be used."""
    name = text_of(top, "filename") or text_of(top, "source/filename") or text_of(top, "path")
    file_name = path.rpartition("/")[2]
    candidates = [text for text in ([name] if several else [file_name, name]) if text]
    image = (None if several else beside(tree, path)) or next(
        (hit for hit in (tree.image(text, folder_of(path), split, True) for text in candidates) if hit), None
    )
    if image is None:
        findings.append(finding("warning", "image_missing", path, image=printable_name(name or stem_of(path))))
        return None
    size = side(text_of(top, "size/width")), side(text_of(top, "size/height"))
    if top.find("imagesize") is not None:
        size = side(text_of(top, "imagesize/ncols")), side(text_of(top, "imagesize/nrows"))
    draft = Draft(image, split, path, size if all(size) else None)
    first = int(text_of(top, "source/database").startswith(FROM_ONE))
    counts[first] += 1
    for line, element in enumerate([*top.iterfind("object"), *top.iterfind("objects/object")], 1):
        if text_of(element, "deleted") == "1":
            continue
        shape = shape_of(element, line, first)
        if isinstance(shape, DraftShape):
            draft.shapes.append(shape)
        else:
            findings.append(
                finding("warning", shape, path, line, of=image, name=printable_name(text_of(element, "name")))
            )
    return draft


def beside(tree: Tree, path: str) -> str | None:
    """The image with the same stem in the usual location; after renaming, `filename` is often outdated."""
    folder, _, name = path.rpartition("/")
    stem = stem_of(name)
    above = folder_of(folder)
    last = folder.rpartition("/")[2]
    folders = (
        folder,
        join(above, "JPEGImages"),
        join(above, "images"),
        join(folder_of(above), "JPEGImages", last),
        join(folder_of(above), "images", last),
    )
    hits = tree.by_stem(stem)
    return next((hit for candidate in folders for hit in hits if folder_of(hit) == candidate), None)


def shape_of(element: Any, line: int, first: int) -> DraftShape | str:
    """An object's shape, or the code of the finding about it; `first`: the number of the image's first pixel."""
    name = text_of(element, "name") or text_of(element, "possibleresult/name")
    if not name:
        return "object_unnamed"
    box = element.find("bndbox")
    if box is not None:
        left, top, right, bottom = sides_of(box)
        return DraftShape("box", name, (left - first, top - first, right, bottom), line)
    box = element.find("robndbox")  # roLabelImg: center, size, radians
    if box is not None and box.find("cx") is not None:
        x, y, width, height, angle = (number(text_of(box, part)) for part in ("cx", "cy", "w", "h", "angle"))
        flat = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return rotated_shape(name, flat, math.degrees(angle), line)
    values = next((outline for tag in OUTLINES if (outline := outline_of(element.find(tag)))), ())
    if len(values) < LEAST:
        return "object_no_box"
    return DraftShape("turned" if box is not None and len(values) == 2 * CORNERS else "polygon", name, values, line)


def sides_of(box: Any) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a box; some tools write a corner and the size."""
    named = {child.tag.casefold().replace("_", ""): number((child.text or "").strip()) for child in box}
    if {"x", "y", "width", "height"} <= named.keys():
        return named["x"], named["y"], named["x"] + named["width"], named["y"] + named["height"]
    left, top, right, bottom = (named.get(side, math.nan) for side in ("xmin", "ymin", "xmax", "ymax"))
    return left, top, right, bottom


def outline_of(polygon: Any) -> tuple[float, ...]:
    """Alternating x and y of a polygon's corners: points with x and y (LabelMe), x1, y1, x2 … (Roboflow), or strings of
    numbers (FAIR1M).
    """
    if polygon is None:
        return ()
    values: list[float] = []
    for part in polygon.iter():
        if part.tag[:1].casefold() in {"x", "y"} and part is not polygon:
            values.append(number((part.text or "").strip()))
        elif {"x", "y"} <= set(part.keys()):
            values += [number(part.get("x")), number(part.get("y"))]
        elif part is polygon or part.tag in POINTS:
            values += map(number, SEPARATORS.split(part.text.strip()) if NUMBERS.fullmatch(part.text or "") else ())
    closed = len(values) > LEAST and values[:2] == values[-2:]
    return tuple(values[:-2] if closed else values)


class VocSplits:
    """The lists of ImageSets: the split of an image by its name."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.root = root
        self.ids: dict[str, tuple[str, str]] = {}
        self.files: list[str] = []
        for folder in SETS:
            lists = [path for path in tree["text"] if folder_of(path) == join(root, folder)]
            by_split = {split: path for path in lists if (split := split_of(stem_of(path.rpartition("/")[2])))}
            both = join(root, folder, "trainval.txt")
            for split, path in [*sorted(by_split.items()), *([("train", both)] if both in lists else [])]:
                self.read_list(tree, path, split)
            if self.ids:
                break

    def read_list(self, tree: Tree, path: str, split: str) -> None:
        self.files.append(path)
        for line in tree.text(path, MAX_XML).splitlines():
            if line.strip():
                self.ids.setdefault(stem_or_all(line.strip()), (split, path))
                self.ids.setdefault(stem_or_all(line.split()[0]), (split, path))

    def images_without_xml(self, tree: Tree, annotated: set[str]) -> list[Draft]:
        """Listed images without an XML file: they have no objects."""
        drafts = []
        for name, (split, file) in self.ids.items():
            image = next((hit for hit in tree.by_stem(name.rpartition("/")[2]) if inside(hit, self.root)), None)
            if image and image not in annotated and stem_of(image).endswith(name):
                annotated.add(image)
                drafts.append(Draft(image, split, file, None))
        return drafts

    def split(self, path: str) -> str | None:
        return next((self.ids[tail][0] for tail in tails(stem_of(path)) if tail in self.ids), None)


def stem_or_all(name: str) -> str:
    """Lists contain stems; some tools write the suffix too."""
    return stem_of(name) if name.lower().endswith((".jpg", ".jpeg", ".png", ".xml", ".bmp")) else name


def tails(stem: str) -> list[str]:
    """c, b/c and a/b/c for a path a/b/c: lists may include folders."""
    parts = stem.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
