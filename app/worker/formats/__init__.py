"""Datasets as people have them: what a folder holds, and how it is read. Pure: reads below one folder, writes nothing.

    found = detect(folder, task)                 the datasets in it, best first
    source = read(folder, choose(found, options), options)

Everything here is from an untrusted file: no name leads out of the folder, no entity, alias or tag is expanded, and
what cannot be used is a finding or `Refused`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from app.worker.formats import (
    coco,
    createml,
    cvat,
    darwin,
    datumaro,
    folders,
    jsonstream,
    label_studio,
    labelme,
    masks,
    ndjson,
    supervisely,
    table,
    via,
    voc,
    yolo,
)
from app.worker.formats.merge import merge
from app.worker.formats.model import Found, Item, Options, Refused, Row, Source, decision
from app.worker.formats.paths import folder_of, shown
from app.worker.formats.sizes import Shown
from app.worker.formats.sniff import annotation_files, looks_like_labels
from app.worker.formats.tree import Tree

__all__ = [
    "Found",
    "Item",
    "Options",
    "Refused",
    "Row",
    "Shown",
    "Source",
    "choose",
    "decision",
    "detect",
    "disputed",
    "read",
]

READERS: dict[str, Callable[[Tree, Found, Options], Source]] = {
    "yolo": yolo.read, "darknet": yolo.read, "cvat-yolo": yolo.read, "coco": coco.read, "voc": voc.read,
    "cvat": cvat.read, "labelme": labelme.read, "createml": createml.read, "csv": table.read,
    "label-studio": label_studio.read, "supervisely": supervisely.read, "darwin": darwin.read, "via": via.read,
    "datumaro": datumaro.read, "labelbox": ndjson.read_labelbox, "ultralytics": ndjson.read_ultralytics,
    "masks": masks.read, "folders": folders.read,
}  # fmt: skip
DETECTORS = {
    "coco": coco.detect, "voc": voc.detect, "cvat": cvat.detect, "labelme": labelme.detect,
    "createml": createml.detect, "csv": table.detect, "label-studio": label_studio.detect,
    "supervisely": supervisely.detect, "darwin": darwin.detect, "via": via.detect, "datumaro": datumaro.detect,
    "labelbox": ndjson.detect_labelbox, "ultralytics": ndjson.detect_ultralytics,
}  # fmt: skip
LABEL_FILES = frozenset({"yolo", "darknet", "cvat-yolo", "folders"})  # no pixels in them
LISTED = 20


def detect(folder: Path, task: str = "auto") -> list[Found]:
    """The datasets below a folder: complete ones first, then the outermost, then the largest.

    Raises:
        Refused: there is none that is complete; the reason counts what was found.
    """
    tree = Tree(folder)
    annotations: dict[str, list[str]] = {}
    found = folders.detect(tree, task) if task == "classify" else []
    if task != "classify":
        found = yolo.detect(tree)
        annotations = annotation_files(tree)
        for kind, paths in annotations.items():
            found += DETECTORS[kind](tree, paths) if kind in DETECTORS else []
        if not any(item.complete for item in found):
            found += masks.detect(tree)
        if task == "auto" and not any(item.complete for item in found):
            refuse_unread(tree, annotations.get("", []))
            found = [item for item in folders.detect(tree, task) if folders.enough(item)]
    found.sort(key=rank)
    if not found or not found[0].complete:
        for path in [path for path in annotations.get("broken", []) if path in tree["json"]]:
            for _ in jsonstream.walk(tree.path(path), path, {"images", "annotations"}):
                pass  # it raises what is wrong with the file
        if not annotations and photographs(tree):
            raise Refused("no_labels", images=len(tree["image"]))
        raise Refused("no_layout", images=len(tree["image"]), labels=len(tree["text"]))
    roots = {item.root for item in found if item.complete and item.format in {*DETECTORS, "masks"}}
    found = [item for item in found if item.complete or not covered(item.root, roots)]
    for item in found:
        item.others = found
    return found


def photographs(tree: Tree) -> bool:
    """Whether there are images alone: no text file has the name of one."""
    texts = {PurePosixPath(path).stem for path in tree["text"]}
    return bool(tree["image"]) and not any(PurePosixPath(path).stem in texts for path in tree["image"])


def refuse_unread(tree: Tree, paths: list[str]) -> None:
    """Labels of a kind that is not read must not become a classification by their images' folders.

    Raises:
        Refused: it names the files.
    """
    labels = [path for path in paths if tree["image"] and looks_like_labels(tree, path)]
    if labels:
        raise Refused("labels_unread", files=", ".join(map(shown, labels[:LISTED])), count=len(labels))


def rank(found: Found) -> tuple[bool, int, int, int, str]:
    """Smallest for the dataset that is meant most likely."""
    depth = len(found.root.split("/")) if found.root else 0
    return not found.complete, depth, -found.images, list(READERS).index(found.format), found.root


def covered(root: str, roots: set[str]) -> bool:
    """Whether images without labels belong to annotations at or above them: COCO's lie in images/train as YOLO's do."""
    while root not in roots and root:
        root = folder_of(root)
    return root in roots


def choose(found: list[Found], options: Options) -> Found:
    """The dataset that is read: that of `options.root` and `options.format`, else the first.

    Raises:
        Refused: there is no such dataset.
    """
    form, colon, path = (options.root or "").rpartition(":")  # no stored name has a colon
    form = form if colon else options.format or ""
    fitting = [
        item for item in found
        if (options.root is None or item.root == path.strip("/")) and form in {"", item.format}
    ]  # fmt: skip
    if not fitting:
        roots = ", ".join(dict.fromkeys(shown(item.where) for item in found[:LISTED]))
        raise Refused("no_root", root=shown(options.root or "/"), roots=roots)
    return fitting[0]


def read(folder: Path, found: Found, options: Options, pictures: Mapping[str, Shown] | None = None) -> Source:
    """The dataset's images, labels and classes, with every choice and loss on the way; see `Source`.

    Args:
        pictures: what images are that are not as their annotations say, or that are turned; see `disputed`.

    Raises:
        Refused: it cannot be used.
    """
    tree = Tree(folder, pictures)
    together = [item for item in found.others if item.complete] if options.merge else [found]
    if len(together) > 1:
        source = merge(tree, together, [READERS[item.format](tree, item, options) for item in together], options)
    else:
        source = READERS[found.format](tree, found, options)
        source.decisions[:0] = not_taken(found)
    if not source.items:
        raise Refused("no_images_found", file=found.where)
    return source


def disputed(source: Source, shown: Mapping[str, Shown]) -> dict[str, Shown]:
    """The images that are turned by a mark, or not of the size that their annotations say; nothing where all agree.

    With these, `read` tells what the annotations' pixels are. YOLO's label files are fractions of the displayed image.
    """
    if source.format in LABEL_FILES:
        return {}
    return {
        item.image: shown[item.image] for item in source.items
        if item.image in shown and (shown[item.image].turn > 1 or (item.size or shown[item.image].size)
                                    != shown[item.image].size)
    }  # fmt: skip


def not_taken(found: Found) -> list[dict[str, object]]:
    """What else the source holds, and how to have it."""
    others = [item for item in found.others if item is not found]
    decisions = []
    roots = list(dict.fromkeys(item.where for item in others if item.root != found.root))
    if roots:
        decisions.append(decision("root_chosen", "root", [found.where, *roots[:LISTED]], root=shown(found.where),
                                  others=", ".join(shown(root) for root in roots[:LISTED])))  # fmt: skip
    formats = list(dict.fromkeys(item.format for item in others if item.root == found.root and item.complete))
    if formats:
        choices = [found.format, *formats]
        decisions.append(decision("format_chosen", "format", choices, format=found.format, others=", ".join(formats)))
    return decisions
