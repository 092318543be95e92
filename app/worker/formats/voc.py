"""Pascal VOC: an XML file an image, splits in ImageSets. Boxes are taken as they are written: the tools that write VOC
today count from 0, the original from 1, and no file says which; the difference is at most one pixel."""

import math
from typing import Any

from app.worker.formats.classes import Known
from app.worker.formats.drafts import Draft, Shape, finish, turned_shape
from app.worker.formats.geometry import number, side
from app.worker.formats.model import Finding, Found, Options, Refused, Source, decision, finding
from app.worker.formats.paths import folder_of, join, shown, split_of, stem_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree
from app.worker.formats.xmlread import parse, text_of

MAX_XML = 16 * 1024**2  # bytes of one image's file
SETS = ("ImageSets/Main", "ImageSets/Detection", "ImageSets", "ImageSets/Segmentation", "ImageSets/Layout")


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    return by_root(tree, paths, "voc")


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    sets = Sets(tree, found.root)
    drafts = []
    for path in found.hint:
        split = sets.split(path) if sets.ids else split_in(path, found.root, with_name=False)
        draft = read_file(tree, path, split, findings)
        if draft is None:
            continue
        if sets.ids and split is None:
            findings.append(finding("info", "image_unlisted", path, image=shown(draft.image)))
            continue
        draft.split = split or split_in(draft.image, found.root, with_name=False)
        drafts.append(draft)
    if sets.ids:
        known.decisions.append(decision("lists_used", "split", lists=", ".join(sets.files),
                                        left_out=len(found.hint) - len(drafts)))  # fmt: skip
    return finish(tree, found, options, drafts, known, findings)


def read_file(tree: Tree, path: str, split: str | None, findings: list[Finding]) -> Draft | None:
    """One image's file; None, noted, where it cannot be used."""
    try:
        top = parse(tree.content(path, MAX_XML))
    except Refused as error:
        findings.append(finding("error", error.code, path, **error.data))
        return None
    name = text_of(top, "filename") or text_of(top, "path")
    near = [path.rpartition("/")[2], name] if name else [path.rpartition("/")[2]]
    image = beside(tree, path) or next(
        (hit for hit in (tree.image(text, folder_of(path), True) for text in near) if hit), None
    )
    if image is None:
        findings.append(finding("warning", "image_missing", path, image=shown(name or stem_of(path))))
        return None
    size = side(text_of(top, "size/width")), side(text_of(top, "size/height"))
    draft = Draft(image, split, path, size if all(size) else None)
    for line, element in enumerate(top.iterfind("object"), 1):
        shape = shape_of(element, line)
        if isinstance(shape, Shape):
            draft.shapes.append(shape)
        else:
            findings.append(
                finding("warning", shape, path, line, image=shown(image), name=shown(text_of(element, "name")))
            )
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


def shape_of(element: Any, line: int) -> Shape | str:
    """An object's shape, or the code of what is wrong with it."""
    name = text_of(element, "name")
    if not name:
        return "object_unnamed"
    box = element.find("bndbox")
    if box is not None:
        left, top, right, bottom = (number(text_of(box, side)) for side in ("xmin", "ymin", "xmax", "ymax"))
        return Shape("box", name, (left, top, right, bottom), line)
    box = element.find("robndbox")  # roLabelImg: centre, sides, radians
    if box is None:
        return "object_no_box"
    x, y, width, height, angle = (number(text_of(box, part)) for part in ("cx", "cy", "w", "h", "angle"))
    flat = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return turned_shape(name, flat, math.degrees(angle), line)


class Sets:
    """The lists of ImageSets: which split an image's name is in."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.ids: dict[str, str] = {}
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
                self.ids.setdefault(stem_or_all(line.strip()), split)
                self.ids.setdefault(stem_or_all(line.split()[0]), split)

    def split(self, path: str) -> str | None:
        return next((self.ids[tail] for tail in tails(stem_of(path)) if tail in self.ids), None)


def stem_or_all(name: str) -> str:
    """Lists hold stems; some tools write the suffix too."""
    return stem_of(name) if name.lower().endswith((".jpg", ".jpeg", ".png", ".xml", ".bmp")) else name


def tails(stem: str) -> list[str]:
    """c, b/c and a/b/c of a path a/b/c: lists may hold folders."""
    parts = stem.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
