"""Detects and reads datasets of any supported format. Pure: reads below one folder, writes nothing.

    found = detect(folder, task)                 the datasets in it, best first
    source = read(folder, choose(found, options), options)

All input is untrusted: no name escapes the folder, no entity, alias or tag is expanded, and unusable data becomes a
finding or `InvalidInput`.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from app.core.names import printable_name
from app.core.readings import QUESTION_OF
from app.core.report import Decision
from app.worker.formats import file_encoding, jsonstream, yolo
from app.worker.formats.layout import NO_LABELS
from app.worker.formats.model import DetectedDataset, InvalidInput, Item, Options, Row, Source, decision
from app.worker.formats.paths import folder_of
from app.worker.formats.readers import CLASS_TABLE, READERS, module_of
from app.worker.formats.sizes import DisplayedSize
from app.worker.formats.tree import Tree

__all__ = [
    "DetectedDataset",
    "DisplayedSize",
    "InvalidInput",
    "Item",
    "Options",
    "Row",
    "Source",
    "choose",
    "decision",
    "detect",
    "disputed_sizes",
    "read",
]

LABEL_FILES = frozenset({"yolo", "darknet", "cvat-yolo", "folders", "csv-classes"})  # without pixel coordinates
LISTED = 20
LOOKED_AT = 300  # texts beside images that are checked, largest first: a file with all boxes is large
HEAD = 16 * 1024  # bytes of a text that are read
COORDINATES = 4
NUMBERS = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")


def detect(folder: Path, task: str = "auto") -> list[DetectedDataset]:
    """The datasets below a folder: complete ones first, then the outermost, then the largest.

    Raises:
        InvalidInput: there is no complete one; the reason has counts of what was found.
    """
    tree = Tree(folder)
    annotations: dict[str, list[str]] = {}
    if task == "classify":
        datasets = module_of("folders").detect(tree, task) or READERS[CLASS_TABLE].detect(tree, class_tables(tree))
    else:
        datasets = yolo.detect(tree)
        annotations = annotation_files(tree)
        for kind, paths in annotations.items():
            datasets += READERS[kind].detect(tree, paths) if is_sniffed(kind) else []
        if not any(item.complete for item in datasets):
            datasets += module_of("masks").detect(tree)
        if task == "auto" and not any(item.complete for item in datasets):
            refuse_unread(tree, annotations.get("", []))
            folders = module_of("folders")
            datasets = [item for item in folders.detect(tree, task) if folders.has_two_classes(item)]
            datasets = datasets or READERS[CLASS_TABLE].detect(tree, annotations.get(CLASS_TABLE, []))
    datasets.sort(key=rank)
    if not datasets or not datasets[0].complete:
        for path in [path for path in annotations.get("broken", []) if path in tree["json"]]:
            for _ in jsonstream.walk(tree, path, {"images", "annotations"}):
                pass  # walking a broken file raises its fault
        texts = [path for path in tree["text"] if not NO_LABELS.fullmatch(path.rpartition("/")[2])]
        # with fewer texts than images, texts may have the boxes of several images
        if task != "classify" and 2 * len(texts) >= len(tree["image"]):
            yolo.refuse_unpaired(tree, tree["image"], texts)
        if photographs(tree) and (texts := tables_in(tree)):
            raise InvalidInput("labels_unread", files=", ".join(map(printable_name, texts[:LISTED])), count=len(texts))
        about = [path for path in annotations.get("", []) if module_of("sniff").names_images(tree, path)]
        if about:
            raise InvalidInput("labels_unread", files=", ".join(map(printable_name, about[:LISTED])), count=len(about))
        if not annotations and photographs(tree):
            raise InvalidInput("no_labels", images=len(tree["image"]))
        raise InvalidInput("no_layout", images=len(tree["image"]), labels=len(tree["text"]))
    roots = {item.root for item in datasets if item.complete and (is_sniffed(item.format) or item.format == "masks")}
    datasets = [item for item in datasets if item.complete or not covered(item.root, roots)]
    for item in datasets:
        item.candidates = datasets
    return datasets


def annotation_files(tree: Tree) -> dict[str, list[str]]:
    """The annotation files by format, see sniff.py."""
    if not any(tree[kind] for kind in ("xml", "json", "csv", "ndjson")):
        return {}
    return module_of("sniff").annotation_files(tree)  # type: ignore[no-any-return]


def is_sniffed(kind: str) -> bool:
    """Whether a format is detected by the contents of its annotation files."""
    return kind in READERS and READERS[kind].sniffed


def class_tables(tree: Tree) -> list[str]:
    """The tables that assign classes to images."""
    return [path for path in tree["csv"] if module_of("class_table").is_table(tree, path)]


def photographs(tree: Tree) -> bool:
    """Whether there are only images: no text file shares a name with one."""
    texts = {PurePosixPath(path).stem for path in tree["text"]}
    return bool(tree["image"]) and not any(PurePosixPath(path).stem in texts for path in tree["image"])


def tables_in(tree: Tree) -> list[str]:
    """The texts with rows of numbers."""
    largest = sorted(tree["text"], key=tree.size, reverse=True)[:LOOKED_AT]
    return sorted(path for path in largest if is_table(tree, path))


def is_table(tree: Tree, path: str) -> bool:
    """Whether a text beside images has rows of numbers: the boxes of all images, as in MOT, WIDER FACE and others."""
    with open(tree.path(path), "rb") as file:
        lines = file.read(HEAD).decode("utf-8", "replace").splitlines()
    rows = [len(NUMBERS.findall(line)) >= COORDINATES for line in lines if line.strip()]
    return len(rows) > 1 and 3 * sum(rows) >= len(rows)


def refuse_unread(tree: Tree, paths: list[str]) -> None:
    """With labels in an unsupported format, folders of images must not be taken for a classification.

    Raises:
        InvalidInput: there are such labels; it names the files.
    """
    labels = [path for path in paths if tree["image"] and module_of("sniff").has_label_words(tree, path)]
    if labels:
        raise InvalidInput("labels_unread", files=", ".join(map(printable_name, labels[:LISTED])), count=len(labels))


def rank(detected: DetectedDataset) -> tuple[bool, int, int, int, str]:
    """A sort key: the smallest one is the most likely dataset."""
    depth = len(detected.root.split("/")) if detected.root else 0
    return not detected.complete, depth, -detected.images, list(READERS).index(detected.format), detected.root


def covered(root: str, roots: set[str]) -> bool:
    """Whether unlabeled images belong to annotations at or above them: COCO also has images in images/train."""
    while root not in roots and root:
        root = folder_of(root)
    return root in roots


def choose(datasets: list[DetectedDataset], options: Options) -> DetectedDataset:
    """The dataset to read: that of `options.root` and `options.format`, otherwise the first.

    Raises:
        InvalidInput: there is no such dataset.
    """
    form, colon, path = (options.root or "").rpartition(":")  # paths of stored files have no colon
    form = form if colon else options.format or ""
    fitting = [
        item
        for item in datasets
        if (options.root is None or item.root == path.strip("/")) and form in {"", item.format}
    ]
    if not fitting:
        roots = ", ".join(dict.fromkeys(printable_name(item.where) for item in datasets[:LISTED]))
        raise InvalidInput("no_root", root=printable_name(options.root or "/"), roots=roots)
    return fitting[0]


def read(
    folder: Path, detected: DetectedDataset, options: Options, pictures: Mapping[str, DisplayedSize] | None = None
) -> Source:
    """The dataset's images, labels and classes, with all choices and losses; see `Source`.

    Args:
        pictures: images whose size differs from their annotations, or which have a rotation; see `disputed_sizes`.

    Raises:
        InvalidInput: the dataset cannot be used.
    """
    tree = Tree(folder, pictures)
    together = [item for item in detected.candidates if item.complete] if options.merge else [detected]
    if len(together) > 1:
        read_ones = [READERS[item.format].read(tree, item, options) for item in together]
        source = module_of("merge").merge(tree, together, read_ones, options)
    else:
        source = READERS[detected.format].read(tree, detected, options)
        source.decisions[:0] = ignored_files(detected)
    if not any(answers_encoding(item) for item in source.decisions):
        paths = [path for item in (together or [detected]) for path in texts_of(item)]
        source.decisions += file_encoding.decisions(
            ((printable_name(path), tree.path(path)) for path in paths), tree.encodings, options, source.names
        )
    if not source.items:
        raise InvalidInput("no_images_found", file=detected.where)
    return source


def texts_of(detected: DetectedDataset) -> list[str]:
    """The annotation files of a dataset."""
    return detected.hint if is_sniffed(detected.format) and isinstance(detected.hint, list) else []


def answers_encoding(item: Mapping[str, object]) -> bool:
    return QUESTION_OF.get(str(item.get("reading"))) == "encoding"


def disputed_sizes(source: Source, displayed: Mapping[str, DisplayedSize]) -> dict[str, DisplayedSize]:
    """The images with an EXIF rotation, or whose size differs from their annotations; empty if all agree.

    With these, `read` determines the annotations' pixels. YOLO's label files are fractions of the displayed image.
    """
    if source.format in LABEL_FILES:
        return {}
    return {
        item.image: displayed[item.image]
        for item in source.items
        if item.image in displayed
        and (displayed[item.image].turn > 1 or (item.size or displayed[item.image].size) != displayed[item.image].size)
    }


def ignored_files(detected: DetectedDataset) -> list[Decision]:
    """Other contents of the source, and how to select them."""
    rest = [item for item in detected.candidates if item is not detected]
    decisions: list[Decision] = []
    roots = list(dict.fromkeys(item.where for item in rest if item.root != detected.root))
    if roots:
        decisions.append(
            decision(
                "root_chosen",
                "root",
                [detected.where, *roots[:LISTED]],
                root=printable_name(detected.where),
                others=", ".join(printable_name(root) for root in roots[:LISTED]),
            )
        )
    formats = list(dict.fromkeys(item.format for item in rest if item.root == detected.root and item.complete))
    if formats:
        choices = [detected.format, *formats]
        decisions.append(
            decision("format_chosen", "format", choices, format=detected.format, others=", ".join(formats))
        )
    return decisions
