"""Classification: the folder of an image is its class."""

import re
from collections import Counter

from app.worker.formats import masks
from app.worker.formats.class_names import check_names
from app.worker.formats.classes import ClassList
from app.worker.formats.item_names import ensure_unique_names
from app.worker.formats.layout import NO_LABELS
from app.worker.formats.model import DetectedDataset, InvalidInput, Item, Options, Source, decision
from app.worker.formats.paths import split_of
from app.worker.formats.tree import Tree

ClassLocation = tuple[str, str, str | None, str]  # image, root, split, path from the class on


def detect(tree: Tree, task: str) -> list[DetectedDataset]:
    """Class folders inside folders of splits; without splits, class folders: the innermost ones if the task is
    requested, otherwise only unambiguous ones.
    """
    if task != "classify" and masks.masks_beside_images(tree):  # apparent classes are masks and their images
        return []
    locations = [location for location in map(class_location, tree["image"]) if location]
    if not locations and (task == "classify" or are_side_by_side(tree)):
        for path in tree["image"]:
            parts = path.split("/")
            if len(parts) > 1 and not is_generic(parts[-2]):
                locations.append((path, "/".join(parts[:-2]), None, "/".join(parts[-2:])))
    roots: dict[str, list[ClassLocation]] = {}
    for location in locations:
        roots.setdefault(location[1], []).append(location)
    return [
        DetectedDataset("folders", root, len(images), len(images), True, hint=images) for root, images in roots.items()
    ]


def are_side_by_side(tree: Tree) -> bool:
    """Whether each image lies in one of several sibling folders, as in torchvision's ImageFolder, and nothing in the
    source looks like a label: an upload with forgotten labels must not pass as a valid classification.
    """
    folders = Counter(path.rpartition("/")[0] for path in tree["image"])
    names = [folder.rpartition("/")[2] for folder in folders]
    return (
        len({folder.rpartition("/")[0] for folder in folders if folder}) == 1
        and "" not in folders
        and not any(map(is_generic, names))
        and not are_numbered(names)
        and min(folders.values()) >= 2  # otherwise each image has a folder of its own
        and not (tree["xml"] or tree["json"])
        and all(NO_LABELS.fullmatch(path.rpartition("/")[2]) for path in tree["text"])
    )


def are_numbered(names: list[str]) -> bool:
    """Whether folders are numbered parts (video_01, video_02), and not classes 0, 1, 2 or class_0, class_1."""
    stems = {re.sub(r"[\W_\d]+", "", name).casefold() for name in names}
    return len(stems) == 1 and not stems & {"", "class", "classe", "label", "category", "categoria", "type", "tipo"}


def class_location(path: str) -> ClassLocation | None:
    """The location of an image in train/CLASS/… or images/train/CLASS/…."""
    parts = path.split("/")
    folders = [part.casefold() for part in parts[:-1]]
    for index, folder in enumerate(folders[:-1]):
        split = split_of(folder)
        if split and not is_generic(folders[index + 1]):
            root = index - 1 if index and folders[index - 1] == "images" else index
            return path, "/".join(parts[:root]), split, "/".join(parts[index + 1 :])
    return None


def is_generic(folder: str) -> bool:
    """Whether a folder's name describes its role, and not a class."""
    return folder.casefold() in {"images", "labels"} or split_of(folder) is not None


def has_two_classes(detected: DetectedDataset) -> bool:
    """Whether there are at least two classes."""
    return len(classes_of(detected)) > 1


def classes_of(detected: DetectedDataset) -> list[str]:
    """The folders of the training images."""
    return sorted({rest.split("/")[0] for _, _, split, rest in detected.hint if split in {None, "train"}})


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the classification at a root.

    Raises:
        InvalidInput: fewer than two classes.
    """
    if not has_two_classes(detected):
        raise InvalidInput("classes_two")
    names = check_names(classes_of(detected), options.max_classes, "ZIP")
    class_list = ClassList(tree, detected.root, options)
    decisions = [item for item in class_list.decisions if item["code"] == "download_ignored"]
    if class_list.names and class_list.names != names:
        decisions.append(decision("folder_names", "names"))
    if options.task != "classify":
        split = any(location[2] for location in detected.hint)
        decisions.append(decision("task_folders" if split else "task_plain_folders", task="classify"))
    items = [
        Item(path, rest, split, class_name=rest.split("/")[0])
        for path, _, split, rest in sorted(detected.hint, key=rank)
    ]
    decisions += ensure_unique_names(items)
    used = {item.image for item in items}
    outside = [path for kind in ("image", "text") for path in tree[kind] if path not in used]
    return Source("folders", detected.root, "classify", names, items, decisions, outside=outside)


def rank(location: ClassLocation) -> tuple[int, str]:
    return {"train": 0, None: 1, "val": 2, "test": 3}[location[2]], location[0]
