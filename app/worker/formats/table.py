"""Boxes in CSV files: a row an object, as Kaggle, Open Images, Roboflow, TensorFlow, VoTT and AutoML write them."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.worker.formats import bitmaps
from app.worker.formats.bitmaps import BadMask
from app.worker.formats.classes import Known
from app.worker.formats.csvfile import Table
from app.worker.formats.documents import Notes
from app.worker.formats.drafts import Draft, Shape, finish, outline_shape
from app.worker.formats.geometry import number, side
from app.worker.formats.headings import IMAGES, Columns, columns_of, plain
from app.worker.formats.model import Finding, Found, Options, Refused, Source, decision
from app.worker.formats.paths import folder_of, shown, split_of, suffix_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

THING = "object"  # the class of boxes where no column says one
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MACHINE = re.compile(r"/[mg]/\S+")  # a class of Open Images
LETTER = re.compile(r"[^\W\d_]")
ABOUT_IMAGES = frozenset(IMAGES) - {"id", "name"}
NOTHING = {"", "nan"}  # pandas writes nan where there is no value
WHOLE = re.compile(r"-?\d{1,9}(?:\.0+)?")
NEARLY_ALL = 0.95  # of the boxes: a few rows are wrong in any table
SAMPLE = 500  # boxes that show how a file writes them
MAX_NAMES = 4 * 1024**2  # bytes of a table of class names
AUTOML = {"TRAIN": "train", "TRAINING": "train", "VALIDATION": "val", "VALIDATE": "val", "TEST": "test",
          "UNASSIGNED": ""}  # fmt: skip
FORMS = {"corners": "left, top, right, bottom", "sides": "left, top, width, height",
         "centre": "centre, width, height"}  # fmt: skip


@dataclass(slots=True)
class Line:
    """A row of the table: `values` are four numbers, or none where the image has no object."""

    number: int
    image: str
    label: str
    values: tuple[float, ...]
    split: str
    size: tuple[int, int]
    crowd: bool = False
    runs: str = ""


def is_table(tree: Tree, path: str) -> bool:
    """Whether a CSV file is one of boxes."""
    try:
        table = Table(tree, path)
        return columns_of(table.header) is not None or bare_columns(tree, table) is not None
    except Refused:
        return False


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    return by_root(tree, paths, "csv")


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    drafts: dict[str, Draft] = {}
    labels = Labels(tree, known)
    for path in found.hint:
        File(tree, path, found.root, known, findings, labels, drafts).read()
    return finish(tree, found, options, list(drafts.values()), known, findings)


def bare_columns(tree: Tree, table: Table) -> tuple[Columns, bool] | None:
    """The columns of a table without a heading, as keras-retinanet (path, corners, class) and AutoML (split, path,
    class, corners in two pairs) write them; whether it is AutoML's."""
    cells = table.header
    if len(cells) in {9, 11} and cells[0].upper() in AUTOML and suffix_of(cells[1]):
        return Columns(1, 2, (3, 4, 7, 8) if len(cells) == 11 else (3, 4, 5, 6), "corners", 0), True
    numbers = [math.isfinite(number(cell or 0)) for cell in cells[1:5]]
    if len(cells) == 6 and all(numbers) and not math.isfinite(number(cells[0])) and tree.image(cells[0], ""):
        return Columns(0, 5, (1, 2, 3, 4), "corners"), False
    return None


class Labels:
    """The names of classes that the table has by number or by machine name."""

    def __init__(self, tree: Tree, known: Known) -> None:
        self.tree, self.known = tree, known
        self.tables: list[tuple[str, dict[str, str]]] | None = None

    def names(self, labels: set[str]) -> dict[str, str]:
        """The names of these, from a table of two columns that has them all, else by number from the known names."""
        coded = {label for label in labels if MACHINE.fullmatch(label) or WHOLE.fullmatch(label)}
        if not coded or coded != labels:
            return {}
        for path, names in self._all():
            own = {label: names.get(label, "") for label in labels}
            if len(set(own.values())) == len(own) and all(LETTER.search(name) for name in own.values()):
                self.known.decisions.append(decision("names_from_file", "names", file=shown(path)))
                return own
        listed = self.known.names or []
        numbers = {label: int(float(label)) for label in labels if WHOLE.fullmatch(label)}
        if len(numbers) == len(labels) and all(0 <= value < len(listed) for value in numbers.values()):
            return {label: listed[value] for label, value in numbers.items()}
        return {}

    def _all(self) -> list[tuple[str, dict[str, str]]]:
        """The tables of two columns in both directions."""
        if self.tables is None:
            self.tables = []
            for path in self.tree["csv"]:
                if self.tree.size(path) <= MAX_NAMES:
                    table = Table(self.tree, path)
                    if plain(next(iter(table.header), "")) in ABOUT_IMAGES:
                        continue  # a row an image: answers of a competition, and no list of classes
                    rows = [cells for _, cells in table.cells() if len(cells) == 2]
                    self.tables += [(path, dict(rows)), (path, {name: key for key, name in rows})]
        return self.tables


class File:
    """One table."""

    def __init__(
        self, tree: Tree, path: str, root: str, known: Known, findings: list[Finding], labels: Labels,
        drafts: dict[str, Draft],
    ) -> None:  # fmt: skip
        self.tree, self.path, self.root, self.known = tree, path, root, known
        self.notes, self.labels, self.drafts = Notes(path, findings), labels, drafts
        self.split = split_in(path, root, with_name=True)
        self.table = Table(tree, path)
        columns = columns_of(self.table.header)
        bare = None if columns else bare_columns(tree, self.table)
        self.headed, self.automl = columns is not None, bool(bare and bare[1])
        if columns is None and bare is None:
            raise Refused("labels_unread", files=shown(path))
        self.columns: Columns = columns or bare[0]  # type: ignore[index]
        self.images: dict[str, str | None] = {}

    def read(self) -> None:
        """Its objects, each in the draft of its image."""
        form, fractions, names = self.survey()
        for line in self.lines():
            draft = self.draft(line, fractions)
            if draft is None or not (line.values or line.runs):
                continue
            label = names.get(line.label, line.label)
            if not label:
                self.notes.unnamed(line.number, draft.image)
            elif line.crowd:
                self.notes.object("object_crowd", line.number, draft.image, "info", name=shown(label))
            elif line.runs:
                self.mask(line, label, draft)
            else:
                draft.shapes.append(Shape("box", label, corners(line.values, form), line.number))
        self.notes.close()

    def survey(self) -> tuple[str, bool, dict[str, str]]:
        """How the boxes are written: their form, whether they are fractions; and the names of numbered classes."""
        form, fractions, outside, ordered, finite, count = self.columns.kind, True, 0, 0, 0, 0
        labels: set[str] = set()
        for line in self.lines():
            labels.add(line.label)
            if not line.values:
                continue
            count += 1
            fractions = fractions and not any(value > 1.5 for value in line.values)
            if form == "cell" and count <= SAMPLE:
                left, top, third, fourth = line.values
                finite += all(map(math.isfinite, line.values))
                ordered += third > left and fourth > top
                image = self.image(line.image)
                size = image_size(self.tree.path(image)) if image else None
                unit = (1, 1) if fractions else size
                outside += bool(unit and (left + third > unit[0] * 1.01 or top + fourth > unit[1] * 1.01))
        if form == "cell":
            form = "corners" if outside and ordered >= NEARLY_ALL * finite else "sides"
            self.known.decisions.append(decision("csv_form", None, None, file=shown(self.path), form=FORMS[form]))
        if self.columns.label < 0:
            self.known.decisions.append(decision("class_of_all", "names", name=THING))
        return form, fractions and count > 0, self.labels.names(labels - {""})

    def lines(self) -> Iterator[Line]:
        """The rows, as numbers and texts."""
        place = self.columns
        for index, (row, cells) in enumerate(self.table.cells()):
            if self.headed and index == 0:
                continue

            def cell(at: int, cells: list[str] = cells) -> str:
                return cells[at] if 0 <= at < len(cells) else ""

            image, label = cell(place.image), cell(place.label) if place.label >= 0 else THING
            split = AUTOML.get(cell(0).upper(), "") if self.automl else cell(place.split)
            size = tuple(side(cell(at)) for at in place.size) or (0, 0)
            line = Line(row, image, label, (), split, (size[0], size[1]), cell(place.crowd) in {"1", "True", "true"})
            texts = [cell(at) for at in place.box]
            if place.kind == "runs":
                line.runs = texts[0] if texts[0].casefold() not in {"-1", "nan"} else ""
                if "_" in image and not suffix_of(image) and suffix_of(image.rpartition("_")[0]):
                    line.image, _, line.label = image.rpartition("_")  # ImageId_ClassId
            elif all(text.casefold() in NOTHING for text in texts):
                pass
            elif len(texts) > 1 or re.search(r"\d", texts[0]):
                line.values = four(texts)
            yield line

    def image(self, name: str) -> str | None:
        """The image that a cell names."""
        if name not in self.images:
            self.images[name] = self.tree.image(name, folder_of(self.path), self.split) if name else None
            if self.images[name] is None and name.isdigit():
                self.images[name] = next(iter(self.tree.by_stem(name)), None)
        return self.images[name]

    def draft(self, line: Line, fractions: bool) -> Draft | None:
        """The draft of a row's image; None, noted, where there is none."""
        image = self.image(line.image)
        if image is None:
            self.notes.missing(line.image, line.number)
            return None
        if image not in self.drafts:
            split = split_of(line.split) or self.split or split_in(image, self.root, False)
            size = line.size if all(line.size) else None
            self.drafts[image] = Draft(image, split, self.path, size, fractions=fractions)
        return self.drafts[image]

    def mask(self, line: Line, label: str, draft: Draft) -> None:
        """The outline of a mask in a cell."""
        size = draft.size or image_size(self.tree.path(draft.image)) or (0, 0)
        try:
            parts = bitmaps.outlines(bitmaps.from_pairs(line.runs, *size))
            draft.shapes.append(outline_shape(label, parts, line.number))
        except (BadMask, IndexError):
            self.notes.object("mask_unreadable", line.number, draft.image, name=shown(label))


def four(texts: list[str]) -> tuple[float, float, float, float]:
    """Four numbers of four cells, or of one."""
    values = [number(text.replace(",", ".")) for text in texts]
    if len(texts) == 1:
        values = [number(text) for text in NUMBER.findall(texts[0])]
    if len(values) != 4:
        return (math.nan,) * 4
    return values[0], values[1], values[2], values[3]


def corners(values: tuple[float, ...], form: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    first, second, third, fourth = values
    if form == "corners":
        return first, second, third, fourth
    if form == "centre":
        return first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2
    return first, second, first + third, second + fourth
