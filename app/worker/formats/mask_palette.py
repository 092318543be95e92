"""Maps values of a mask's pixels to classes: by labelmap.txt (CVAT, VOC) or a color table (CamVid), otherwise by the
index in the list of names; a mask of black and one other value has a single class.
"""

import re

from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.mask_pixels import COLOURED
from app.worker.formats.model import Decision, InvalidInput, decision
from app.worker.formats.paths import below
from app.worker.formats.tree import Tree

BACKGROUND = frozenset({"background", "_background_", "__ignore__", "unlabeled", "void", "ignore", "bg", "none"})
EDGE = {255, COLOURED + 0xE0E0C0}  # the border of objects in VOC
BLACK = {0, COLOURED}
OBJECT_CLASS = "object"
MOST = 1000  # values over all masks
MOST_UNNAMED = 256  # unnamed values: more are not classes
MAX_FILE = 1 << 20  # bytes of a file with colors


class Palette:
    """The class of each pixel value.

    Attributes:
        names: by value; None or missing: background.
        order: the classes, if a file lists them.
    """

    def __init__(self, tree: Tree, root: str, class_list: ClassList) -> None:
        self.class_list = class_list
        self.decisions: list[Decision] = []
        self.order: list[str] = []
        self.names: dict[int, str | None] = {}
        self.colours = self._listed(tree, root)

    def _listed(self, tree: Tree, root: str) -> dict[int, str]:
        """Names by color, from the first file that has some."""
        maps = [path for path in tree["text"] if path.rpartition("/")[2].casefold() == "labelmap.txt"]
        for path in [*maps, *tree["csv"]]:
            if below(path, root) and tree.size(path) <= MAX_FILE:
                colours = colours_of_table(tree, path) if path in tree["csv"] else colours_of_labelmap(tree, path)
                if colours:
                    self.decisions.append(decision("names_from_file", "names", file=printable_name(path)))
                    names = dict.fromkeys(colours.values())
                    self.order = [name for name in names if name.casefold() not in BACKGROUND]
                    return colours
        return {}

    def assign_classes(self, present: set[int], palette: list[int] | None) -> None:
        """Assign classes to the values in the masks; `palette`: the colors of indexes, see `mask_pixels.palette_of`.

        Raises:
            InvalidInput: there are more values than classes allowed.
        """
        if len(present) > MOST:
            raise InvalidInput("mask_values", count=len(present))
        colours = {value for value in present if value >= COLOURED}
        if self.colours and palette and not colours:  # masks of CVAT and VOC have the colors in a palette
            colours_by_number = {value: palette[value] for value in present if value < len(palette)}
            self.names = {value: self.colours.get(colour) for value, colour in colours_by_number.items()}
        elif self.colours and (colours - BLACK or not present - colours - BLACK - EDGE):
            self.names = {value: self.colours.get(value) for value in present}
            grey = {value: COLOURED + value * 0x010101 for value in present - colours}
            self.names |= {value: self.colours.get(colour) for value, colour in grey.items()}
        elif self.colours:  # a palette without these colors: values are indexes in the list
            listed = list(self.colours.values())
            self.names = {value: listed[value] for value in present if value < len(listed)}
        else:
            self._by_number(present - BLACK - edges_in(present, len(self.class_list.names or ())))
        for value, name in self.names.items():
            if name is not None and name.casefold() in BACKGROUND:
                self.names[value] = None

    def _by_number(self, objects: set[int]) -> None:
        """Black is the background; values are indexes in the list of names, after a background."""
        listed = self.class_list.names or []
        shift = 0 if listed and listed[0].casefold() in BACKGROUND else 1
        if len(objects) == 1 and len(listed) < 2:
            self.names = dict.fromkeys(objects, listed[0] if listed else OBJECT_CLASS)
            if not listed:
                self.decisions.append(decision("class_of_all", "names", name=OBJECT_CLASS))
        elif listed and max(objects, default=0) - shift < len(listed):
            self.names = {value: listed[value - shift] for value in objects}
            self.order = [name for name in listed if name.casefold() not in BACKGROUND]
        elif len(objects) > MOST_UNNAMED:
            raise InvalidInput("mask_values", count=len(objects))
        else:
            self.names = {value: numbered(value) for value in objects}
            self.order = [name for _, name in sorted(self.names.items()) if name]
            self.decisions.append(decision("mask_names", "names", count=len(objects)))


def edges_in(present: set[int], listed: int = 0) -> set[int]:
    """The values for the border of objects. 255 is not one if it is the only value, or the last of values that are
    spread over the range (0, 128, 255) or exceed it.

    Args:
        listed: the number of listed names: values below it are not spread.
    """
    classes = present - BLACK - EDGE
    if not classes:
        return set()
    greys = [value for value in classes if value < COLOURED]
    last = max(greys, default=0)
    spread = last > max(60, listed) and 4 * len(greys) < last
    return EDGE - {255} if spread or last >= 254 else EDGE


def numbered(value: int) -> str:
    return f"class_{value}" if value < COLOURED else f"class_{value - COLOURED:06x}"


def colours_of_labelmap(tree: Tree, path: str) -> dict[int, str]:
    """Names by color from `name:red,green,blue:parts:actions`."""
    colours = {}
    for line in tree.text(path, MAX_FILE).splitlines():
        name, _, rest = line.partition(":")
        if not line.startswith("#") and (colour := colour_of(rest.partition(":")[0])) is not None:
            colours[colour] = name.strip()
    return colours


def colours_of_table(tree: Tree, path: str) -> dict[int, str]:
    """Names by color from a table with name, r, g, b."""
    try:
        table = CsvTable(tree, path)
        cells = [cell.casefold() for cell in table.header]
        named = next((index for index, cell in enumerate(cells) if cell in {"name", "class", "label"}), None)
        if named is None or not {"r", "g", "b"} <= set(cells):
            return {}
        indices = [cells.index(part) for part in "rgb"]
        colours = {}
        for _, row in list(table.cells())[1:]:
            colour = colour_of(",".join(row[index] for index in indices if index < len(row)))
            if colour is not None and named < len(row):
                colours[colour] = row[named]
    except InvalidInput:
        return {}
    return colours


def colour_of(text: str) -> int | None:
    """The value of a color "red,green,blue"."""
    numbers = [int(part) for part in re.findall(r"\d{1,3}", text)]
    if len(numbers) != 3 or max(numbers) > 255 or not re.fullmatch(r"[\d\s,;]+", text):
        return None
    return COLOURED + (numbers[0] << 16) + (numbers[1] << 8) + numbers[2]
