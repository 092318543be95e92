"""Finds the images and labels of a YOLO dataset, by their paths alone.

Known layouts, in one folder or several deep:
    images/{train,val,test}/…  labels/{train,val,test}/…      {train,valid,test}/images/…  {train,valid,test}/labels/…
    images/…  labels/…  (no split)                            images and their .txt side by side, with or without splits
    obj_train_data/…, data/obj/… with obj.data, obj.names and lists (darknet, CVAT)
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from app.core.names import printable_name
from app.worker.formats.classes import LISTS, YAML_NAMES
from app.worker.formats.item_names import inner, item_name
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import alternative_stems, folder_of, inside, join, split_of, stem_of
from app.worker.formats.tree import Tree

FOLDERS = {"image": "images", "label": "labels"}
OBJ_DATA = re.compile(r"(?i)obj_(\w+)_data")
NO_LABELS = re.compile(r"(?i)(readme.*|license|classes|labels|labelmap|train|val|valid|test|requirements|notes)\.txt")


@dataclass(slots=True)
class LocatedImage:
    """An image's root, split and name by its path, and its label file. `weak`: lists override the folder's split."""

    image: str
    root: str
    split: str | None
    rest: str  # below its split's folder
    label: str | None = None
    weak: bool = False


@dataclass
class Layout:
    """The images and labels of each root."""

    images: dict[str, list[LocatedImage]]
    labels: dict[str, list[str]]  # label files of each root, also those without an image
    flat: set[str]  # roots whose labels are in the images' folders
    # images and labels whose names match after percent-decoding one of them
    encoded: list[tuple[str, str]] = field(default_factory=list)


def locate(path: str, kind: str) -> LocatedImage | None:
    """The root, split and name in the path of an image or label; None if it has no known layout."""
    parts = path.split("/")
    folders = [part.casefold() for part in parts[:-1]]
    at = [index for index, folder in enumerate(folders) if folder == FOLDERS[kind]]
    for index in reversed(at):  # the innermost folder next to a split's name
        if index + 1 < len(folders) and (split := split_of(folders[index + 1])):
            return located_image(path, parts, index, split, index + 2)
        if index and (split := split_of(folders[index - 1])):
            return located_image(path, parts, index - 1, split, index + 1)
    return located_image(path, parts, at[0], None, at[0] + 1) if at else None


def located_image(path: str, parts: list[str], root: int, split: str | None, rest: int) -> LocatedImage:
    return LocatedImage(path, "/".join(parts[:root]), split, "/".join([*inner(parts[rest:-1]), parts[-1]]))


def lay_out(tree: Tree) -> Layout:
    """Locate every image, with its label."""
    stems = {stem_of(path) for path in tree["image"]}
    encoded: list[tuple[str, str]] = []
    labels: dict[tuple[str, str | None, str], str] = {}
    labels_by_root: dict[str, list[str]] = defaultdict(list)  # label files by root
    beside: dict[str, str] = {}  # by stem: labels in the folder of their image
    for path in tree["text"]:
        located = locate(path, "label")
        if stem_of(path) in stems:
            beside[stem_of(path)] = path
        elif located and located.rest != "classes.txt":
            labels_by_root[located.root].append(path)
            labels[located.root, located.split, stem_of(located.rest)] = path
    coded = any("%" in path for kind in ("image", "text") for path in tree[kind])
    if coded:
        beside |= spelled_otherwise(tree["text"], stems, beside, encoded)
    by_root: dict[str, list[LocatedImage]] = defaultdict(list)
    flat_folders = {folder_of(path) for path in beside.values()}
    loose: list[LocatedImage] = []
    for path in tree["image"]:
        located = locate(path, "image")
        if located:
            stem = stem_of(located.rest)
            located.label = labels.get((located.root, located.split, stem)) or beside.get(stem_of(path))
            located.label = located.label or labels.get((located.root, None, stem))
            by_root[located.root].append(located)
        elif folder_of(path) in flat_folders:
            loose.append(image_beside_label(path, beside.get(stem_of(path))))
    flat = share_roots(loose, tree)
    for item in loose:
        by_root[item.root].append(item)
    for items in by_root.values() if coded else ():
        decode_labels(items, labels, encoded)
    for items in by_root.values():
        labels_by_root[items[0].root] = sorted(
            {*labels_by_root[items[0].root], *(item.label for item in items if item.label)}
        )
    orphans_beside(tree, flat_folders, beside, loose, labels_by_root)
    for root in labels_by_root:
        by_root.setdefault(root, [])
    return Layout(dict(by_root), dict(labels_by_root), flat, encoded)


def spelled_otherwise(
    texts: list[str], stems: set[str], beside: dict[str, str], encoded: list[tuple[str, str]]
) -> dict[str, str]:
    """Labels in the folder of their image with the same stem after percent-decoding one of them."""
    used, spellings = set(beside.values()), dict[str, str]()
    free = {stem_of(path): path for path in texts if path not in used}
    pairs = [(stem, spelling) for spelling in free for stem in alternative_stems(spelling) if stem in stems]
    pairs += [
        (stem, spelling) for stem in stems - set(beside) for spelling in alternative_stems(stem) if spelling in free
    ]
    for stem, spelling in pairs:
        if stem not in beside and stem not in spellings and free[spelling] not in used:
            spellings[stem] = free[spelling]
            used.add(free[spelling])
            encoded.append((stem, free[spelling]))
    return spellings


def decode_labels(
    items: list[LocatedImage], labels: dict[tuple[str, str | None, str], str], encoded: list[tuple[str, str]]
) -> None:
    """Assign labels to images whose names match after percent-decoding one of them."""
    used = {item.label for item in items}
    free = {key: path for key, path in labels.items() if path not in used}
    decoded = {
        (root, split, spelling): path
        for (root, split, stem), path in free.items()
        for spelling in alternative_stems(stem)
    }
    for item in items:
        if item.label is not None:
            continue
        stem = stem_of(item.rest)
        hits = [decoded.get((item.root, split, stem)) for split in (item.split, None)]
        hits += [
            free.get((item.root, split, spelling))
            for spelling in alternative_stems(stem)
            for split in (item.split, None)
        ]
        label = next((hit for hit in hits if hit and hit not in used), None)
        if label:
            item.label = label
            used.add(label)
            encoded.append((item.image, label))


def orphans_beside(
    tree: Tree,
    folders: set[str],
    beside: dict[str, str],
    loose: list[LocatedImage],
    labels_by_root: dict[str, list[str]],
) -> None:
    """Label files without an image, in folders where other images have their labels."""
    roots = {folder_of(item.image): item.root for item in loose}
    for path in tree["text"]:
        folder = folder_of(path)
        if folder in roots and stem_of(path) not in beside and not NO_LABELS.fullmatch(path.rpartition("/")[2]):
            labels_by_root[roots[folder]].append(path)


def image_beside_label(path: str, label: str | None) -> LocatedImage:
    """The location of an image with its label in the same folder."""
    folder, _, name = path.rpartition("/")
    last = folder.rpartition("/")[2]
    match = OBJ_DATA.fullmatch(last)
    if match:
        return LocatedImage(path, folder_of(folder), split_of(match[1]), name, label, weak=True)
    split = split_of(last)
    return LocatedImage(path, folder_of(folder) if split else folder, split, name, label)


def share_roots(loose: list[LocatedImage], tree: Tree) -> set[str]:
    """Give folders of one dataset a common root: the nearest folder above them with a list of names, otherwise their
    common folder.

    Returns the roots.
    """
    marks = {folder_of(path) for path in [*tree["text"], *tree["list"], *tree["yaml"]] if is_root_marker(path)}
    unmarked: list[str] = []
    target: dict[str, str] = {}
    for root in {item.root for item in loose}:
        above = root
        while above and above not in marks:
            above = folder_of(above)
        if above in marks:
            target[root] = above
        else:
            unmarked.append(root)
    shared = common_folder(unmarked)
    target |= dict.fromkeys(unmarked, shared)
    for item in loose:
        if item.root != target[item.root]:
            below = inside(folder_of(item.image), target[item.root]) or ""
            folders = [part for part in below.split("/") if part]
            split = next((split_of(part) for part in folders if split_of(part)), None)
            item.split = item.split or split
            named = [part for part in folders if not split_of(part) and not OBJ_DATA.fullmatch(part)]
            item.rest = item_name(join(*named, item.image.rpartition("/")[2]))
            item.root = target[item.root]
    return {item.root for item in loose}


def is_root_marker(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name in {"obj.data", *LISTS, *YAML_NAMES} - {"_darknet.labels"} or name.endswith(".names")


def common_folder(folders: list[str]) -> str:
    """The common folder of these."""
    if not folders:
        return ""
    shared = folders[0].split("/")
    for folder in folders[1:]:
        parts = folder.split("/")
        same = next((at for at, pair in enumerate(zip(shared, parts, strict=False)) if pair[0] != pair[1]), None)
        shared = shared[: min(len(shared), len(parts)) if same is None else same]
    return "/".join(shared)


def refuse_collisions(images: list[LocatedImage]) -> None:
    """Refuse two images with the same name in one split."""
    by_name: dict[tuple[str, str], LocatedImage] = {}
    for item in images:
        first = by_name.setdefault((item.split or "train", item.rest.casefold()), item)
        if first is not item:
            raise InvalidInput("same_file", first=printable_name(first.image), second=printable_name(item.image))
