"""Boxes in CSV files, one row per object, as written by Kaggle, Open Images, Roboflow, TensorFlow, VoTT and AutoML."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.documents import FileFindings
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, outline_shape
from app.worker.formats.geometry import Points, number, side
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, InvalidInput, Options, Source, decision
from app.worker.formats.numbered_classes import LETTER, NumberedClasses
from app.worker.formats.paths import folder_of, split_of, stem_of, suffix_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.sizes import image_size
from app.worker.formats.table_boxes import FORMS, corners, four
from app.worker.formats.table_cells import LAYOUTS, in_string, layout_of, objects_in, outlines_in
from app.worker.formats.table_headings import TableColumns, columns_of
from app.worker.formats.tree import MANY, Tree

OBJECT_CLASS = "object"  # the class of boxes without a class column
FOLDER_AND_NAME = re.compile(r"(?P<folder>.+)[-_](?P<name>[^-_]+)")
NOTHING = {"", "nan"}  # pandas writes nan for missing values
NEARLY_ALL = 0.95  # of the boxes: any table may have a few wrong rows
SAMPLE = 500  # sampled boxes
AUTOML = {
    "TRAIN": "train",
    "TRAINING": "train",
    "VALIDATION": "val",
    "VALIDATE": "val",
    "TEST": "test",
    "UNASSIGNED": "",
}


@dataclass(slots=True)
class TableLine:
    """A row of the table: `values` are four numbers, or empty for an image without objects."""

    number: int
    image: str
    label: str
    values: tuple[float, ...]
    split: str
    size: tuple[int, int]
    crowd: bool = False
    runs: str = ""
    parts: Sequence[Points] = ()  # of a polygon
    form: str = ""  # of the values, if the cell has it
    unread: bool = False  # an unreadable object: the image is not a background


def is_table(tree: Tree, path: str) -> bool:
    """Whether a CSV file is a table of boxes."""
    try:
        table = CsvTable(tree, path)
        return columns_of(table.header) is not None or bare_columns(tree, table) is not None
    except InvalidInput:
        return False


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "csv")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: dict[str, Draft] = {}
    labels = NumberedClasses(tree, class_list)
    files = [BoxTable(tree, path, detected.root, class_list, findings, labels, drafts) for path in detected.hint]
    for file in files:
        file.read()
    unread, count = sum(file.unread for file in files), sum(len(draft.shapes) for draft in drafts.values())
    if unread and unread >= NEARLY_ALL * (unread + count):
        raise InvalidInput("labels_unread", files=", ".join(printable_name(file.path) for file in files if file.unread))
    return convert_drafts(tree, detected, options, list(drafts.values()), class_list, findings)


def bare_columns(tree: Tree, table: CsvTable) -> tuple[TableColumns, bool] | None:
    """The columns of a table without a header, as written by keras-retinanet (path, corners, class) and AutoML (split,
    path, class, corners in two pairs); and whether it is AutoML's.
    """
    cells = table.header
    if len(cells) in {9, 11} and cells[0].upper() in AUTOML and suffix_of(cells[1]):
        return TableColumns(1, 2, (3, 4, 7, 8) if len(cells) == 11 else (3, 4, 5, 6), "corners", 0), True
    numbers = [math.isfinite(number(cell or 0)) for cell in cells[1:5]]
    if len(cells) == 8 and all(numbers) and suffix_of(cells[5]) and all(map(side, cells[6:])):  # makesense.ai
        return TableColumns(5, 0, (1, 2, 3, 4), "sides", size=(6, 7)), False
    sizes = [*map(side, cells[1:3]), *(math.isfinite(number(cell)) for cell in cells[4:8])]
    if len(cells) == 8 and all(sizes) and suffix_of(cells[0]) and LETTER.search(cells[3]):  # TensorFlow
        return TableColumns(0, 3, (4, 5, 6, 7), "corners", size=(1, 2)), False
    if len(cells) == 6 and all(numbers) and not math.isfinite(number(cells[0])) and tree.image(cells[0], ""):
        return TableColumns(0, 5, (1, 2, 3, 4), "corners"), False
    return None


class BoxTable:
    """One table."""

    def __init__(
        self,
        tree: Tree,
        path: str,
        root: str,
        class_list: ClassList,
        findings: list[Finding],
        labels: NumberedClasses,
        drafts: dict[str, Draft],
    ) -> None:
        self.tree, self.path, self.root, self.class_list = tree, path, root, class_list
        self.notes, self.labels, self.drafts = FileFindings(path, findings), labels, drafts
        self.split = split_in(path, root, with_name=True)
        self.table = CsvTable(tree, path)
        columns = columns_of(self.table.header)
        bare = None if columns else bare_columns(tree, self.table)
        self.headed, self.automl = columns is not None, bool(bare and bare[1])
        if columns is None and bare is None:
            raise InvalidInput("labels_unread", files=printable_name(path))
        self.columns: TableColumns = columns or bare[0]  # type: ignore[index]
        self.images: dict[str, str | None] = {}
        self.unread = 0  # unreadable objects
        self.layout = LAYOUTS[0]
        if self.columns.kind == "string":
            at = self.columns.box[0]
            cells = [row[at] for _, row in self.table.cells() if at < len(row)]
            self.layout = layout_of(cells[1:] if self.headed else cells)

    def read(self) -> None:
        """Read its objects, each into the draft of its image."""
        form, fractions, names = self.survey()
        for line in self.lines():
            if line.unread:
                self.leave_out(line)
                continue
            draft = self.draft(line, fractions)
            if draft is None or not (line.values or line.runs or line.parts):
                continue
            label = names.get(line.label, line.label)
            if not label:
                self.notes.unnamed(line.number, draft.image)
            elif line.crowd:
                self.notes.object("object_crowd", line.number, draft.image, "info", name=printable_name(label))
            elif line.runs:
                self.mask(line, label, draft)
            elif line.parts:
                draft.shapes.append(outline_shape(label, line.parts, line.number))
            elif len(line.values) == 8:
                draft.shapes.append(DraftShape("turned", label, line.values, line.number))
            else:
                draft.shapes.append(DraftShape("box", label, corners(line.values, line.form or form), line.number))
        self.notes.close()

    def survey(self) -> tuple[str, bool, dict[str, str]]:
        """The form of the boxes, whether they are fractions, and the names of numbered classes."""
        form, fractions, outside, ordered, finite, count = self.columns.kind, True, 0, 0, 0, 0
        labels: set[str] = set()
        for line in self.lines():
            if line.unread:
                continue
            labels.add(line.label)
            if line.parts:
                count += 1
                fractions = fractions and not any(max(point) > 1.5 for part in line.parts for point in part)
            if not line.values:
                continue
            count += 1
            fractions = fractions and not any(value > 1.5 for value in line.values)
            if form == "cell" and count <= SAMPLE and not line.form:
                left, top, third, fourth = line.values
                finite += all(map(math.isfinite, line.values))
                ordered += third > left and fourth > top
                image = self.image(line.image)
                size = image_size(self.tree.path(image)) if image else None
                unit = (1, 1) if fractions else size
                outside += bool(unit and (left + third > unit[0] * 1.01 or top + fourth > unit[1] * 1.01))
        if form == "cell" and finite:
            form = "corners" if outside and ordered >= NEARLY_ALL * finite else "sides"
            self.class_list.decisions.append(
                decision("csv_form", None, None, file=printable_name(self.path), form=FORMS[form])
            )
        if labels == {OBJECT_CLASS}:
            self.class_list.decisions.append(decision("class_of_all", "names", name=OBJECT_CLASS))
        return form, fractions and count > 0, self.labels.names(labels - {""})

    def lines(self) -> Iterator[TableLine]:
        """The rows, parsed."""
        columns = self.columns
        for index, (row, cells) in enumerate(self.table.cells()):
            if self.headed and index == 0:
                continue

            def cell(at: int, cells: list[str] = cells) -> str:
                return cells[at] if 0 <= at < len(cells) else ""

            image, label = cell(columns.image), cell(columns.label) if columns.label >= 0 else OBJECT_CLASS
            split = AUTOML.get(cell(0).upper(), "") if self.automl else cell(columns.split)
            size = tuple(side(cell(at)) for at in columns.size) or (0, 0)
            line = TableLine(
                row, image, label, (), split, (size[0], size[1]), cell(columns.crowd) in {"1", "True", "true"}
            )
            texts = [cell(at) for at in columns.box]
            if columns.kind == "runs":
                line.runs = texts[0] if texts[0].casefold() not in {"-1", "nan"} else ""
                if "_" in image and not suffix_of(image) and suffix_of(image.rpartition("_")[0]):
                    line.image, _, line.label = image.rpartition("_")  # ImageId_ClassId
            elif all(text.casefold() in NOTHING for text in texts):
                pass
            elif columns.kind in {"cell", "string"} and (several := self.objects(line, texts[0])) is not None:
                yield from several
                continue
            elif columns.kind == "outline":
                line.parts = outlines_in(texts[0])
                line.unread = not line.parts
            elif columns.kind == "points":
                line.values = tuple(number(text.replace(",", ".")) for text in texts)
            elif len(texts) > 1 or re.search(r"\d", texts[0]):
                line.values = four(texts)
            yield line

    def objects(self, line: TableLine, cell: str) -> list[TableLine] | None:
        """A row for each object of a cell that has all objects of an image; otherwise the row itself."""
        objects = in_string(cell, self.layout) if self.columns.kind == "string" else objects_in(cell, line.label)
        if objects is None:
            return None
        rows = [
            replace(line, label=name or line.label, values=values, form=form, unread=not values)
            for name, values, form in objects
        ]
        return rows or [line]

    def leave_out(self, line: TableLine) -> None:
        """Add a finding about an unreadable object; an image with no other object is not a background."""
        self.unread += 1
        image = self.image(line.image)
        if image is None:
            self.notes.missing(line.image, line.number)
        else:
            self.notes.object("object_no_box", line.number, image, name=printable_name(line.label or "?"))

    def image(self, name: str) -> str | None:
        """The image that a cell refers to."""
        if name not in self.images:
            self.images[name] = self.tree.image(name, folder_of(self.path), self.split) if name else None
            if self.images[name] is None and name.isdigit():
                self.images[name] = next(iter(self.tree.by_stem(name)), None)
            if self.images[name] is None:
                self.images[name] = in_folder(self.tree, name)
        return self.images[name]

    def draft(self, line: TableLine, fractions: bool) -> Draft | None:
        """The draft of a row's image; None with a finding if there is none."""
        image = self.image(line.image)
        if image is None:
            self.notes.missing(line.image, line.number)
            return None
        if image not in self.drafts:
            split = split_of(line.split) or self.split or split_in(image, self.root, False)
            size = line.size if all(line.size) else None
            self.drafts[image] = Draft(image, split, self.path, size, fractions=fractions)
        return self.drafts[image]

    def mask(self, line: TableLine, label: str, draft: Draft) -> None:
        """Add the polygons of a mask in a cell."""
        size = draft.size or image_size(self.tree.path(draft.image)) or (0, 0)
        try:
            parts = mask_codecs.outlines(mask_codecs.from_pairs(line.runs, *size))
            draft.shapes.append(outline_shape(label, parts, line.number))
        except (BadMask, IndexError):
            self.notes.object("mask_unreadable", line.number, draft.image, name=printable_name(label))


def in_folder(tree: Tree, name: str) -> str | None:
    """The image with a combined name of folder and file: "0-16" for video_0/16.jpg."""
    match = FOLDER_AND_NAME.fullmatch(stem_of(name))
    if match is None:
        return None
    ending = re.compile(rf"(?i)(?:.*[/_ -])?{re.escape(match['folder'])}")
    fitting = [path for path in tree.by_stem(match["name"])[:MANY] if ending.fullmatch(folder_of(path))]
    return fitting[0] if len(fitting) == 1 else None
