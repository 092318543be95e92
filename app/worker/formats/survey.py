"""Surveys all label files of a YOLO dataset: each row may be valid while the set is inconsistent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.worker.formats.model import Item
from app.worker.formats.rows import LabelRow, ParsedRows, is_odd, parse
from app.worker.formats.tree import Tree

FILES = 300  # fully parsed files; of the others only the classes, and whether they are numeric
ROWS = 5000
FIRST_COLUMN = re.compile(rb"(?m)^[ \t]*(\S+)")


@dataclass
class LabelSurvey:
    """The results of the survey.

    Attributes:
        sample: numeric rows, with their items.
        odd: label files with more than numbers.
        names: unknown class names in rows, with the number of rows.
        classes: class numbers; those above 0 are complete only if there is no 0.
    """

    sample: list[tuple[Item, LabelRow]] = field(default_factory=list)
    odd: set[str] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    classes: set[int] = field(default_factory=set)
    comma_rows: int = 0
    named_rows: int = 0
    bare_rows: int = 0  # in odd files: rows with a class number
    mended: int = 0  # rewritten or skipped lines
    layouts: set[str] = field(default_factory=set)  # of row_styles

    complete: bool = True  # the sample has every file

    @property
    def from_one(self) -> bool:
        return bool(self.classes) and min(self.classes) == 1

    @property
    def largest(self) -> int:
        return max(self.classes, default=-1)


def survey_labels(tree: Tree, items: list[Item], numbers: Mapping[str, int]) -> LabelSurvey:
    """Read every label file once.

    Args:
        numbers: of the listed classes, by `rows.key_of` their names.
    """
    survey = LabelSurvey()
    owners: dict[str, Item] = {}
    for item in items:
        if item.label:
            owners.setdefault(item.label, item)
    step = max(1, len(owners) // FILES)
    for index, (path, item) in enumerate(owners.items()):
        raw = tree.path(path).read_bytes()
        odd = is_odd(raw)
        if odd or (index % step == 0 and len(survey.sample) < ROWS):
            parsed = parse(raw, numbers)
            survey.sample += [(item, row) for row in parsed.rows if row.values and len(row.values) >= 2]
            if odd:
                add_odd(survey, path, parsed)
        else:
            survey.complete = False
        if not odd and 0 not in survey.classes:
            survey.classes.update(class_numbers(FIRST_COLUMN.findall(raw)))
    return survey


def add_odd(survey: LabelSurvey, path: str, parsed: ParsedRows) -> None:
    """Add a file with commas, names, or lines of another layout."""
    survey.odd.add(path)
    if not parsed.stays:
        survey.mended += parsed.lines.mended
        survey.layouts.update(filter(None, [parsed.lines.layout]))
    for row in parsed.rows:
        survey.comma_rows += row.commas and row.values is not None
        if row.values is None:
            continue
        if not row.named:
            survey.bare_rows += 1
            survey.classes.update(class_numbers([row.columns[0].encode()]))
            continue
        survey.named_rows += 1
        if row.columns[0].isdigit():
            survey.classes.add(int(row.columns[0]))
        else:
            survey.names[row.columns[0]] = survey.names.get(row.columns[0], 0) + 1


def class_numbers(texts: list[bytes]) -> set[int]:
    """The class numbers in first columns, including "1.0"."""
    numbers = set()
    for text in set(texts):
        try:
            value = float(text)
        except ValueError:
            continue
        if value.is_integer() and 0 <= value < 10**6:
            numbers.add(int(value))
    return numbers
