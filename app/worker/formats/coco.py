"""COCO JSON: one file for many images, several files for the splits. Read twice as a stream: pictures and classes
first, wherever they stand in the file, then the objects."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.worker.formats.boxes import judge
from app.worker.formats.classes import Known, settle
from app.worker.formats.coco_objects import Objects, Places, Survey, box_of, tidy
from app.worker.formats.coco_union import Union
from app.worker.formats.draft_boxes import are_fractions, tell_boxes
from app.worker.formats.drafts import finished
from app.worker.formats.frames import Claim, Fitting, measure
from app.worker.formats.geometry import Box, side
from app.worker.formats.items import item_name
from app.worker.formats.jsonstream import walk
from app.worker.formats.keypoints import described
from app.worker.formats.model import (
    Decision,
    Finding,
    Found,
    Item,
    Options,
    Refused,
    Row,
    Source,
    decision,
    finding,
    task_wished,
)
from app.worker.formats.names import MAX_KEYPOINTS
from app.worker.formats.paths import folder_of, shown, split_of, stem_of
from app.worker.formats.roots import WORDS, by_root, split_in
from app.worker.formats.sizes import image_size
from app.worker.formats.tree import Tree

LISTS = {"images", "annotations", "categories"}
NO_BOXES = ("captions", "panoptic", "stuff", "image_info", "unlabeled")


@dataclass
class File:
    """What one file says beside its objects."""

    path: str
    split: str | None
    images: dict[Any, tuple[Item, tuple[int, int]]] = field(default_factory=dict)  # by image id
    own: set[str] = field(default_factory=set)  # paths of its images
    repeated: set[str] = field(default_factory=set)  # those that an earlier file has
    lost: dict[Any, str] = field(default_factory=dict)  # ids of images that are missing
    categories: dict[Any, str] = field(default_factory=dict)  # id → name, by id
    supers: set[str] = field(default_factory=set)
    keypoints: dict[Any, list[str]] = field(default_factory=dict)  # category id → names of its keypoints
    survey: Survey = field(default_factory=Survey)


def detect(tree: Tree, paths: list[str]) -> list[Found]:
    return by_root(tree, paths, "coco")


def read(tree: Tree, found: Found, options: Options) -> Source:
    """The dataset at a root."""
    known, findings = Known(tree, found.root, options), list[Finding]()
    paths, decisions = choose_files(found.hint, options)
    pictures: dict[str, Item] = {}
    files = [survey(tree, path, found.root, pictures, findings) for path in paths]
    names, told = class_names(files, known, options)
    total = sum((file.survey.counts for file in files), Counter[str]())
    keypoints = keypoints_of(files) if total["pose"] and options.task in {"auto", "pose"} else None
    task, chosen = choose_task(total, keypoints, options.task)
    told += [decision("ids_as_text", file=shown(file.path)) for file in files if ids_as_text(file)]
    decisions = known.decisions + decisions + told + chosen
    numbers = {name: number for number, name in enumerate(names)}
    places, placed = places_of(tree, files, numbers, options)
    decisions += placed
    union = Union(task == "pose")
    for file in files:
        items = {item.image: item for item, _ in file.images.values()}.values()
        union.begin(items)
        convert(tree, file, task, numbers, keypoints, findings, places)
        union.end(file.path, items, file.repeated)
    decisions += union.decisions()
    source = finished(tree, found, task, names, list(pictures.values()), decisions, findings)
    source.keypoints = keypoints if task == "pose" else None
    return source


def choose_files(paths: list[str], options: Options) -> tuple[list[str], list[Decision]]:
    """Of the files that COCO gives for the same images the one with boxes, or with keypoints for poses."""
    kinds = {path: kind_of(path) for path in paths}
    present = set(kinds.values())
    drop = {kind for kind in NO_BOXES if kind in present}
    if {"instances", "person_keypoints"} <= present:
        drop.add("instances" if options.task == "pose" else "person_keypoints")
    kept = [path for path in paths if kinds[path] not in drop]
    if not kept or len(kept) == len(paths):
        return paths, []
    left = ", ".join(shown(path) for path in paths if path not in kept)
    return kept, [decision("files_chosen", "task", ["detect", "segment", "pose"], files=left)]


def kind_of(path: str) -> str:
    """ "instances" of annotations/instances_train2017.json."""
    words = stem_of(path.rpartition("/")[2]).translate(WORDS).split()
    return "_".join(word.casefold() for word in words if not split_of(word))


def survey(tree: Tree, path: str, root: str, pictures: dict[str, Item], findings: list[Finding]) -> File:
    """The first pass: images, classes, and of what kind the objects are."""
    file = File(path, split_in(path, root, with_name=True))
    for key, element in walk(tree.path(path), path, LISTS):
        if key == "annotations" and isinstance(element, dict):
            file.survey.add(tidy(element))
        elif key == "categories" and isinstance(element, dict):
            add_category(file, element)
        elif key == "images" and isinstance(element, dict):
            add_image(tree, file, element, root, pictures, findings)
    file.categories = dict(sorted(file.categories.items(), key=lambda pair: order(pair[0])))
    return file


def order(key: Any) -> tuple[bool, Any]:
    """Numbers before texts."""
    return (isinstance(key, str), key)


def add_category(file: File, element: dict[str, Any]) -> None:
    key, name = element.get("id"), element.get("name")
    if isinstance(key, int | str) and isinstance(name, str):
        file.categories[key] = name.strip()
        above = element.get("supercategory")
        if isinstance(above, str):
            file.supers.add(above.strip())
        points = element.get("keypoints")
        if isinstance(points, list) and 0 < len(points) <= MAX_KEYPOINTS:
            file.keypoints[key] = [str(point) for point in points]


def add_image(
    tree: Tree, file: File, element: dict[str, Any], root: str, pictures: dict[str, Item], findings: list[Finding]
) -> None:
    """An image of the file; an image that the source does not have is noted, one that came before is the same one."""
    key, name = element.get("id"), element.get("file_name") or element.get("coco_url")
    if not isinstance(key, int | str):
        return
    path = tree.image(name, folder_of(file.path), file.split) if isinstance(name, str) else None
    if path is None:
        file.lost[key] = shown(str(name or ""))
        findings.append(finding("warning", "image_missing", file.path, None, image=file.lost[key]))
        return
    size = (side(element.get("width")), side(element.get("height")))
    item = pictures.get(path)
    if item is not None and path not in file.own:
        file.repeated.add(path)
        item.split = item.split or file.split
    if item is not None and (path in file.own or file.split not in {None, item.split}):
        first = file.path if path in file.own else item.split
        findings.append(finding("warning", "image_repeated", file.path, None, of=path, image=shown(path), first=first))
    elif item is None:
        below = path[len(root) + 1 :] if root and path.startswith(f"{root}/") else path
        split = file.split or split_in(path, root, False)
        item = Item(path, item_name(below), split, rows=[], size=size if all(size) else None)
    file.own.add(path)
    pictures[path] = item
    file.images[key] = (item, size if all(size) else (0, 0))


def class_names(files: list[File], known: Known, options: Options) -> tuple[list[str], list[Decision]]:
    """The classes of all files by name, in the order of their ids; without the heading that Roboflow adds to them."""
    used = Counter[str]()
    for file in files:
        for key, count in file.survey.classes.items():
            used[found_by(file.categories, key) or ""] += count
    del used[""]
    names = list(dict.fromkeys(name for file in files for name in file.categories.values() if name))
    headings = {
        name for file in files if file.path.endswith("_annotations.coco.json")
        for key, name in file.categories.items() if key == 0 and name in file.supers and not used[name]
    }  # fmt: skip
    decisions = []
    if headings and len(names) > len(headings):
        names = [name for name in names if name not in headings]
        decisions.append(decision("heading_dropped", names=shown(", ".join(sorted(headings)))))
    names, told = settle(names or known.names, used, options)
    if known.names and known.names != names:
        decisions.append(decision("annotation_names", "names"))
    return names, decisions + told


def keypoints_of(files: list[File]) -> dict[str, Any] | None:
    """kpt_shape by the classes' lists or the longest object, and flip_idx by left and right in the names."""
    lists = [points for file in files for points in file.keypoints.values()]
    count = max([len(points) for points in lists] or [max(file.survey.keypoints for file in files)])
    if not 0 < count <= MAX_KEYPOINTS:
        return None
    return described(count, next((points for points in lists if len(points) == count), []))


def choose_task(counts: Counter[str], keypoints: dict[str, Any] | None, asked: str) -> tuple[str, list[Decision]]:
    """Keypoints, else polygons where all objects have some that are more than their box, else boxes.

    Raises:
        Refused: keypoints were asked for, and there are none.
    """
    if asked == "pose" and keypoints is None:
        raise Refused("pose_missing")
    kinds = (
        ["detect"] + ["segment"] * bool(counts["polygon"]) + ["pose"] * (keypoints is not None or counts["pose"] > 0)
    )
    if asked != "auto":
        return asked, [task_wished(asked, kinds)]
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
    file: File,
    task: str,
    numbers: dict[str, int],
    keypoints: dict[str, Any] | None,
    findings: list[Finding],
    places: Places,
) -> None:
    """The second pass: each object a row of its image."""
    sizes: dict[str, tuple[int, int] | None] = {}
    objects = Objects(file.path, task, keypoints["kpt_shape"][0] if keypoints else 0, findings, places)
    for line, element in annotations(tree, file):
        entry = found_by(file.images, element.get("image_id"))
        if entry is None:
            if found_by(file.lost, element.get("image_id")) is None:
                objects.note("object_no_image", line, id=shown(str(element.get("image_id"))))
            continue
        item, size = entry
        if not all(size):
            if item.image not in sizes:
                sizes[item.image] = image_size(tree.path(item.image))
            size = sizes[item.image] or (0, 0)
        key = element.get("category_id")
        name = found_by(file.categories, key)
        if not all(size):
            objects.note("size_unknown", line, "error", of=item.image, image=shown(item.image))
        elif not name:
            objects.note("object_unnamed", line, of=item.image, name="")
        else:
            rows: list[Row] = item.rows if item.rows is not None else []
            objects.take(element, line, item.image, size, numbers[name], name, rows)


MAX_ID = 2**63  # beyond it a number is nobody's ID


def found_by(entries: Mapping[Any, Any], key: Any) -> Any:
    """What has this id, else the one that is the same number written otherwise: VIA writes 0 here, "0" there."""
    if not isinstance(key, int | str | float) or key in entries:
        return entries.get(key) if isinstance(key, int | str) else None
    if isinstance(key, str):
        return entries.get(int(key)) if key.strip().isascii() and key.strip().isdigit() and len(key) < 20 else None
    return entries.get(str(int(key))) if abs(key) < MAX_ID and key == int(key) else None


def ids_as_text(file: File) -> bool:
    """Whether the objects name their images or classes by ids that are written otherwise there."""
    return any(key not in file.categories and found_by(file.categories, key) for key in file.survey.classes) or any(
        key not in file.images and found_by(file.images, key) for key in file.survey.images
    )


def places_of(
    tree: Tree, files: list[File], numbers: dict[str, int], options: Options
) -> tuple[Places, list[Decision]]:  # fmt: skip
    """What the numbers of boxes and the pixels of the set are."""
    sample = [
        (item.image, numbers.get(found_by(file.categories, key) or "", 0), box,
         measure(size, tree.pictures.get(item.image)) or size)
        for file in files for image, key, box in file.survey.boxes if all(map(math.isfinite, box))
        if (entry := found_by(file.images, image)) for item, size in [entry] if all(size)
    ]  # fmt: skip
    fractions, told = are_fractions([box for _, _, box, _ in sample], options.chosen("unit")), list[Decision]()
    if fractions:
        told.append(decision("unit_fractions"))
    scaled = [
        (image, number, box if fractions else (box[0] / w, box[1] / h, box[2] / w, box[3] / h))
        for image, number, box, (w, h) in sample
    ]
    judged = judge([box for *_, box in scaled], "top_left", options.chosen("boxes"))
    if sample and judged.doubtful:
        told.append(tell_boxes(judged, scaled, options))
    frames, fitted = Fitting(claims(tree, files, numbers, judged.reading), options).fit()
    return Places(judged.reading, fractions, frames), told + fitted


def claims(tree: Tree, files: list[File], numbers: dict[str, int], way: str) -> Iterator[Claim]:
    """What the files say of the images whose size or orientation is known to be another one."""
    for file in files if tree.pictures else ():
        said: dict[str, tuple[tuple[int, int] | None, list[tuple[int, Box]]]] = {
            item.image: (size if all(size) else None, [])
            for item, size in file.images.values() if item.image in tree.pictures
        }  # fmt: skip
        for _, element in annotations(tree, file) if said else ():
            entry = found_by(file.images, element.get("image_id"))
            if entry and entry[0].image in said and (box := box_of(element.get("bbox"), way)):
                name = found_by(file.categories, element.get("category_id")) or ""
                said[entry[0].image][1].append((numbers.get(name, 0), box))
        for image, (size, boxes) in said.items():
            finite = [entry for entry in boxes if all(map(math.isfinite, entry[1]))]
            yield Claim(image, size, tree.pictures[image], finite)


def annotations(tree: Tree, file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file, numbered from 1."""
    line = 0
    for key, element in walk(tree.path(file.path), file.path, LISTS):
        if key == "annotations":
            line += 1
            if isinstance(element, dict) and isinstance(element.get("image_id"), int | str | None):
                yield line, tidy(element)
