"""Rows of YOLO label files as various tools write them: with commas, with class names, or with the class after the box.
Standard library only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.worker.formats.row_styles import MARKS, LabelLines, read_lines

NUMERIC = b"0123456789+-.eE \t\r\n"  # characters of a numeric row
BOM = b"\xef\xbb\xbf"
BOX = 5  # columns: class x y w h
SHORT = 12  # bytes: a longer first line is a row
FIRST_LINE = re.compile(rb"\s*([^\s]+)[ \t]*(?:[\r\n]|$)")
SEPARATORS = re.compile(r"[,\s]+")
SEMICOLONS = re.compile(r"[;\s]+")


@dataclass(slots=True)
class LabelRow:
    """One row.

    Attributes:
        line: in its file, from 1.
        columns: as strings, commas resolved; the first is the class's number, or its name (see `named`).
        values: the columns as numbers, None for a class name; None if one is not a number.
    """

    line: int
    columns: list[str]
    values: list[float] | None
    commas: bool = False
    named: bool = False

    @property
    def text(self) -> str:
        return " ".join(self.columns)

    def turned(self) -> "LabelRow":
        """The row with its last column, the class, moved to the front."""
        columns = self.columns[-1:] + self.columns[:-1]
        return LabelRow(self.line, columns, values_of(columns), self.commas, self.named)

    def without_second(self) -> "LabelRow":
        """The row without the column after its class, a confidence."""
        columns = self.columns[:1] + self.columns[2:]
        values = None if self.values is None else self.values[:1] + self.values[2:]
        return LabelRow(self.line, columns, values, self.commas, self.named)


def is_odd(raw: bytes) -> bool:
    """Whether a label file has more than numbers, or begins with the number of its rows."""
    text = raw.removeprefix(BOM)
    first = FIRST_LINE.match(text)
    return bool(text.translate(None, NUMERIC)) or bool(first and len(first[1]) < SHORT and first[1].isdigit())


@dataclass(slots=True)
class ParsedRows:
    """The rows of a label file; `lines`: how it was written."""

    rows: list[LabelRow]
    lines: LabelLines

    @property
    def stays(self) -> bool:
        """Whether the file can stay unchanged: YOLO can read it, or it cannot be parsed at all."""
        if any(row.commas or row.named for row in self.rows):
            return False
        return not self.lines.mended or (bool(self.rows) and all(row.values is None for row in self.rows))


def parse(raw: bytes, numbers: Mapping[str, int] | None = None) -> ParsedRows:
    """The rows of a label file.

    Args:
        numbers: of the classes, by `key_of` their names. Empty or None: any text before the numbers is a name.
    """
    if not is_odd(raw):
        return ParsedRows(numeric_rows(raw), LabelLines())
    lines = read_lines(raw, numbers or ())
    return ParsedRows([row_of(line, text, numbers) for line, text in lines.rows], lines)


def numeric_rows(raw: bytes) -> list[LabelRow]:
    """The rows of a numeric file: the class first, as in YOLO."""
    lines = enumerate(raw.removeprefix(BOM).decode("ascii").splitlines(), 1)
    rows = ((line, text.split()) for line, text in lines)
    return [LabelRow(line, columns, values_of(columns)) for line, columns in rows if columns]


def row_of(line: int, text: str, numbers: Mapping[str, int] | None) -> LabelRow:
    columns = columns_of(text)
    row = LabelRow(line, columns, values_of(columns), columns != text.split())
    if row.values is None and (name := name_of(columns, numbers)):
        length, number = name
        row.columns = [" ".join(columns[:length]) if number is None else str(number), *columns[length:]]
        row.values, row.named = values_of([str(number or 0), *columns[length:]]), True
    return row


def values_of(columns: list[str]) -> list[float] | None:
    try:
        return list(map(float, columns))
    except ValueError:
        return None


def columns_of(text: str) -> list[str]:
    """The columns of a row; commas as separators or decimal commas are unambiguous in nearly all cases."""
    columns = text.split()
    if "," not in text and ";" not in text:
        return columns
    if ";" in text:
        return [column.replace(",", ".") for column in SEMICOLONS.split(text.strip("; \t\r\n"))]
    if "." in text:
        return SEPARATORS.split(text.strip(", \t\r\n"))
    stripped = [column.removesuffix(",") for column in columns]
    if len(columns) > 1 and all(column.count(",") <= 1 for column in stripped):
        return [column.replace(",", ".") for column in stripped]
    pieces = SEPARATORS.split(text.strip(", \t\r\n"))
    return pieces if len(pieces) == BOX else columns  # 0,0,5,0,1,… is ambiguous


def name_of(columns: list[str], numbers: Mapping[str, int] | None) -> tuple[int, int | None] | None:
    """The number of leading columns that form a class name, and its number; None if there is no name."""
    most = len(columns) - BOX + 1
    if numbers:
        lengths = (length for length in range(most, 0, -1) if key_of(" ".join(columns[:length])) in numbers)
        length = next(lengths, 0)
        return (length, numbers[key_of(" ".join(columns[:length]))]) if length else None
    length = next((length for length in range(1, most + 1) if values_of(columns[length:]) is not None), 0)
    return (length, None) if length else None


def key_of(name: str) -> str:
    """A key that ignores case, spaces, underscores, and quotes."""
    return " ".join(name.translate(MARKS).replace("_", " ").replace("-", " ").casefold().split())
