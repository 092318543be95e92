"""Label files as other tools and people write them: other encodings, headers, comments, quotes, the class after the
numbers, rows of KITTI and DOTA. Converts them to lines of "class numbers" before the columns are determined.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from app.core.encodings import decode
from app.core.numbers import is_number

HEADINGS = frozenset({"class", "classid", "label", "labelid", "id", "category", "cls", "name", "object", "x", "xmin"})
HEADING_COLUMNS = 4  # at least
COMMENTS = ("#", "//", "imagesource:", "gsd:")  # the latter two are DOTA's
MARKS = str.maketrans(dict.fromkeys("\"'[](){}|", " "))
PADDING = {0: None, 0x1A: None}  # padding of a disk block; end of file in DOS
UNTIDY = re.compile(r"[\"'\[\](){}|:]|[^\x00-\x7f]")
NO_WORD = re.compile(r"[^a-z]+")
BOX, CORNERS = 4, 8  # numbers
KITTI = (15, 16)  # columns: type truncated occluded alpha left top right bottom and a 3D box, a score
IGNORED = "dontcare"  # KITTI's unlabeled regions
FRACTION = 2.0  # a larger number is not a fraction
KITTI_HIDDEN = {"-1", "0", "1", "2", "3"}
VISDRONE = (  # columns: left top width height score class truncation occlusion; a score of 0 marks an ignored region
    "ignored regions",
    "pedestrian",
    "people",
    "bicycle",
    "car",
    "van",
    "truck",
    "tricycle",
    "awning-tricycle",
    "bus",
    "motor",
    "others",
)
VISDRONE_ROW = re.compile(r"-?\d+,-?\d+,[1-9]\d*,[1-9]\d*,([01]),(\d|1[01]),(?:-1|[01]),(?:-1|[0-2]),?")


@dataclass
class LabelLines:
    """The lines of a label file.

    Attributes:
        rows: line number, original columns (None if commas are ambiguous), text.
        mended: the number of skipped or rewritten lines; 0 if the file can stay unchanged.
        layout: "KITTI", "DOTA", "VisDrone" or "class last" if a line has it; "": none.
    """

    rows: list[tuple[int, str]] = field(default_factory=list)
    mended: int = 0
    layout: str = ""


def read_lines(raw: bytes, class_names: Collection[str] = ()) -> LabelLines:
    """The lines with objects, as "class numbers".

    Args:
        class_names: by `rows.key_of`; empty if unknown.
    """
    read = decode(raw)
    padded = read.text.translate(PADDING)
    lines = [(number, text) for number, text in enumerate(padded.splitlines(), 1) if text.strip()]
    lines_of_objects = LabelLines(mended=int(not read.encoding.startswith("utf-8") or padded != read.text))
    if lines and is_count(lines):
        lines, lines_of_objects.mended = lines[1:], lines_of_objects.mended + 1
    for index, (number, text) in enumerate(lines):
        if is_comment(text) or (index == 0 and is_heading(text)):
            lines_of_objects.mended += 1
            continue
        row, layout = of_visdrone(text.strip(), class_names) or class_first(strip_marks(text))
        lines_of_objects.mended += row != text
        lines_of_objects.layout = layout or lines_of_objects.layout
        if row:
            lines_of_objects.rows.append((number, row))
    return lines_of_objects


def is_count(lines: list[tuple[int, str]]) -> bool:
    """Whether the first line is the number of the following ones, as BBox-Label-Tool writes it."""
    first = lines[0][1].strip()
    return first.isascii() and first.isdigit() and int(first[:9]) == len(lines) - 1


def is_comment(text: str) -> bool:
    return text.strip().casefold().startswith(COMMENTS)


def is_heading(text: str) -> bool:
    """Whether a line is a header of columns."""
    words = [NO_WORD.sub("", word) for word in re.split(r"[,;\s]+", text.casefold().strip())]
    return len(words) >= HEADING_COLUMNS and words[0] in HEADINGS and not re.search(r"(?<![a-z_])\d", text.casefold())


def strip_marks(text: str) -> str:
    """A line without quotes, brackets, bars, and the colon after its class; unchanged if it has none."""
    if not UNTIDY.search(text):
        return text
    return re.sub(r"^([^:]*?)\s*:\s+(?=[-+.\d])", r"\1 ", text.translate(MARKS)).strip()


def of_visdrone(text: str, class_names: Collection[str]) -> tuple[str, str] | None:
    """A line of VisDrone with its class first, by name unless other classes are listed; None for another line."""
    match = VISDRONE_ROW.fullmatch(text.replace(" ", ""))
    if match is None:
        return None
    score, number = int(match[1]), int(match[2])
    name = VISDRONE[number]
    name = name if not class_names or name.replace("-", " ") in class_names else str(number)
    return (" ".join([name, *text.replace(" ", "").split(",")[:BOX]]) if score and number else ""), "VisDrone"


def class_first(text: str) -> tuple[str, str]:
    """A line with its class first, and its layout; "" for a line without an object."""
    columns = text.split()
    if not columns or is_number(columns[0]):
        return class_behind(text, columns)
    if len(columns) in KITTI and columns[2] in KITTI_HIDDEN and is_kitti(columns):
        name = columns[0]
        return ("" if name.casefold() == IGNORED else " ".join([name, *columns[4:8]])), "KITTI"
    return text, ""


def is_kitti(columns: list[str]) -> bool:
    """Whether a row of that many columns has numbers and a box in pixels, and is not a polygon of seven points."""
    return all(map(is_number, columns[1:])) and max(map(float, columns[4:8])) > FRACTION


def class_behind(text: str, columns: list[str]) -> tuple[str, str]:
    """A line whose class is a name after its numbers."""
    pieces = text.replace(",", " ").split() if "," in text and "." in text else columns
    count = next((index for index, piece in enumerate(pieces) if not is_number(piece)), len(pieces))
    rest = pieces[count:]
    if not rest:
        return text, ""
    if count == CORNERS and len(rest) <= 2 and all(map(is_number, rest[1:])):
        return " ".join([rest[0], *pieces[:count]]), "DOTA"
    if count == BOX and not any(map(is_number, rest)) and "," not in "".join(rest):
        return " ".join([*rest, *pieces[:count]]), "class last"
    return text, ""
