"""Pascal VOC: an XML file an image, splits in ImageSets. LabelMe's older XML, with outlines, is read here too.

The original counts pixels from 1 and includes the last one; LabelImg, CVAT, datumaro and others write the box's sides
from 0. No field says which, so only files that name one of the former as their `source` are moved by one pixel.
"""

import math
from typing import Any

from app.worker.formats.classes import Known
from app.worker.formats.drafts import Draft, Shape, finish, turned_shape
from app.worker.formats.geometry import number, side
from app.worker.formats.lists import lists_used
from app.worker.formats.model import Finding, Found, Options, Refused, Source, decision, finding
from app.worker.formats.paths import folder_of, inside, join, shown, split_of, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree
from app.worker.formats.xmlread import parse, text_of

FROM_ONE = ("The VOC20", "roboflow.ai")  # the VOC devkit; supervision
MAX_XML = 4 * 1024**2  # bytes of one image's file
SETS = ("ImageSets/Main", "ImageSets/Detection", "ImageSets", "ImageSets/Segmentation", "ImageSets/Layout")


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    return by_root(tree, paths, "voc")


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    sets = Sets(tree, found.root)
    drafts: list[Draft] = []
    left_out, counts = 0, [0, 0]  # files that count pixels from 0, from 1
    for path in found.hint:
        split = sets.split(path) if sets.ids else split_in(path, found.root, with_name=False)
        draft = read_file(tree, path, split, findings, counts)
        if draft is None:
            continue
        if sets.ids and split is None:
            left_out += 1  # its image is a finding
            continue
        draft.split = split or split_in(draft.image, found.root, with_name=False)
        drafts.append(draft)
    if counts[1]:
        known.decisions.append(decision("voc_from_one", count=counts[1]))
    drafts += sets.bare(tree, {draft.image for draft in drafts})
    if sets.ids:
        known.decisions.append(lists_used(", ".join(sets.files), left_out))
    return finish(tree, found, options, drafts, known, findings)


def read_file(tree: Tree, path: str, split: str | None, findings: list[Finding], counts: list[int]) -> Draft | None:
    """One image's file; None, noted, where it cannot be used."""
    try:
        top = parse(tree.content(path, MAX_XML))
    except Refused as error:
        findings.append(finding("error", error.code, path, **error.data))
        return None
    name = text_of(top, "filename") or text_of(top, "path")
    near = [path.rpartition("/")[2], name] if name else [path.rpartition("/")[2]]
    image = beside(tree, path) or next(
        (hit for hit in (tree.image(text, folder_of(path), split, True) for text in near) if hit), None
    )
    if image is None:
        findings.append(finding("warning", "image_missing", path, image=shown(name or stem_of(path))))
        return None
    size = side(text_of(top, "size/width")), side(text_of(top, "size/height"))
    if top.find("imagesize") is not None:
        size = side(text_of(top, "imagesize/ncols")), side(text_of(top, "imagesize/nrows"))
    draft = Draft(image, split, path, size if all(size) else None)
    first = int(text_of(top, "source/database").startswith(FROM_ONE))
    counts[first] += 1
    for line, element in enumerate(top.iterfind("object"), 1):
        if text_of(element, "deleted") == "1":
            continue
        shape = shape_of(element, line, first)
        if isinstance(shape, Shape):
            draft.shapes.append(shape)
        else:
            findings.append(finding("warning", shape, path, line, of=image, name=shown(text_of(element, "name"))))
    return draft


def beside(tree: Tree, path: str) -> str | None:
    """The image of the same stem in the usual place; the `filename` of a renamed pair is often an old one."""
    folder, _, name = path.rpartition("/")
    stem = stem_of(name)
    above = folder_of(folder)
    last = folder.rpartition("/")[2]
    places = (folder, join(above, "JPEGImages"), join(above, "images"), join(folder_of(above), "JPEGImages", last),
              join(folder_of(above), "images", last))  # fmt: skip
    hits = tree.by_stem(stem)
    return next((hit for place in places for hit in hits if folder_of(hit) == place), None)


def shape_of(element: Any, line: int, first: int) -> Shape | str:
    """An object's shape, or the code of what is wrong with it; `first` is the number of the image's first pixel."""
    name = text_of(element, "name")
    if not name:
        return "object_unnamed"
    box = element.find("bndbox")
    if box is not None:
        left, top, right, bottom = (number(text_of(box, side)) for side in ("xmin", "ymin", "xmax", "ymax"))
        return Shape("box", name, (left - first, top - first, right, bottom), line)
    outline = element.find("polygon/pt")
    if outline is not None:  # LabelMe's online tool and CVAT's "LabelMe 3.0", which look like VOC else
        points = element.iterfind("polygon/pt")
        return Shape("polygon", name, tuple(number(text_of(pt, axis)) for pt in points for axis in ("x", "y")), line)
    box = element.find("robndbox")  # roLabelImg: centre, sides, radians
    if box is None:
        return "object_no_box"
    x, y, width, height, angle = (number(text_of(box, part)) for part in ("cx", "cy", "w", "h", "angle"))
    flat = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return turned_shape(name, flat, math.degrees(angle), line)


class Sets:
    """The lists of ImageSets: which split an image's name is in."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.root = root
        self.ids: dict[str, tuple[str, str]] = {}
        self.files: list[str] = []
        for folder in SETS:
            lists = [path for path in tree["text"] if folder_of(path) == join(root, folder)]
            known = {split: path for path in lists if (split := split_of(stem_of(path.rpartition("/")[2])))}
            both = join(root, folder, "trainval.txt")
            for split, path in [*sorted(known.items()), *([("train", both)] if both in lists else [])]:
                self.take(tree, path, split)
            if self.ids:
                break

    def take(self, tree: Tree, path: str, split: str) -> None:
        self.files.append(path)
        for line in tree.text(path, MAX_XML).splitlines():
            if line.strip():
                self.ids.setdefault(stem_or_all(line.strip()), (split, path))
                self.ids.setdefault(stem_or_all(line.split()[0]), (split, path))

    def bare(self, tree: Tree, known: set[str]) -> list[Draft]:
        """Images that are listed and have no XML file: nothing is on them."""
        made = []
        for name, (split, file) in self.ids.items():
            image = next((hit for hit in tree.by_stem(name.rpartition("/")[2]) if inside(hit, self.root)), None)
            if image and image not in known and stem_of(image).endswith(name):
                known.add(image)
                made.append(Draft(image, split, file, None))
        return made

    def split(self, path: str) -> str | None:
        return next((self.ids[tail][0] for tail in tails(stem_of(path)) if tail in self.ids), None)


def stem_or_all(name: str) -> str:
    """Lists hold stems; some tools write the suffix too."""
    return stem_of(name) if name.lower().endswith((".jpg", ".jpeg", ".png", ".xml", ".bmp")) else name


def tails(stem: str) -> list[str]:
    """c, b/c and a/b/c of a path a/b/c: lists may hold folders."""
    parts = stem.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
