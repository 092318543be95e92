"""Finds the objects in the masks of one image, as polygons."""

from dataclasses import dataclass, field
from typing import Any

from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.documents import FileFindings
from app.worker.formats.drafts import Draft, outline_shape
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.mask_palette import BLACK, Palette, edges_in
from app.worker.formats.mask_pixels import read_pixels, values_in
from app.worker.formats.model import Finding
from app.worker.formats.tree import Tree

MAX_PIECES = 2000  # per class and image: more are noise
SMALLEST = 4  # pixels of a component


@dataclass
class MaskedImage:
    """An image with its masks."""

    image: str
    classes: str | None = None
    objects: str | None = None
    more: list[str] = field(default_factory=list)  # masks of further objects, beside the image

    def add_mask(self, kind: str, path: str) -> None:
        """Add a mask."""
        if kind == "beside" and self.classes:
            self.more.append(path)
        else:
            setattr(self, "objects" if kind == "objects" else "classes", path)


class ImageMasks:
    """The pixels of an image's masks; they are read twice, so that only one image's are in memory.

    Attributes:
        values: of the classes.
        size: width and height; None if unreadable.
    """

    def __init__(self, tree: Tree, pair: MaskedImage, findings: list[Finding]) -> None:
        self.tree, self.pair = tree, pair
        self.file = pair.classes or pair.objects or ""
        self.notes = FileFindings(self.file, findings)
        self.size: tuple[int, int] | None = None
        self.values: list[int] = []
        try:
            pixels = self.classes() if pair.classes else read_pixels(tree.path(self.file))
            self.size = (pixels.shape[1], pixels.shape[0])
            self.values = values_in(pixels) if pair.classes else [1]  # a mask of objects alone has a single class
        except BadMask:
            self.unreadable()

    def classes(self) -> Any:
        """The pixels of the classes; with several masks, each has its own objects."""
        import numpy

        pixels = read_pixels(self.tree.path(self.pair.classes or ""))
        for path in self.pair.more:
            extra = read_pixels(self.tree.path(path))
            if extra.shape != pixels.shape:
                raise BadMask("size")
            pixels = numpy.maximum(pixels, extra)
        return pixels

    def unreadable(self) -> None:
        self.notes.object("mask_unreadable", None, self.pair.image, name=printable_name(self.file))

    def draw(self, draft: Draft, palette: Palette) -> None:
        """Add the objects as polygons."""
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
        """Add each connected component of a class."""
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
                self.notes.object("mask_noise", None, draft.image, name=printable_name(name), count=count - 1)
                continue
            for piece in range(1, count):
                left, top, width, height, size = (int(part) for part in boxes[piece])
                line += 1
                if size < SMALLEST:
                    continue
                cut = numbers[top : top + height, left : left + width] == piece
                if parts := mask_codecs.outlines(cut, left, top):
                    draft.shapes.append(outline_shape(name, parts, line))

    def draw_objects(self, objects: Any, classes: Any, draft: Draft, palette: Palette) -> None:
        """Add each object of the mask of objects; its class is that of most of its pixels."""
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
            name = palette.names.get(1) if classes is None else majority_class(classes[there], palette)
            parts = mask_codecs.outlines(cut, left, top) if name else []
            if name and parts:
                draft.shapes.append(outline_shape(name, parts, line))


def majority_class(values: Any, palette: Palette) -> str | None:
    """The most frequent class among these pixels."""
    import numpy

    classes, counts = numpy.unique(values, return_counts=True)
    names = (palette.names.get(int(classes[index])) for index in numpy.argsort(-counts))
    return next((name for name in names if name), None)
