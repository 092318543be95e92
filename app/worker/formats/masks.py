"""Segmentations as pictures: a mask beside each image, whose pixels say the class, or the object.

    images/a.jpg  masks/a.png               SegmentationClass/a.png and SegmentationObject/a.png (VOC, CVAT)
    a.png  a_mask.png  a_mask_1.png         (BUSI)
Which value is which class: mask_palette.py. Where no mask tells the objects apart, each piece that holds together is
one.
"""

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from app.worker.formats import bitmaps
from app.worker.formats.bitmaps import BadMask
from app.worker.formats.classes import Known
from app.worker.formats.documents import Notes
from app.worker.formats.drafts import Draft, finish, outline_shape
from app.worker.formats.lists import lists_used
from app.worker.formats.mask_palette import BLACK, Palette, edges_in
from app.worker.formats.mask_pixels import is_flat, palette_of, read_pixels, values_in
from app.worker.formats.mask_sets import Sets
from app.worker.formats.model import Finding, Found, Options, Source
from app.worker.formats.paths import folder_of, shown, split_of, stem_of, suffix_of
from app.worker.formats.roots import split_in
from app.worker.formats.tree import Tree

CLASSES = frozenset({"masks", "mask", "segmentationclass", "segmentation", "segmentations", "gt", "groundtruth",
                     "ground_truth", "annotations", "annotation", "labels", "label", "semantic", "seg", "labelids",
                     "trainannot", "valannot", "testannot", "semantic_masks", "masks_machine", "png_masks",
                     "class_masks", "label_masks"})  # fmt: skip
OBJECTS = frozenset({"segmentationobject", "instances", "instance_masks", "instance"})
SUFFIXES = {".png", ".bmp", ".tif", ".tiff"}
ENDS = re.compile(r"(?i)(.+?)[ _.-](?:masks?|labels?|seg|segmentation|gt|groundtruth|l|labelids|matte)$")
BESIDE = re.compile(r"(?i)(.+?)[ _.-]masks?(?:[ _.-]?\d{1,3})?$")  # in the folder of its image, one or several
MAX_PIECES = 2000  # of one class in one image: more are noise
SMALLEST = 4  # pixels of a piece
LEAST = 0.5  # of the masks that must find their image
SAMPLE = 3  # masks that are looked at before they are taken for some


@dataclass
class Pair:
    """An image with its masks."""

    image: str
    classes: str | None = None
    objects: str | None = None
    more: list[str] = field(default_factory=list)  # masks of further objects, beside the image

    def take(self, kind: str, path: str) -> None:
        """Add a mask."""
        if kind == "beside" and self.classes:
            self.more.append(path)
        else:
            setattr(self, "objects" if kind == "objects" else "classes", path)


def detect(tree: Tree) -> list[Found]:
    """The datasets in folders of masks."""
    masks = {path: kind for path in tree["image"] if (kind := kind_of(path))} | dict.fromkeys(beside(tree), "beside")
    roots: dict[str, dict[str, Pair]] = defaultdict(dict)
    lone: dict[str, int] = defaultdict(int)
    common = above([path for path, kind in masks.items() if kind == "beside"])
    for path, kind in masks.items():
        image = image_of(tree, path, masks)
        root = common if kind == "beside" else root_of(path)
        if image is None:
            lone[root] += 1
        else:
            roots[root].setdefault(image, Pair(image)).take(kind, path)
    found = []
    for root, pairs in roots.items():
        if len(pairs) >= LEAST * (len(pairs) + lone[root]) and looks_like_masks(tree, list(pairs.values())):
            hint = (list(pairs.values()), set(masks))
            found.append(Found("masks", root, len(pairs), len(pairs), True, hint=hint))
    return found


def looks_like_masks(tree: Tree, pairs: list[Pair]) -> bool:
    """Whether the first pictures have areas of one value each: a class of photographs may be called "mask" too."""
    try:
        return all(is_flat(read_pixels(tree.path(pair.classes or pair.objects or ""))) for pair in pairs[:SAMPLE])
    except BadMask:
        return False


def kind_of(path: str) -> str | None:
    """Whether a picture is a mask by its folder: of the classes or of the objects."""
    if suffix_of(path) not in SUFFIXES:
        return None
    for part in reversed(folder_of(path).casefold().split("/")):
        if part in OBJECTS:
            return "objects"
        if part in CLASSES or re.fullmatch(r"(train|val|valid|test)[_-]?(masks?|annot)", part):
            return "classes"
        if not split_of(part):
            return None
    return None


def beside(tree: Tree) -> list[str]:
    """The masks in the folder of their image, with its name and "_mask"."""
    stems = {stem_of(path).casefold() for path in tree["image"]}
    return [
        path for path in tree["image"]
        if suffix_of(path) in SUFFIXES and kind_of(path) is None and (match := BESIDE.fullmatch(stem_of(path)))
        and match[1].casefold() in stems
    ]  # fmt: skip


def above(paths: list[str]) -> str:
    """The folder that holds the folders of these, where they are several; a split's is none."""
    folders = {folder_of(path) for path in paths}
    if len(folders) > 1:
        return os.path.commonpath(folders) if all(folders) else ""
    folder = next(iter(folders), "")
    return folder_of(folder) if split_of(folder.rpartition("/")[2]) else folder


def root_of(path: str) -> str:
    """The folder above that of the masks, and above a split's."""
    parts = folder_of(path).split("/")
    while parts and split_of(parts[-1]):
        parts.pop()
    parts = parts[:-1]
    while parts and split_of(parts[-1]):
        parts.pop()
    return "/".join(parts)


def image_of(tree: Tree, path: str, masks: dict[str, str]) -> str | None:
    """The image of a mask: of its name, or of its name without "_mask"."""
    name = stem_of(path.rpartition("/")[2])
    match = BESIDE.fullmatch(name) if masks[path] == "beside" else ENDS.fullmatch(name)
    split = split_in(path, "", False)
    for stem in [name, match[1]] if match else [name]:
        hits = [hit for hit in tree.by_stem(stem) if hit not in masks]
        same = [hit for hit in hits if split_in(hit, "", False) == split]
        if hits:
            return min(same or hits, key=lambda hit: (-shared(hit, path), hit))
    return None


def shared(one: str, other: str) -> int:
    """How many folders two paths begin with alike."""
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), 0)


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    pairs, places = found.hint
    masks = [Mask(tree, pair, findings) for pair in sorted(pairs, key=lambda pair: pair.image)]
    palette = Palette(tree, found.root, known)
    first = next((mask.pair.classes for mask in masks if mask.pair.classes), None)
    palette.settle({value for mask in masks for value in mask.values}, palette_of(tree.path(first)) if first else None)
    sets = Sets(tree, found.root)
    drafts: list[Draft] = []
    left = 0
    for mask in masks:
        said = sets.split(mask.pair.image)
        if sets.lists and said is None:
            left += 1  # its image is a finding
            continue
        split = said or split_in(mask.file, found.root, False) or split_in(mask.pair.image, found.root, False)
        draft = Draft(mask.pair.image, split, mask.file, mask.size)
        mask.draw(draft, palette)
        drafts.append(draft)
    if sets.lists:
        known.decisions.append(lists_used(", ".join(map(shown, sets.lists)), left))
    known.decisions += palette.decisions
    source = finish(tree, found, options, drafts, known, findings, palette.order or None)
    source.findings = [
        item for item in source.findings if item["code"] != "image_unlisted" or item["file"] not in places
    ]
    source.outside = [path for path in source.outside if path not in places]
    return source


class Mask:
    """The pixels of an image's masks; they are read twice, so that only one is in memory.

    Attributes:
        values: of the classes.
        size: width and height; None where it cannot be read.
    """

    def __init__(self, tree: Tree, pair: Pair, findings: list[Finding]) -> None:
        self.tree, self.pair = tree, pair
        self.file = pair.classes or pair.objects or ""
        self.notes = Notes(self.file, findings)
        self.size: tuple[int, int] | None = None
        self.values: list[int] = []
        try:
            pixels = self.classes() if pair.classes else read_pixels(tree.path(self.file))
            self.size = (pixels.shape[1], pixels.shape[0])
            self.values = values_in(pixels) if pair.classes else [1]  # objects alone are of one class
        except BadMask:
            self.unreadable()

    def classes(self) -> Any:
        """The pixels of the classes; of several masks each has its objects."""
        import numpy

        pixels = read_pixels(self.tree.path(self.pair.classes or ""))
        for path in self.pair.more:
            other = read_pixels(self.tree.path(path))
            if other.shape != pixels.shape:
                raise BadMask("size")
            pixels = numpy.maximum(pixels, other)
        return pixels

    def unreadable(self) -> None:
        self.notes.object("mask_unreadable", None, self.pair.image, name=shown(self.file))

    def draw(self, draft: Draft, palette: Palette) -> None:
        """The objects as outlines."""
        if self.size is None:
            return
        try:
            classes = self.classes() if self.pair.classes else None
            objects = read_pixels(self.tree.path(self.pair.objects)) if self.pair.objects else None
        except BadMask:
            self.unreadable()
            return
        if objects is not None and (classes is None or objects.shape == classes.shape):
            self.draw_objects(objects, classes, draft, palette)
        elif classes is not None:
            self.draw_pieces(classes, draft, palette)

    def draw_pieces(self, classes: Any, draft: Draft, palette: Palette) -> None:
        """Each piece of a class that holds together."""
        import cv2
        import numpy

        line = 0
        for value in self.values:
            name = palette.names.get(value)
            if name is None:
                continue
            here = (classes == value).astype(numpy.uint8)
            count, numbers, boxes, _ = cv2.connectedComponentsWithStats(here, connectivity=8)
            if count > MAX_PIECES:
                self.notes.object("mask_noise", None, draft.image, name=shown(name), count=count - 1)
                continue
            for piece in range(1, count):
                left, top, width, height, size = (int(part) for part in boxes[piece])
                line += 1
                if size < SMALLEST:
                    continue
                cut = numbers[top : top + height, left : left + width] == piece
                if parts := bitmaps.outlines(cut, left, top):
                    draft.shapes.append(outline_shape(name, parts, line))

    def draw_objects(self, objects: Any, classes: Any, draft: Draft, palette: Palette) -> None:
        """Each object of the mask of objects; its class is that of most of its pixels."""
        import numpy

        values = values_in(objects)
        nothing = BLACK | edges_in(set(values))
        for line, value in enumerate(values, 1):
            if value in nothing:
                continue
            there = objects == value
            ys, xs = numpy.nonzero(there)
            left, top = int(xs.min()), int(ys.min())
            cut = there[top : int(ys.max()) + 1, left : int(xs.max()) + 1]
            name = palette.names.get(1) if classes is None else of_most(classes[there], palette)
            parts = bitmaps.outlines(cut, left, top) if name else []
            if name and parts:
                draft.shapes.append(outline_shape(name, parts, line))


def of_most(values: Any, palette: Palette) -> str | None:
    """The class of most of these pixels that is one."""
    import numpy

    found, counts = numpy.unique(values, return_counts=True)
    names = (palette.names.get(int(found[place])) for place in numpy.argsort(-counts))
    return next((name for name in names if name), None)
