"""Determines the class names: from which file or field, in which order of precedence."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.core.encodings import TEXTS
from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import class_name_files
from app.worker.formats.class_name_files import LISTS, YAML_NAMES, rank_yaml
from app.worker.formats.class_names import MAX_YAML, check_names, keypoints_of, names_from_form, names_of, read_yaml
from app.worker.formats.model import Decision, InvalidInput, Options, decision
from app.worker.formats.paths import folder_of
from app.worker.formats.readings import reading
from app.worker.formats.tree import Tree

__all__ = ["LISTS", "YAML_NAMES", "ClassList", "index_by_name", "merge_names"]


class ClassList:
    """The class names listed in files and in the form, before the labels are read.

    Attributes:
        list: the list of names that was read, besides data.yaml.
        names: in order; None if nothing lists them.
        document: of data.yaml.
        decisions: on precedence.
    """

    def __init__(self, tree: Tree, root: str, options: Options) -> None:
        self.decisions: list[Decision] = []
        self.list: str | None = None
        self.document: Any = None
        chosen = options.chosen("encoding")
        tree.encodings = (chosen,) if chosen else TEXTS
        form = names_from_form(options.classes, options.max_classes)
        self.yaml, self.document, named = find_yaml(tree, root)
        from_yaml = names_of(self.document, options.max_classes) if named else None
        if isinstance(self.document, dict) and "download" in self.document:
            self.decisions.append(decision("download_ignored"))
        self.keypoints = keypoints_of(self.document)
        if from_yaml and self.yaml and (folder_of(self.yaml) != root or rank_yaml(self.yaml) == len(YAML_NAMES)):
            self.decisions.append(decision("names_from_file", "names", file=printable_name(self.yaml)))
        from_list = None if from_yaml else self.listed(tree, root, options)
        self.from_files = from_yaml or from_list
        if self.from_files and form and self.from_files != form:
            if from_yaml:
                self.decisions.append(decision("form_names_ignored", "names"))
            else:
                self.decisions.append(
                    decision("form_names_ignored_list", "names", file=printable_name(self.list or ""))
                )
        self.names = self.from_files or form or numbered_names(self.document, options.max_classes)
        self.report_encoding(tree, self.yaml if from_yaml else self.list, options)

    def listed(self, tree: Tree, root: str, options: Options) -> list[str] | None:
        """The names in the nearest file that lists them."""
        for path in class_name_files.lists(tree, root):
            usual = path.rpartition("/")[2].casefold() in class_name_files.LISTS
            if not usual and tree.size(path) > MAX_YAML:
                continue
            lines = class_name_files.lines_of(tree.reading(path, MAX_YAML), path)
            if lines and (usual or not class_name_files.unlike_names(lines, options.max_classes)):
                return self.use_names(path, check_names(lines, options.max_classes, printable_name(path)))
        for path in class_name_files.indices(tree, root):
            names = class_name_files.names_in_index(tree, path)
            if names:
                return self.use_names(path, check_names(names[0], options.max_classes, printable_name(path)))
        return None

    def use_names(self, path: str, names: list[str]) -> list[str]:
        self.list = path
        self.decisions.append(decision("names_from_file", "names", file=printable_name(path)))
        return names

    def report_encoding(self, tree: Tree, path: str | None, options: Options) -> None:
        """Report the detected encoding of a list of names that is not UTF-8."""
        if path is None:
            return
        text_reading = tree.reading(path, MAX_YAML)
        data = {"file": printable_name(path), "encoding": text_reading.encoding}
        if text_reading.encoding in TEXTS and (text_reading.alternatives or options.chosen("encoding")):
            alternatives = text_reading.alternatives or [name for name in TEXTS if name != text_reading.encoding]
            data["names"] = printable_name(", ".join(self.names or ()))
            self.decisions.append(reading("encoding", text_reading.encoding, alternatives, options, [], **data))
        elif not text_reading.encoding.startswith("utf-8"):
            self.decisions.append(decision("names_encoding", "names", **data))


def find_yaml(tree: Tree, root: str) -> tuple[str | None, Any, bool]:
    """The nearest YAML that lists classes, its document, and True; otherwise the nearest YAML, and False.

    Raises:
        InvalidInput: the only one, or data.yaml itself, cannot be read.
    """
    nearest: tuple[str | None, Any] = None, None
    for path in class_name_files.yamls(tree, root):
        if rank_yaml(path) < len(YAML_NAMES) and class_name_files.nearness(root)(path)[0] < 2:
            document = read_yaml(tree.bytes_of_yaml(path), tree.encodings)
            if document is not None and not isinstance(document, dict):
                raise InvalidInput("yaml_not_mapping")
        else:
            document = class_name_files.readable(tree, path)
        if isinstance(document, dict) and "names" not in document and (names := class_name_files.names_in(document)):
            document = document | {"names": names}
        if isinstance(document, dict) and document.get("names") is not None:
            document["names"] = class_name_files.names_elsewhere(tree, document["names"])
            return path, complete_document(document, nearest[1]), True
        if nearest[0] is None or (nearest[1] is None and document is not None):
            nearest = path, document
    return *nearest, False


def complete_document(document: JsonObject, nearer: Any) -> JsonObject:
    """A YAML with names, completed by the one nearer to the images."""
    more = nearer if isinstance(nearer, dict) else {}
    return {key: more[key] for key in ("train", "val", "test", "kpt_shape", "flip_idx") if key in more} | document


def numbered_names(document: Any, max_classes: int) -> list[str] | None:
    """class_0 … if a data.yaml has only their number."""
    return names_of(document, max_classes) if isinstance(document, dict) and "nc" in document else None


def merge_names(listed: list[str] | None, named: Iterable[str], options: Options) -> tuple[list[str], list[Decision]]:
    """The classes of a format whose objects have names: listed ones in order, then the others.

    Raises:
        InvalidInput: there are none, too many, or an invalid name.
    """
    present = set(named)
    missing = sorted(present - set(listed or []))
    if listed is None:
        if not missing:
            raise InvalidInput("no_objects")
        return check_names(missing, options.max_classes, "annotations"), [
            decision("names_sorted", "names", count=len(missing))
        ]
    names = check_names([*listed, *missing], options.max_classes, "annotations")
    if not missing:
        return names, []
    return names, [decision("names_added", "names", names=printable_name(", ".join(missing[:20])), count=len(missing))]


def index_by_name(names: list[str]) -> Mapping[str, int]:
    """The number of each class; of two with the same name, the first."""
    return {name: number for number, name in reversed(list(enumerate(names)))}
