"""Label Studio: its JSON with tasks, annotations and results, its JSON-MIN, and the CSV with the same in cells.

Coordinates are percentages of the image's sides; a box is rotated clockwise about its top left corner.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.worker.formats import mask_codecs
from app.worker.formats.classes import ClassList
from app.worker.formats.csv_table import CsvTable
from app.worker.formats.documents import FileFindings, dicts, text
from app.worker.formats.drafts import Draft, DraftShape, convert_drafts, flat, outline_shape
from app.worker.formats.geometry import Points, ellipse, number, side
from app.worker.formats.jsonstream import objects
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.model import DetectedDataset, Finding, InvalidInput, Options, Source, decision, finding
from app.worker.formats.paths import IMAGES, folder_of, suffix_of
from app.worker.formats.roots import by_root, split_in
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

LABELS = (
    "rectanglelabels",
    "polygonlabels",
    "ellipselabels",
    "brushlabels",
    "keypointlabels",
    "labels",
    "hypertextlabels",
)
CELLS = {"annotator", "annotation_id"}
ABOUT_REGION = {"choices", "textarea", "rating", "relation", "taxonomy", "number"}  # result types without a shape
ANSWERS = ("annotations", "completions")
ABOUT = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}


def is_entry(element: Any) -> bool:
    """Whether the first element of a JSON list is a task."""
    if not isinstance(element, dict):
        return False
    if isinstance(element.get("data"), dict) and any(
        isinstance(element.get(key), list) for key in (*ANSWERS, "predictions")
    ):
        return True
    if {"annotation_id", "annotator"} <= set(element):
        return True
    return any(is_region(item) for value in element.values() for item in dicts(value)[:1])


def is_region(item: JsonObject) -> bool:
    """Whether this is an object of JSON-MIN."""
    return "original_width" in item and bool({"x", "points", "rle"} & set(item))


def is_table(cells: set[str]) -> bool:
    """Whether these are the columns of its CSV."""
    return cells >= CELLS


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "label-studio")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    drafts: list[Draft] = []
    predicted = 0
    for path in detected.hint:
        file = LabelStudioFile(tree, path, detected.root, findings)
        drafts += file.read()
        predicted += file.predicted
    if predicted and not any(draft.shapes for draft in drafts):
        raise InvalidInput("predictions_only", count=predicted)
    if predicted:
        class_list.decisions.append(decision("predictions_left_out", None, None, count=predicted))
    return convert_drafts(tree, detected, options, drafts, class_list, findings)


class LabelStudioFile:
    """One export."""

    def __init__(self, tree: Tree, path: str, root: str, findings: list[Finding]) -> None:
        self.tree, self.path, self.root, self.findings = tree, path, root, findings
        self.notes = FileFindings(path, findings)
        self.split = split_in(path, root, with_name=True)
        self.line = 0  # number of the result in the file
        self.predicted = 0  # tasks with only a model's predictions

    def read(self) -> list[Draft]:
        """Its images with their objects."""
        drafts = []
        for element in self.elements():
            name = picture_of(element)
            image = self.tree.image(name, folder_of(self.path), self.split) if name else None
            if image is None:
                self.notes.missing(name or printable_name(str(element.get("id", ""))))
                continue
            if self.is_predicted(element):
                self.predicted += 1
                continue
            draft = Draft(image, self.split or split_in(image, self.root, False), self.path, None, relative=True)
            for result in self.results(element, image):
                self.line += 1
                self.add_result(result, draft)
            drafts.append(draft)
        self.notes.close()
        return drafts

    def elements(self) -> Iterator[JsonObject]:
        """The tasks."""
        if self.path not in self.tree["csv"]:
            yield from filter(None, objects(self.tree, self.path))
            return
        for _, row in CsvTable(self.tree, self.path).rows():
            yield {key: parsed(cell) for key, cell in row.items()}

    def is_predicted(self, element: JsonObject) -> bool:
        """Whether a task has only a model's predictions, and no annotation by a person."""
        return bool(dicts(element.get("predictions"))) and not answers_of(element)

    def results(self, element: JsonObject, image: str) -> list[JsonObject]:
        """The results of a task: of the chosen annotation, if several people annotated it."""
        if not isinstance(element.get("data"), dict):  # JSON-MIN
            return [item for value in element.values() for item in dicts(value) if is_region(item)]
        answers = answers_of(element)
        if not answers:
            return []
        if len(answers) > 1:
            self.findings.append(
                finding("warning", "annotations_several", self.path, None, of=image, count=len(answers) - 1)
            )
        chosen = next((entry for entry in answers if entry.get("ground_truth")), answers[0])
        return merged(dicts(chosen.get("result")))

    def add_result(self, result: JsonObject, draft: Draft) -> None:
        """Add the shape of a result, or a finding."""
        value = result.get("value")
        value = value if isinstance(value, dict) else result  # JSON-MIN has no nested value
        size = side(result.get("original_width")), side(result.get("original_height"))
        if all(size):
            draft.size = draft.size or size
        names = labels_of(value)
        kind = text(result.get("type"))
        if kind in ABOUT_REGION:
            return
        if not names:
            self.notes.unnamed(self.line, draft.image)
            return
        size = draft.size or image_size(self.tree.path(draft.image)) or (0, 0)
        try:
            shape = shape_of(value, names[0], size, self.line)
        except BadMask:
            self.notes.object("mask_unreadable", self.line, draft.image, name=printable_name(names[0]))
            return
        if shape:
            draft.shapes.append(shape)
        else:
            self.notes.unread(kind or "?", names[0], self.line, draft.image)


def answers_of(element: JsonObject) -> list[JsonObject]:
    """The annotations of a task, without skipped ones."""
    answers = [entry for key in ANSWERS for entry in dicts(element.get(key))]
    return [entry for entry in answers if not (entry.get("was_cancelled") or entry.get("skipped"))]


def parsed(cell: str) -> Any:
    """The value of a cell: JSON if it looks like it."""
    if cell[:1] in {"[", "{"}:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def picture_of(element: JsonObject) -> str:
    """The image of a task: the string in its data with an image suffix."""
    data = element.get("data")
    values = data if isinstance(data, dict) else {key: v for key, v in element.items() if key not in ABOUT}
    texts = [(key, value) for key, value in values.items() if isinstance(value, str)]
    ends = [value for _, value in texts if suffix_of(value.partition("?")[0]) in IMAGES or "?d=" in value]
    usual = [value for key, value in texts if key in {"image", "img", "photo", "url"}]
    upload = element.get("file_upload")
    return next(iter([*ends, *usual]), upload if isinstance(upload, str) else "")


def merged(results: list[JsonObject]) -> list[JsonObject]:
    """One result per object: shape and class may be two results with the same id (Rectangle and Labels)."""
    by_id: dict[Any, JsonObject] = {}
    rest: list[JsonObject] = []
    for result in results:
        key = result.get("id")
        value = result.get("value")
        if not isinstance(key, str) or not isinstance(value, dict):
            rest.append(result)
        elif key in by_id and text(by_id[key].get("type")) in ABOUT_REGION:
            by_id[key].update(result)  # results of a region may precede it
        elif key in by_id:
            first = by_id[key]["value"]
            by_id[key]["value"] = {**(first if isinstance(first, dict) else {}), **labels_in(value)}
        else:
            by_id[key] = dict(result)
            rest.append(by_id[key])
    return rest


def labels_in(value: JsonObject) -> JsonObject:
    """The keys of a result that have its class."""
    return {name: value[name] for name in LABELS if name in value}


def labels_of(value: JsonObject) -> list[str]:
    for key in LABELS:
        names = value.get(key)
        if isinstance(names, list):
            return [name for item in names if (name := text(item))]
    return []


def shape_of(value: JsonObject, name: str, size: tuple[int, int], line: int) -> DraftShape | None:
    """An object's shape in pixels; None for one that YOLO does not support."""
    across, down = size[0] / 100, size[1] / 100
    if value.get("format") == "rle" or "rle" in value:
        parts = mask_codecs.outlines(mask_codecs.from_brush(value.get("rle"), *size))
        if not parts:
            raise BadMask("empty")
        return outline_shape(name, parts, line)
    if isinstance(pairs := value.get("points"), list):
        points = [
            (number(pair[0]) * across, number(pair[1]) * down)
            for pair in pairs
            if isinstance(pair, list) and len(pair) > 1
        ]
        return outline_shape(name, [points], line) if len(points) > 2 else None
    x, y = number(value.get("x")) * across, number(value.get("y")) * down
    degrees = number(value.get("rotation") or 0)
    if "radiusX" in value:
        radii = number(value.get("radiusX")) * across, number(value.get("radiusY")) * down
        return outline_shape(name, [ellipse(x, y, *radii, degrees)], line)
    if "width" not in value or "keypointlabels" in value:
        return None
    width, height = number(value.get("width")) * across, number(value.get("height")) * down
    if not degrees % 360 or not math.isfinite(degrees):
        return DraftShape("box", name, (x, y, x + width, y + height), line)
    return DraftShape("turned", name, flat(rotated_about_corner(x, y, width, height, degrees)), line)


def rotated_about_corner(x: float, y: float, width: float, height: float, degrees: float) -> Points:
    """The corners of a box that is rotated clockwise about its top left corner."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners]
