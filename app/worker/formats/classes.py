"""The names of the classes: which file or field gives them, in which order."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.worker.formats.model import Decision, Options, Refused, decision
from app.worker.formats.names import (
    MAX_YAML,
    checked,
    keypoints_of,
    names_from_form,
    names_from_lines,
    names_of,
    read_yaml,
)
from app.worker.formats.paths import folder_of, join, shown
from app.worker.formats.tree import Tree

YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = ("obj.names", "classes.txt", "_darknet.labels", "labelmap.txt", "labels.txt", "predefined_classes.txt")
BESIDE = ("", "labels", "images", "labels/train", "images/train", "train", "Annotations", "annotations", "data")


def find_yaml(tree: Tree, root: str) -> str | None:
    """The data.yaml of a root, else of the nearest folder above it."""
    by_folder: dict[str, list[str]] = {}
    for path in tree["yaml"]:
        by_folder.setdefault(folder_of(path), []).append(path)
    while True:
        if here := by_folder.get(root):
            return min(here, key=lambda path: (rank_yaml(path), path))
        if not root:
            return None
        root = folder_of(root)


def rank_yaml(path: str) -> int:
    name = path.rpartition("/")[2].lower()
    return YAML_NAMES.index(name) if name in YAML_NAMES else len(YAML_NAMES)


def find_list(tree: Tree, root: str) -> str | None:
    """A file of class names of a root: obj.names, classes.txt …, else another *.names; in the root or just below."""
    present = {path.casefold(): path for path in [*tree["text"], *tree["list"]]}
    for folder in BESIDE:
        for name in LISTS:
            if found := present.get(join(root, folder, name).casefold()):
                return found
    others = [
        path for path in tree["list"] if path.endswith(".names") and folder_of(path) in {root, join(root, "data")}
    ]
    return others[0] if others else None


def listed_names(tree: Tree, path: str, options: Options) -> list[str] | None:
    """The names in such a file. CVAT's labelmap.txt says more in each line, behind a colon."""
    text = tree.text(path, MAX_YAML)
    if path.endswith("labelmap.txt"):
        lines = [line.partition(":")[0] for line in text.splitlines() if line.strip() and not line.startswith("#")]
        text = "\n".join(name for name in lines if name.strip() not in {"", "background"})
    return names_from_lines(text, options.max_classes, path)


class Known:
    """What files and form say about the classes before the labels are read.

    Attributes:
        list: the file of names that was read, beside data.yaml.
        names: in their order; None where nobody named them.
        document: data.yaml, as read.
        decisions: what was preferred to what.
    """

    def __init__(self, tree: Tree, root: str, options: Options) -> None:
        self.decisions: list[Decision] = []
        self.list: str | None = None
        self.document: Any = None
        self.yaml = find_yaml(tree, root)
        form, from_yaml = names_from_form(options.classes, options.max_classes), None
        if self.yaml:
            self.document = read_yaml(tree.bytes_of_yaml(self.yaml))
            from_yaml = names_of(self.document, options.max_classes)
            if isinstance(self.document, dict) and "download" in self.document:
                self.decisions.append(decision("download_ignored"))
        self.keypoints = keypoints_of(self.document)
        path = None if from_yaml else find_list(tree, root)
        from_list = listed_names(tree, path, options) if path else None
        if path and from_list:
            self.list = path
            self.decisions.append(decision("names_from_file", "names", file=shown(path)))
        self.from_files = from_yaml or from_list
        if self.from_files and form and self.from_files != form:
            if from_yaml:
                self.decisions.append(decision("form_names_ignored", "names"))
            else:
                self.decisions.append(decision("form_names_ignored_list", "names", file=shown(path or "")))
        self.names = self.from_files or form


def settle(known: list[str] | None, found: Iterable[str], options: Options) -> tuple[list[str], list[Decision]]:
    """The classes of a format whose objects carry names: in the known order, those that nobody listed behind them.

    Raises:
        Refused: none, too many, or one cannot be a name.
    """
    present = set(found)
    missing = sorted(present - set(known or []))
    if known is None:
        if not missing:
            raise Refused("no_objects")
        return checked(missing, options.max_classes, "annotations"), [
            decision("names_sorted", "names", count=len(missing))
        ]
    names = checked([*known, *missing], options.max_classes, "annotations")
    if not missing:
        return names, []
    return names, [decision("names_added", "names", names=shown(", ".join(missing[:20])), count=len(missing))]


def by_name(names: list[str]) -> Mapping[str, int]:
    """The number of each class; of two with one name the first."""
    return {name: number for number, name in reversed(list(enumerate(names)))}
