"""Finds the names of classes that a table has by number (0, 1, 2) or by machine name (/m/01g317)."""

import re

from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.model import decision
from app.worker.formats.table_headings import IMAGES, normalised_heading
from app.worker.formats.tree import Tree

MACHINE = re.compile(r"/[mg]/\S+")  # a class of Open Images
LETTER = re.compile(r"[^\W\d_]")
ABOUT_IMAGES = frozenset(IMAGES) - {"id", "name"}
WHOLE_NUMBER = re.compile(r"-?\d{1,9}(?:\.0+)?")
MAX_NAMES = 4 * 1024**2  # bytes of a table of class names


class NumberedClasses:
    """Looks names of numbered classes up in the other tables of a dataset, and in its list of names."""

    def __init__(self, tree: Tree, class_list: ClassList) -> None:
        self.tree, self.class_list = tree, class_list
        self.tables: list[tuple[str, dict[str, str]]] | None = None

    def names(self, labels: set[str]) -> dict[str, str]:
        """The names of these, from a table of two columns that has all of them, otherwise by number from the list of
        names.
        """
        coded = {label for label in labels if MACHINE.fullmatch(label) or WHOLE_NUMBER.fullmatch(label)}
        if not coded or coded != labels:
            return {}
        for path, names in self._all():
            renamed = {label: names.get(label, "") for label in labels}
            if len(set(renamed.values())) == len(renamed) and all(LETTER.search(name) for name in renamed.values()):
                self.class_list.decisions.append(decision("names_from_file", "names", file=printable_name(path)))
                return renamed
        listed = self.class_list.names or []
        numbers = {label: int(float(label)) for label in labels if WHOLE_NUMBER.fullmatch(label)}
        if len(numbers) == len(labels) and all(0 <= value < len(listed) for value in numbers.values()):
            return {label: listed[value] for label, value in numbers.items()}
        return {}

    def _all(self) -> list[tuple[str, dict[str, str]]]:
        """The tables of two columns, in both directions."""
        if self.tables is None:
            self.tables = []
            for path in self.tree["csv"]:
                if self.tree.size(path) <= MAX_NAMES:
                    table = CsvTable(self.tree, path)
                    if normalised_heading(next(iter(table.header), "")) in ABOUT_IMAGES:
                        continue  # one row per image: labels of a competition, not a list of classes
                    rows = [cells for _, cells in table.cells() if len(cells) == 2]
                    self.tables += [(path, dict(rows)), (path, {name: key for key, name in rows})]
        return self.tables
