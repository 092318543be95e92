"""COCO JSON: one file for many images, several files for the splits. Read twice as a stream: images and classes first,
wherever they are in the file, then the objects.
"""

from collections import Counter

from app.core.names import printable_name
from app.core.report import Decision, Keypoints
from app.worker.formats.class_names import MAX_KEYPOINTS
from app.worker.formats.classes import ClassList, merge_names
from app.worker.formats.coco_coordinates import Coordinates, infer_coordinates
from app.worker.formats.coco_file import CocoFile, annotations, ids_as_text, lookup, survey_file
from app.worker.formats.coco_objects import CocoObjects
from app.worker.formats.coco_union import Union
from app.worker.formats.drafts import create_source
from app.worker.formats.keypoints import described
from app.worker.formats.model import (
    DetectedDataset,
    Finding,
    InvalidInput,
    Item,
    Options,
    Row,
    Source,
    decision,
    task_decision,
)
from app.worker.formats.paths import split_of, stem_of
from app.worker.formats.roots import WORDS, by_root
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

NO_BOXES = ("captions", "panoptic", "stuff", "image_info", "unlabeled")


def detect(tree: Tree, paths: list[str]) -> list[DetectedDataset]:
    return by_root(tree, paths, "coco")


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    paths, decisions = choose_files(detected.hint, options)
    pictures: dict[str, Item] = {}
    files = [survey_file(tree, path, detected.root, pictures, findings) for path in paths]
    names, reported = class_names(files, class_list, options)
    total = sum((file.survey.counts for file in files), Counter[str]())
    keypoints = keypoints_of(files) if total["pose"] and options.task in {"auto", "pose"} else None
    task, chosen = choose_task(total, keypoints, options.task)
    reported += [decision("ids_as_text", file=printable_name(file.path)) for file in files if ids_as_text(file)]
    decisions = class_list.decisions + decisions + reported + chosen
    numbers = {name: number for number, name in enumerate(names)}
    coordinates, coordinate_decisions = infer_coordinates(tree, files, numbers, options)
    decisions += coordinate_decisions
    union = Union(task == "pose")
    for file in files:
        items = {item.image: item for item, _ in file.images.values()}.values()
        union.begin(items)
        convert(tree, file, task, numbers, keypoints, findings, coordinates)
        union.end(file.path, items, file.repeated)
    decisions += union.decisions()
    source = create_source(tree, detected, task, names, list(pictures.values()), decisions, findings)
    source.keypoints = keypoints if task == "pose" else None
    return source


def choose_files(paths: list[str], options: Options) -> tuple[list[str], list[Decision]]:
    """Among COCO's files for the same images, those with boxes, or with keypoints for poses."""
    kinds = {path: kind_of(path) for path in paths}
    present = set(kinds.values())
    drop = {kind for kind in NO_BOXES if kind in present}
    if {"instances", "person_keypoints"} <= present:
        drop.add("instances" if options.task == "pose" else "person_keypoints")
    chosen = [path for path in paths if kinds[path] not in drop]
    if not chosen or len(chosen) == len(paths):
        return paths, []
    omitted = ", ".join(printable_name(path) for path in paths if path not in chosen)
    return chosen, [decision("files_chosen", "task", ["detect", "segment", "pose"], files=omitted)]


def kind_of(path: str) -> str:
    """ "instances" of annotations/instances_train2017.json."""
    words = stem_of(path.rpartition("/")[2]).translate(WORDS).split()
    return "_".join(word.casefold() for word in words if not split_of(word))


def class_names(files: list[CocoFile], class_list: ClassList, options: Options) -> tuple[list[str], list[Decision]]:
    """The classes of all files by name, in the order of their ids; without Roboflow's supercategory."""
    used = Counter[str]()
    for file in files:
        for key, count in file.survey.classes.items():
            used[lookup(file.categories, key) or ""] += count
    del used[""]
    names = list(dict.fromkeys(name for file in files for name in file.categories.values() if name))
    headings = {
        name
        for file in files
        if file.path.endswith("_annotations.coco.json")
        for key, name in file.categories.items()
        if key == 0 and name in file.supers and not used[name]
    }
    decisions = []
    if headings and len(names) > len(headings):
        names = [name for name in names if name not in headings]
        decisions.append(decision("heading_dropped", names=printable_name(", ".join(sorted(headings)))))
    names, of_classes = merge_names(names or class_list.names, used, options)
    if class_list.names and class_list.names != names:
        decisions.append(decision("annotation_names", "names"))
    return names, decisions + of_classes


def keypoints_of(files: list[CocoFile]) -> Keypoints | None:
    """kpt_shape from the classes' lists or the longest object, and flip_idx from left and right in the names."""
    lists = [points for file in files for points in file.keypoints.values()]
    count = max([len(points) for points in lists] or [max(file.survey.keypoints for file in files)])
    if not 0 < count <= MAX_KEYPOINTS:
        return None
    return described(count, next((points for points in lists if len(points) == count), []))


def choose_task(counts: Counter[str], keypoints: Keypoints | None, requested: str) -> tuple[str, list[Decision]]:
    """Keypoints; otherwise polygons, if all objects have some that are more than their box; otherwise boxes.

    Raises:
        InvalidInput: keypoints were requested, and there are none.
    """
    if requested == "pose" and keypoints is None:
        raise InvalidInput("pose_missing")
    kinds = (
        ["detect"] + ["segment"] * bool(counts["polygon"]) + ["pose"] * (keypoints is not None or counts["pose"] > 0)
    )
    if requested != "auto":
        return requested, [task_decision(requested, kinds)]
    if keypoints:
        return "pose", [decision("task_found", "task", kinds, task="pose")]
    if counts["polygon"] and not counts["box"]:
        return "segment", [decision("task_found", "task", kinds, task="segment")]
    if counts["polygon"]:
        data = {"boxes": counts["box"], "polygons": counts["polygon"]}
        return "detect", [decision("shapes_mixed", "task", kinds, **data)]
    return "detect", []


def convert(
    tree: Tree,
    file: CocoFile,
    task: str,
    numbers: dict[str, int],
    keypoints: Keypoints | None,
    findings: list[Finding],
    coordinates: Coordinates,
) -> None:
    """The second pass: converts each object to a row of its image."""
    sizes: dict[str, tuple[int, int] | None] = {}
    objects = CocoObjects(file.path, task, keypoints["kpt_shape"][0] if keypoints else 0, findings, coordinates)
    for line, element in annotations(tree, file):
        entry = file.image(element.get("image_id"))
        if entry is None:
            if not file.has_lost(element.get("image_id")):
                objects.note("object_no_image", line, id=printable_name(str(element.get("image_id"))))
            continue
        item, size = entry
        if not all(size):
            if item.image not in sizes:
                sizes[item.image] = image_size(tree.path(item.image))
            size = sizes[item.image] or (0, 0)
        key = element.get("category_id")
        name = lookup(file.categories, key)
        if not all(size):
            objects.note("size_unknown", line, "error", of=item.image, image=printable_name(item.image))
        elif not name:
            objects.note("object_unnamed", line, of=item.image, name="")
        else:
            rows: list[Row] = item.rows if item.rows is not None else []
            objects.convert(element, line, item.image, size, numbers[name], name, rows)
