"""YOLO datasets: label files stay unchanged, so that findings have their line numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.names import printable_name
from app.core.report import Decision, Keypoints
from app.worker.formats import layout, pairs, split_lists
from app.worker.formats.class_names import first_class
from app.worker.formats.classes import ClassList
from app.worker.formats.item_names import ensure_unique_names
from app.worker.formats.layout import LocatedImage
from app.worker.formats.meaning import Meaning, apply
from app.worker.formats.meaning_inference import RowMeaningInference
from app.worker.formats.model import (
    DetectedDataset,
    InvalidInput,
    Item,
    Options,
    Source,
    decision,
    finding,
    task_decision,
)
from app.worker.formats.paths import inside
from app.worker.formats.tree import Tree
from app.worker.formats.unite import unite

MAX_LABEL = 16 * 1024**2  # bytes: read at once, here and by ultralytics
REPORTED = 10  # reported pairings


@dataclass
class Hint:
    """What detection found out about a root.

    Attributes:
        united: folders that became one dataset.
        encoded: images and labels paired after percent-decoding a name.
        paired: folders whose images and labels were paired by their names alone.
    """

    images: list[LocatedImage]
    labels: list[str]
    united: list[str]
    encoded: list[tuple[str, str]]
    paired: list[pairs.Pairing]

    def decisions(self) -> list[Decision]:
        decisions = [
            decision("labels_paired", labels=entry.labels, images=entry.images, count=entry.count)
            for entry in self.paired[:REPORTED]
        ]
        if len(self.united) > 1:
            roots = ", ".join(printable_name(root or "/") for root in self.united)
            decisions.append(decision("folders_united", "root", self.united, folders=roots, count=len(self.united)))
        labels = {located.label for located in self.images}
        mine = [(image, label) for image, label in self.encoded if label in labels]
        if mine:
            first, label = (printable_name(path.rpartition("/")[2]) for path in mine[0])
            decisions.append(decision("names_percent", None, None, count=len(mine), first=first, label=label))
        return decisions


def detect(tree: Tree) -> list[DetectedDataset]:
    """Each root with images or labels in a YOLO layout."""
    sets = layout.lay_out(tree)
    paired = pairs.pair(tree, sets)
    united = unite(tree, sets)
    tops = {root: top for top, roots in united.items() for root in roots}
    datasets = []
    for root, images in sets.images.items():
        labels = sets.labels.get(root, [])
        kind = kind_of(tree, root, images) if root in sets.flat else "yolo"
        mine = [entry for entry in paired if tops.get(entry.root, entry.root) == root]
        hint = Hint(images, labels, united.get(root, []), sets.encoded, mine)
        datasets.append(DetectedDataset(kind, root, len(images), len(labels), bool(images and labels), hint=hint))
    return datasets


def kind_of(tree: Tree, root: str, images: list[LocatedImage]) -> str:
    """Which tool's YOLO variant this is, by the files beside the images."""
    here = [path for path in tree["list"] if inside(path, root) is not None]
    if not here:
        return "yolo"
    cvat = any(layout.OBJ_DATA.fullmatch(part) for located in images[:1] for part in located.image.split("/"))
    return "cvat-yolo" if cvat and any(path.endswith(".data") for path in here) else "darknet"


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    images, labels = detected.hint.images, detected.hint.labels
    refuse_unpaired(tree, [located.image for located in images if located.label is None], labels, len(images))
    class_list = ClassList(tree, detected.root, options)
    lists = split_lists.read_lists(tree, detected.root, class_list.document)
    images, decisions, findings = split_lists.apply(images, lists, class_list.document)
    layout.refuse_collisions(images)
    items = [Item(located.image, located.rest, located.split, located.label) for located in in_order(images)]
    source = Source(
        detected.format, detected.root, None, class_list.names or [], items, class_list.decisions + decisions, findings
    )
    source.decisions += detected.hint.decisions() + ensure_unique_names(items)
    refuse_large(tree, items)
    used = {located.label for located in detected.hint.images}
    for path in labels:
        if path not in used:
            source.findings.append(finding("warning", "label_orphan", path))
    meaning = RowMeaningInference(tree, source, class_list.keypoints, options, first_class(class_list.document)).infer()
    apply(tree, source, meaning)
    set_task(source, keypoints_of(meaning, class_list.keypoints), options)
    if not source.names:
        name_classes(tree, source, options)
    read = {*lists.lists, class_list.list}
    source.outside = [path for path in outside(tree, images, labels) if path not in read]
    return source


def refuse_unpaired(tree: Tree, images: list[str], texts: list[str], most: int = 0) -> None:
    """Refuse labels if none of their names matches an image.

    Args:
        images: those without a label.
        most: the number of images; 0: only these.

    Raises:
        InvalidInput: none matches; it names one of each.
    """
    if not images or len(images) < most or not pairs.any_rows(tree, texts):
        return
    image, label = (printable_name(min(paths).rpartition("/")[2]) for paths in (images, texts))
    raise InvalidInput("names_differ", images=len(images), labels=len(texts), image=image, label=label)


def in_order(images: Iterable[LocatedImage]) -> list[LocatedImage]:
    """Training images first, so that these keep their name in a conflict."""
    rank = {"train": 0, None: 1, "val": 2, "test": 3}
    return sorted(images, key=lambda located: (rank[located.split], located.rest, located.image))


def refuse_large(tree: Tree, items: list[Item]) -> None:
    for item in items:
        if item.label and tree.size(item.label) > MAX_LABEL:
            raise InvalidInput("label_too_large", name=item.label, limit=MAX_LABEL)


def outside(tree: Tree, images: list[LocatedImage], labels: list[str]) -> list[str]:
    """Images and texts that do not belong to this dataset."""
    used = {located.image for located in images} | set(labels)
    return [path for kind in ("image", "text") for path in tree[kind] if path not in used]


def keypoints_of(meaning: Meaning, declared: Keypoints | None) -> Keypoints | None:
    """`kpt_shape` from the rows, with `flip_idx` of data.yaml if the number of keypoints is the same."""
    count, dimensions = meaning.columns.keypoints
    if meaning.columns.kind != "keypoints" or not count:
        return declared if meaning.columns.kind == "keypoints" or not declared else None
    if declared and declared["kpt_shape"][0] == count:
        return {**declared, "kpt_shape": [count, dimensions]}
    return {"kpt_shape": [count, dimensions]}


def set_task(source: Source, keypoints: Keypoints | None, options: Options) -> None:
    """The requested task; pose if data.yaml or the rows have keypoints; otherwise determined later from the labels.

    Raises:
        InvalidInput: pose was requested, and the number of keypoints is unknown.
    """
    if options.task == "pose" and keypoints is None:
        raise InvalidInput("pose_shape")
    source.keypoints = keypoints
    if options.task != "auto":
        alternatives = ["detect", "segment", "obb"] + ["pose"] * (keypoints is not None)
        source.decisions.append(task_decision(options.task, alternatives))
    source.task = options.task if options.task != "auto" else "pose" if keypoints else None


def rows_of(tree: Tree, path: str) -> list[str]:
    """The non-empty lines of a label file."""
    try:
        text = tree.path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:  # reported by the dataset check
        return []
    return [line for line in text.splitlines() if line.strip()]


def name_classes(tree: Tree, source: Source, options: Options) -> None:
    """class_0 … up to the largest class number in the labels; none without rows."""
    largest = -1
    texts = [row.text for item in source.items for row in item.rows or ()]
    labels = {item.label for item in source.items if item.label}
    for lines in [texts, *(rows_of(tree, path) for path in labels)]:
        for line in lines:
            first = (line.split(None, 1) or [""])[0].split(".")[0]  # a line of separators alone is empty
            if first.isascii() and first.isdigit() and len(first) < 10:
                largest = max(largest, int(first) if int(first) < options.max_classes else -1)
    if largest >= 0:
        source.names = [f"class_{number}" for number in range(largest + 1)]
        source.decisions.append(decision("classes_unnamed", "names", last=largest))
