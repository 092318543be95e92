"""JSON lines: Labelbox's export (also as a JSON list), and ultralytics' NDJSON."""

from collections.abc import Iterator
from typing import Any

from app.core.json_object import JsonObject
from app.worker.formats.classes import ClassList
from app.worker.formats.documents import FileFindings, dicts, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, flat, outline_shape
from app.worker.formats.geometry import Points, number, side
from app.worker.formats.jsonstream import objects
from app.worker.formats.model import DetectedDataset, Finding, Options, Source
from app.worker.formats.paths import folder_of, split_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.tree import Tree

MOST_CLASSES = 100_000


def is_entry(element: Any) -> bool:
    """Whether the first element of a JSON list, or the first line, is Labelbox's."""
    return isinstance(element, dict) and (
        {"data_row", "projects"} <= set(element) or {"Labeled Data", "Label"} <= set(element)
    )


def is_ultralytics(element: Any) -> bool:
    """Whether the first line is the header of an ultralytics dataset."""
    return (
        isinstance(element, dict) and element.get("type") == "dataset" and bool({"class_names", "task"} & set(element))
    )


def detect_labelbox(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "labelbox")


def detect_ultralytics(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "ultralytics")


def read_labelbox(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Labelbox's dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: list[Draft] = []
    for path in detected.hint:
        drafts += Labelbox(tree, path, detected.root, findings).read()
    return convert_drafts(tree, detected, options, drafts, class_list, findings)


class Labelbox:
    """One export."""

    def __init__(self, tree: Tree, path: str, root: str, findings: list[Finding]) -> None:
        self.tree, self.path, self.root = tree, path, root
        self.notes = FileFindings(path, findings)
        self.line = 0  # number of the object in the file

    def read(self) -> list[Draft]:
        drafts = []
        for element in objects(self.tree, self.path):
            row = element.get("data_row")
            row = row if isinstance(row, dict) else {}
            names = [
                text(value)
                for value in (
                    row.get("external_id"),
                    row.get("global_key"),
                    row.get("row_data"),
                    element.get("External ID"),
                    element.get("Labeled Data"),
                )
            ]
            names = [name for name in names if name]
            hits = (self.tree.image(name, folder_of(self.path)) for name in names)
            image = next((hit for hit in hits if hit), None)
            elements = list(labelbox_objects(element))
            if image is None:
                self.line += len(elements)
                self.notes.missing(names[0] if names else "")
                continue
            media = element.get("media_attributes")
            media = media if isinstance(media, dict) else {}
            size = side(media.get("width")), side(media.get("height"))
            split = split_of(text(row_split(element))) or split_in(image, self.root, False)
            draft = Draft(image, split, self.path, size if all(size) else None)
            for entry in elements:
                self.line += 1
                self.add_object(entry, draft)
            drafts.append(draft)
        self.notes.close()
        return drafts

    def add_object(self, entry: JsonObject, draft: Draft) -> None:
        """Add the shape of one object, or a finding."""
        name = text(entry.get("name") or entry.get("title") or entry.get("value"))
        if not name:
            self.notes.unnamed(self.line, draft.image)
        elif shape := labelbox_shape(entry, name, self.line):
            draft.shapes.append(shape)
        else:
            kind = text(entry.get("annotation_kind")) or next((k for k in ("mask", "point", "line") if k in entry), "")
            self.notes.unread(kind, name, self.line, draft.image)


def row_split(element: JsonObject) -> Any:
    """The split of a data row, from its details or a metadata field."""
    for project in as_dicts(element.get("projects")):
        details = project.get("project_details")
        if isinstance(details, dict) and "data_split" in details:
            return details["data_split"]
    for entry in dicts(element.get("metadata_fields")):
        if entry.get("schema_name") == "split":
            return entry.get("value")
    return element.get("Dataset split")


def as_dicts(value: Any) -> list[JsonObject]:
    return dicts(list(value.values())) if isinstance(value, dict) else []


def labelbox_objects(element: JsonObject) -> Iterator[JsonObject]:
    """The objects of an image: for each project those of the first label, which is the newest; in old exports, their
    own.
    """
    for project in as_dicts(element.get("projects")):
        for label in dicts(project.get("labels"))[:1]:
            annotations = label.get("annotations")
            yield from dicts(annotations.get("objects") if isinstance(annotations, dict) else None)
    old = element.get("Label")
    if isinstance(old, dict):
        yield from dicts(old.get("objects"))


def labelbox_shape(entry: JsonObject, name: str, line: int) -> DraftShape | None:
    box = entry.get("bounding_box") or entry.get("bbox")
    if isinstance(box, dict):
        left, top, width, height = (number(box.get(key)) for key in ("left", "top", "width", "height"))
        return DraftShape("box", name, (left, top, left + width, top + height), line)
    points = [(number(point.get("x")), number(point.get("y"))) for point in dicts(entry.get("polygon"))]
    return outline_shape(name, [points], line) if len(points) > 2 else None


def read_ultralytics(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root; its rows are YOLO's, in fractions."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: list[Draft] = []
    names: list[str] = []
    for path in detected.hint:
        drafts += Ultralytics(tree, path, detected.root, findings, names).read()
    return convert_drafts(tree, detected, options, drafts, class_list, findings, names or None)


class Ultralytics:
    """One file: a line about the dataset, then one per image."""

    def __init__(self, tree: Tree, path: str, root: str, findings: list[Finding], names: list[str]) -> None:
        self.tree, self.path, self.root, self.names = tree, path, root, names
        self.notes = FileFindings(path, findings)
        self.file_names: dict[int, str] = {}
        self.marks = 3  # numbers per keypoint
        self.line = 0

    def read(self) -> list[Draft]:
        drafts = []
        for element in objects(self.tree, self.path):
            if element.get("type") == "dataset":
                self.heading(element)
            elif draft := self.image(element):
                drafts.append(draft)
        self.notes.close()
        return drafts

    def heading(self, element: JsonObject) -> None:
        listed = element.get("class_names")
        for key, name in listed.items() if isinstance(listed, dict) else []:
            if key.isascii() and key.isdigit() and len(key) < 7 and text(name):
                self.file_names[int(key)] = text(name)
        self.names += [name for _, name in sorted(self.file_names.items()) if name not in self.names]
        shape = element.get("kpt_shape")
        if isinstance(shape, list) and len(shape) == 2 and shape[1] in {2, 3}:
            self.marks = shape[1]

    def image(self, element: JsonObject) -> Draft | None:
        name = text(element.get("file"))
        split = split_of(text(element.get("split")))
        image = self.tree.image(name, folder_of(self.path), split) if name else None
        if image is None:
            self.notes.missing(name)
            return None
        size = side(element.get("width")), side(element.get("height"))
        draft = Draft(image, split, self.path, size if all(size) else None, fractions=True)
        values = element.get("annotations")
        for kind, rows in values.items() if isinstance(values, dict) else []:
            for row in rows if isinstance(rows, list) else []:
                self.line += 1
                self.add_row(kind, row, draft)
        return draft

    def add_row(self, kind: str, row: Any, draft: Draft) -> None:
        """Add a row: the class and its numbers."""
        if kind == "classification":
            return
        numbers = [number(value) for value in row] if isinstance(row, list) else []
        kind_of = int(numbers[0]) if numbers and 0 <= numbers[0] < MOST_CLASSES else -1
        name = self.file_names.get(kind_of, f"class{kind_of}") if kind_of >= 0 else ""
        if not name:
            self.notes.unnamed(self.line, draft.image)
        elif shape := self.shape(kind, name, numbers[1:]):
            draft.shapes.append(shape)
        else:
            self.notes.unread(kind, name, self.line, draft.image)

    def shape(self, kind: str, name: str, numbers: list[float]) -> DraftShape | None:
        points: Points = list(zip(numbers[::2], numbers[1::2], strict=False))
        if kind == "boxes" and len(numbers) == 4:
            return DraftShape("box", name, corners_around(numbers), self.line)
        if kind == "obb" and len(points) == 4:
            return DraftShape("turned", name, flat(points), self.line)
        if kind == "segments" and len(points) > 2:
            return outline_shape(name, [points], self.line)
        if kind in {"pose", "keypoints"} and len(numbers) > 4:
            rest = [numbers[at : at + self.marks] for at in range(4, len(numbers) - self.marks + 1, self.marks)]
            marks = tuple((p[0], p[1], visibility_of(p[2]) if len(p) > 2 else 2 * bool(p[0] or p[1])) for p in rest)
            return DraftShape("pose", name, corners_around(numbers), self.line, marks)
        return None


def visibility_of(value: float) -> int:
    return int(value) if value in {0.0, 1.0, 2.0} else 0


def corners_around(numbers: list[float]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom from center and size."""
    x, y, width, height = numbers[:4]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
