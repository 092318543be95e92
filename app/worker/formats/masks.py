"""Segmentation as images: a mask beside each image, whose pixels are classes or objects.

    images/a.jpg  masks/a.png               SegmentationClass/a.png and SegmentationObject/a.png (VOC, CVAT)
    a.png  a_mask.png  a_mask_1.png         (BUSI)
Which value is which class: mask_palette.py. Where no mask tells the objects apart, each piece that holds together is
one.
"""

import os
import re
from collections import defaultdict

from app.core.names import printable_name
from app.worker.formats.classes import ClassList
from app.worker.formats.drafts import Draft, convert_drafts
from app.worker.formats.mask_codecs import BadMask
from app.worker.formats.mask_objects import ImageMasks, MaskedImage
from app.worker.formats.mask_palette import Palette
from app.worker.formats.mask_pixels import is_flat, palette_of, read_pixels
from app.worker.formats.mask_sets import MaskSplits
from app.worker.formats.model import DetectedDataset, Finding, Options, Source
from app.worker.formats.paths import folder_of, split_of, stem_of, suffix_of
from app.worker.formats.roots import split_in
from app.worker.formats.split_lists import lists_used
from app.worker.formats.tree import Tree

CLASSES = frozenset(
    {
        "masks",
        "mask",
        "segmentationclass",
        "segmentation",
        "segmentations",
        "gt",
        "groundtruth",
        "ground_truth",
        "annotations",
        "annotation",
        "labels",
        "label",
        "semantic",
        "seg",
        "labelids",
        "trainannot",
        "valannot",
        "testannot",
        "semantic_masks",
        "masks_machine",
        "png_masks",
        "class_masks",
        "label_masks",
    }
)
OBJECTS = frozenset({"segmentationobject", "instances", "instance_masks", "instance"})
SUFFIXES = {".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg"}
ENDS = re.compile(r"(?i)(.+?)[ _.-](?:masks?|labels?|seg|segmentation|gt|groundtruth|l|labelids|matte)$")
BESIDE = re.compile(r"(?i)(.+?)[ _.-]masks?(?:[ _.-]?\d{1,3})?$")  # in the folder of its image, one or several
LEAST = 0.5  # share of the masks that must match an image
SAMPLE = 3  # masks whose pixels are checked


def detect(tree: Tree) -> list[DetectedDataset]:
    """The datasets in folders of masks."""
    masks = {path: kind for path in tree["image"] if (kind := kind_of(path))} | dict.fromkeys(
        masks_beside_images(tree), "beside"
    )
    roots: dict[str, dict[str, MaskedImage]] = defaultdict(dict)
    lone: dict[str, int] = defaultdict(int)
    common = common_parent([path for path, kind in masks.items() if kind == "beside"])
    for path, kind in masks.items():
        image = image_of(tree, path, masks)
        root = common if kind == "beside" else root_of(path)
        if image is None:
            lone[root] += 1
        else:
            roots[root].setdefault(image, MaskedImage(image)).add_mask(kind, path)
    datasets = []
    for root, pairs in roots.items():
        if len(pairs) >= LEAST * (len(pairs) + lone[root]) and are_masks(tree, list(pairs.values())):
            hint = (list(pairs.values()), set(masks))
            datasets.append(DetectedDataset("masks", root, len(pairs), len(pairs), True, hint=hint))
    return datasets


def are_masks(tree: Tree, pairs: list[MaskedImage]) -> bool:
    """Whether the first images consist of areas of one value: a class of photographs may also be called "mask"."""
    try:
        return all(is_flat(read_pixels(tree.path(pair.classes or pair.objects or ""))) for pair in pairs[:SAMPLE])
    except BadMask:
        return False


def kind_of(path: str) -> str | None:
    """Whether an image is a mask by its folder: of classes or of objects."""
    if suffix_of(path) not in SUFFIXES:
        return None
    for part in reversed(folder_of(path).casefold().split("/")):
        if part in OBJECTS:
            return "objects"
        if part in CLASSES or re.fullmatch(r"(train|val|valid|test)[_-]?(masks?|annot|labels?|gt)", part):
            return "classes"
        if not split_of(part):
            return None
    return None


def masks_beside_images(tree: Tree) -> list[str]:
    """The masks in the folder of their image, with its name and "_mask"."""
    stems = {stem_of(path).casefold() for path in tree["image"]}
    return [
        path
        for path in tree["image"]
        if suffix_of(path) in SUFFIXES
        and kind_of(path) is None
        and (match := BESIDE.fullmatch(stem_of(path)))
        and match[1].casefold() in stems
    ]


def common_parent(paths: list[str]) -> str:
    """The parent of these folders if there are several; a split's folder is skipped."""
    folders = {folder_of(path) for path in paths}
    if len(folders) > 1:
        return os.path.commonpath(folders) if all(folders) else ""
    folder = next(iter(folders), "")
    return folder_of(folder) if split_of(folder.rpartition("/")[2]) else folder


def root_of(path: str) -> str:
    """The folder above that of the masks, and above a split's."""
    parts = folder_of(path).split("/")
    while parts and split_of(parts[-1]):
        parts.pop()
    parts = parts[:-1]
    while parts and split_of(parts[-1]):
        parts.pop()
    return "/".join(parts)


def image_of(tree: Tree, path: str, masks: dict[str, str]) -> str | None:
    """The image of a mask: with its name, or its name without "_mask"."""
    name = stem_of(path.rpartition("/")[2])
    match = BESIDE.fullmatch(name) if masks[path] == "beside" else ENDS.fullmatch(name)
    split = split_in(path, "", False)
    for stem in [name, match[1]] if match else [name]:
        hits = [hit for hit in tree.by_stem(stem) if hit not in masks]
        same = [hit for hit in hits if split_in(hit, "", False) == split]
        if hits:
            return min(same or hits, key=lambda hit: (-shared_parents(hit, path), hit))
    return None


def shared_parents(first: str, second: str) -> int:
    """The number of common leading folders."""
    pairs = zip(first.split("/"), second.split("/"), strict=False)
    return next((index for index, (mine, theirs) in enumerate(pairs) if mine != theirs), 0)


def read(tree: Tree, detected: DetectedDataset, options: Options) -> Source:
    """Read the dataset at a root."""
    class_list, findings = ClassList(tree, detected.root, options), list[Finding]()
    pairs, coordinates = detected.hint
    masks = [ImageMasks(tree, pair, findings) for pair in sorted(pairs, key=lambda pair: pair.image)]
    palette = Palette(tree, detected.root, class_list)
    first = next((mask.pair.classes for mask in masks if mask.pair.classes), None)
    palette.assign_classes(
        {value for mask in masks for value in mask.values}, palette_of(tree.path(first)) if first else None
    )
    sets = MaskSplits(tree, detected.root)
    drafts: list[Draft] = []
    unlisted = 0
    for mask in masks:
        named_split = sets.split(mask.pair.image)
        if sets.lists and named_split is None:
            unlisted += 1  # its missing image is a finding
            continue
        split = (
            named_split or split_in(mask.file, detected.root, False) or split_in(mask.pair.image, detected.root, False)
        )
        draft = Draft(mask.pair.image, split, mask.file, mask.size)
        mask.draw(draft, palette)
        drafts.append(draft)
    if sets.lists:
        class_list.decisions.append(lists_used(", ".join(map(printable_name, sets.lists)), unlisted))
    class_list.decisions += palette.decisions
    source = convert_drafts(tree, detected, options, drafts, class_list, findings, palette.order or None)
    source.findings = [
        item for item in source.findings if item["code"] != "image_unlisted" or item["file"] not in coordinates
    ]
    source.outside = [path for path in source.outside if path not in coordinates]
    return source
