"""Classification in a CSV: one row per image with its class, or one column per class with 0 and 1 (Kaggle,
Roboflow).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from app.core.names import printable_name
from app.worker.formats.class_names import check_names
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.documents import FileFindings
from app.worker.formats.drafts import create_source
from app.worker.formats.model import DetectedDataset, Finding, InvalidInput, Item, Options, Source, decision, finding
from app.worker.formats.paths import folder_of, split_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.table_headings import BOXES, CLASSES, IMAGES, OUTLINES, RUNS, SPLITS, normalised_heading
from app.worker.formats.tree import Tree

KINDS = (*CLASSES, "breed", "diagnosis", "dx", "level", "grade", "emotion", "disease", "variety", "finding", "style")
SHAPES = frozenset({*BOXES, *OUTLINES, *RUNS})  # columns of objects: not a table of entire images
KEY = "csv-classes"
ROWS = 50  # that are checked
LEAST = 0.5  # share of them that must name an image
MOST = 0.5  # maximum number of classes relative to the rows: more means that each image is a class of its own
ONES = {"0", "1", "0.0", "1.0"}


class ClassTable:
    """A table of images and their classes.

    Attributes:
        usable: whether the file is such a table.
    """

    def __init__(self, tree: Tree, path: str) -> None:
        self.tree, self.path = tree, path
        self.split = split_in(path, "", with_name=True)
        self.table = CsvTable(tree, path)
        header = self.table.header
        names = [normalised_heading(cell) for cell in header]
        self.headed = not (header and self.find(header[0]))
        self.image = next((names.index(name) for name in IMAGES if name in names), -1) if self.headed else 0
        self.splits = next((at for at in self.split_columns(names)), -1)
        rest = [index for index in range(len(header)) if index not in {self.image, self.splits}]
        usual = next((names.index(name) for name in KINDS if name in names and names.index(name) in rest), -1)
        self.label = rest[0] if len(rest) == 1 else usual
        self.columns = rest if self.headed and self.label < 0 and len(rest) > 1 else []
        self.usable = self.image >= 0 and not SHAPES & set(names) and self.is_one()

    def find(self, name: str) -> str | None:
        """The image that a cell refers to."""
        folder = folder_of(self.path)
        return self.tree.image(name, folder, self.split) or self.tree.image(name, folder, self.split, by_stem=True)

    def split_columns(self, names: list[str]) -> Iterator[int]:
        """The columns with the header and values of splits; a "set" may also be a class."""
        for at in [at for at, name in enumerate(names) if self.headed and name in SPLITS and at != self.image]:
            cells = {row[at] for index, (_, row) in enumerate(self.table.cells()) if index and at < len(row)} - {""}
            if cells and all(map(split_of, cells)):
                yield at

    def rows(self) -> Iterator[tuple[int, str, list[str], str | None]]:
        """Line, name of the image, its classes, and its split if the row has one."""
        for index, (line, cells) in enumerate(self.table.cells()):
            if (self.headed and index == 0) or self.image >= len(cells):
                continue
            split = split_of(cells[self.splits]) if 0 <= self.splits < len(cells) else None
            if self.columns:
                ticked = [at for at in self.columns if at < len(cells) and cells[at] in {"1", "1.0"}]
                yield line, cells[self.image], [self.table.header[at] for at in ticked], split
            elif self.label < len(cells):
                yield line, cells[self.image], [cells[self.label]] if cells[self.label] else [], split

    def is_one(self) -> bool:
        """Whether its rows name images, and classes that several images share."""
        if self.columns and not self.ticks():
            return False
        if not self.columns and self.label < 0:
            return False
        rows = [row for row, _ in zip(self.rows(), range(ROWS), strict=False)]
        if not rows or sum(self.find(name) is not None for _, name, *_ in rows) < LEAST * len(rows):
            return False
        counts = Counter(label for _, _, labels, _ in self.rows() for label in labels)
        if len(counts) < 2 or all(split_of(label) for label in counts):
            return False
        return len(counts) <= max(2, MOST * counts.total()) and all(len(labels) < 2 for _, _, labels, _ in rows)

    def ticks(self) -> bool:
        """Whether the columns after the image contain only 0 and 1."""
        cells = [row for index, (_, row) in enumerate(self.table.cells()) if 0 < index <= ROWS]
        return bool(cells) and all(row[at] in ONES for row in cells for at in self.columns if at < len(row))


def is_table(tree: Tree, path: str) -> bool:
    """Whether a CSV file assigns a class to each image."""
    try:
        return ClassTable(tree, path).usable
    except InvalidInput:
        return False


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, KEY)


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the classification at a root.

    Raises:
        InvalidInput: fewer than two classes.
    """
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    classes: dict[str, tuple[str, str | None]] = {}
    for path in detected.hint:
        table, notes = ClassTable(tree, path), FileFindings(path, findings)
        for line, name, labels, split in table.rows():
            image = table.find(name)
            if image is None:
                notes.missing(name, line)
            elif len(labels) != 1:
                notes.unnamed(line, image)
            elif classes.setdefault(image, (labels[0], split or table.split))[0] != labels[0]:
                first = printable_name(classes[image][0])
                findings.append(
                    finding("warning", "image_repeated", path, line, of=image, image=printable_name(image), first=first)
                )
        notes.close()
    folders = {name: as_folder(name) for name in sorted({name for name, _ in classes.values()})}
    names = check_names(sorted(set(folders.values())), options.max_classes, "CSV")
    if len(names) < 2:
        raise InvalidInput("classes_two")
    items = [
        Item(
            image,
            f"{folders[name]}/{PurePosixPath(image).name}",
            split or split_in(image, detected.root, False),
            class_name=folders[name],
        )
        for image, (name, split) in sorted(classes.items())
    ]
    decisions = [item for item in class_list.decisions if item["code"] == "download_ignored"]
    decisions.append(decision("task_table", "task", None, file=printable_name(detected.hint[0]), task="classify"))
    return create_source(tree, detected, "classify", names, items, decisions, findings)


def as_folder(name: str) -> str:
    """A class name that is valid for a folder: training reads classes as folders."""
    return name.replace("/", "_").replace("\\", "_").strip().lstrip(".") or "_"
