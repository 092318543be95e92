"""Uploaded tables: CSV with any usual separator, read row by row."""

import csv
import io
import re
from collections.abc import Iterator
from typing import IO

from app.core.names import printable_name
from app.worker.formats.file_encoding import encoding_of
from app.worker.formats.model import InvalidInput
from app.worker.formats.tree import Tree

HEAD = 64 * 1024  # bytes for detecting encoding and separator
MAX_CELL = 8 * 1024**2  # characters: a cell may contain the JSON of an image
SEPARATORS = ",;\t|"

csv.field_size_limit(MAX_CELL)


class CsvTable:
    """A CSV file.

    Attributes:
        header: the unchanged cells of its first row.
        separator: the one that splits its first rows equally.
    """

    def __init__(self, tree: Tree, path: str) -> None:
        self.file, self.name = tree.path(path), path
        with open(self.file, "rb") as file:
            head = file.read(HEAD)
        self.encoding = encoding_of(self.file, tree.encodings).name
        lines = head.decode(self.encoding, "replace").splitlines()
        self.separator = separator_of(lines[:-1] if len(head) == HEAD else lines)
        self.header = next((cells for _, cells in self.cells()), [])
        self.header[:1] = [cell.lstrip("# ") for cell in self.header[:1]]  # "#filename" of VIA 1

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """The non-empty rows, each with its line number, from 1.

        Raises:
            InvalidInput: it is not a table.
        """
        try:
            with open(self.file, "rb") as raw:
                reader = csv.reader(self._text(raw), delimiter=self.separator, skipinitialspace=True)
                for cells in reader:
                    if any(cells):
                        yield reader.line_num, [cell.strip() for cell in cells]
        except (csv.Error, UnicodeError) as error:
            raise InvalidInput(
                "annotation_unreadable", file=printable_name(self.name), reason=printable_name(str(error))
            ) from error

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows after the header, by its cells."""
        for number, (line, cells) in enumerate(self.cells()):
            if number:
                yield line, dict(zip(self.header, cells, strict=False))

    def _text(self, raw: IO[bytes]) -> Iterator[str]:
        """Lines without NUL, truncated a little above the size of a cell."""
        text = io.TextIOWrapper(raw, encoding=self.encoding, errors="replace", newline="")
        while line := text.readline(2 * MAX_CELL):
            yield line.replace("\0", "")


def separator_of(lines: list[str]) -> str:
    """The separator that occurs most, and equally often, in the first rows."""
    rows = [re.sub(r'"[^"]*"', "", line) for line in lines[:20] if line.strip()]

    def strength(mark: str) -> tuple[int, int]:
        counts = [row.count(mark) for row in rows]
        return (min(counts, default=0), sum(counts))

    return max(SEPARATORS, key=strength)
