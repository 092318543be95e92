"""Pairs images and label files without a known layout: sibling folders of any names (train_images and train_labels,
JPEGImages and labels, jpg and txt), the image's suffix in the label's name (a.jpg.txt), a different case.

Only files outside of known layouts are paired, and only label files that look like YOLO rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.core.names import printable_name
from app.core.numbers import is_number
from app.worker.formats.folder_roles import ROLES, is_role
from app.worker.formats.item_names import item_name
from app.worker.formats.layout import NO_LABELS, Layout, LocatedImage, common_folder
from app.worker.formats.pair_names import by_affixes, by_spelling
from app.worker.formats.paths import IMAGES, WORDS, folder_of, split_of, splits_apart, stem_of, suffix_of
from app.worker.formats.row_styles import read_lines
from app.worker.formats.tree import Tree

SNIFFED = 3  # sampled label files per folder
HEAD = 4096  # bytes
LEAST = 0.5  # share of a folder's label files that must match an image


@dataclass
class Pairing:
    """A pairing, for the decision."""

    root: str
    labels: str  # folder, as displayed
    images: str
    count: int


def pair(tree: Tree, layout: Layout) -> list[Pairing]:
    """Assign matching label files to images without a label, and move both to their roots. Changes `layout`."""
    images = images_without_label(tree, layout)
    texts = labels_without_image(tree, layout)
    if not images or not texts:
        return []
    pairs = by_full_name(images, texts)
    label_of = {located.image: label for located, label in pairs}
    images = [located for located in images if located.image not in label_of]
    used = set(label_of.values())
    texts = [path for path in texts if path not in used]
    pairs += by_folders(tree, images, texts)
    pairs += by_similar_names(tree, images, texts, pairs)
    return add_pairs(layout, pairs) if pairs else []


def by_similar_names(
    tree: Tree, images: list[LocatedImage], texts: list[str], pairs: list[tuple[LocatedImage, str]]
) -> list[tuple[LocatedImage, str]]:
    """Pairs among the remaining files whose labels' names extend those of their images or are spelled differently."""
    paired, used = {located.image for located, _ in pairs}, {label for _, label in pairs}
    images = [located for located in images if located.image not in paired]
    texts = [path for path in texts if path not in used]
    texts = [path for paths in by_folder(texts).values() if holds_rows(tree, paths) for path in paths]
    spelled = by_spelling(images, texts)
    paired, used = {located.image for located, _ in spelled}, {label for _, label in spelled}
    images = [located for located in images if located.image not in paired]
    return spelled + by_affixes(images, [path for path in texts if path not in used], ROLES)


def images_without_label(tree: Tree, layout: Layout) -> list[LocatedImage]:
    """The images without a label, also those outside of layouts."""
    located_by_path = {located.image: located for images in layout.images.values() for located in images}
    return [
        located_by_path.get(path) or LocatedImage(path, "", None, path)
        for path in tree["image"]
        if path not in located_by_path or located_by_path[path].label is None
    ]


def labels_without_image(tree: Tree, layout: Layout) -> list[str]:
    """Text files that belong to no image."""
    used = {located.label for images in layout.images.values() for located in images}
    return [path for path in tree["text"] if path not in used and not NO_LABELS.fullmatch(path.rpartition("/")[2])]


def key_of(path: str) -> tuple[str, ...]:
    """A key for what a file belongs to: its folders' words that do not describe its kind, then its stem."""
    folder, _, name = path.rpartition("/")
    words = [word.casefold() for word in WORDS.findall(folder)]
    return (*(split_of(word) or word for word in words if word not in ROLES), stem_of(name).casefold())


def image_of_label(path: str) -> str:
    """The path of an image from that of its label a.jpg.txt."""
    return stem_of(path) if suffix_of(stem_of(path)) in IMAGES else ""


def by_full_name(images: list[LocatedImage], texts: list[str]) -> list[tuple[LocatedImage, str]]:
    """Pairs of labels with the full name of their image."""
    labels_by_image: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in texts:
        if image_name := image_of_label(path):
            labels_by_image[(*key_of(image_name), suffix_of(image_name))].append(path)
    here: dict[tuple[str, ...], list[LocatedImage]] = defaultdict(list)
    for located in images:
        here[(*key_of(located.image), suffix_of(located.image))].append(located)
    return [
        (here[key][0], paths[0])
        for key, paths in labels_by_image.items()
        if len(paths) == 1 and len(here.get(key, [])) == 1
    ]


def by_folders(tree: Tree, images: list[LocatedImage], texts: list[str]) -> list[tuple[LocatedImage, str]]:
    """Pairs of each folder of label files with the best matching folder of images."""
    stems: dict[str, dict[str, LocatedImage | None]] = defaultdict(dict)
    for located in images:
        folder, stem = folder_of(located.image), name_of(located.image)
        stems[folder][stem] = None if stem in stems[folder] else located  # ambiguous: two images have this stem
    pairs: list[tuple[LocatedImage, str]] = []
    labels = {folder: paths for folder, paths in by_folder(texts).items() if holds_rows(tree, paths)}
    free = dict(stems)
    for folder, best in matches(labels, stems):
        if best not in free:
            continue
        mine = [(free[best].get(name_of(path)), path) for path in labels[folder]]
        pairs += [(located, path) for located, path in mine if located is not None]
        del free[best]
    return pairs


def matches(
    labels: dict[str, list[str]], images: dict[str, dict[str, LocatedImage | None]]
) -> Iterator[tuple[str, str]]:
    """Matching folders of labels and of images, best first; each folder of labels once."""
    ranked = []
    for folder, paths in labels.items():
        names = {name_of(path) for path in paths}
        for image_folder, stems in images.items():
            if splits_apart(f"{folder}/", f"{image_folder}/"):
                continue  # whatever their names, the boxes belong to another set
            count = len(names & stems.keys())
            if count >= LEAST * len(names) or (count and count >= LEAST * len(stems)):
                ranked.append((likeness(folder, image_folder), count, folder, image_folder))
    ranked.sort(key=lambda item: (item[0], item[1]), reverse=True)
    matched: set[str] = set()
    for _, _, folder, image_folder in ranked:
        if folder not in matched:
            matched.add(folder)
            yield folder, image_folder


def likeness(labels: str, images: str) -> tuple[int, int]:
    """The similarity of two folders' paths: in their distinctive words, minus those of only one; then in their
    beginning.
    """
    mine, theirs = Counter(key_of(f"{labels}/x")[:-1]), Counter(key_of(f"{images}/x")[:-1])
    apart = (mine - theirs) + (theirs - mine)
    return -sum(apart.values()), len(common_folder([labels, images]))


def name_of(path: str) -> str:
    return stem_of(path.rpartition("/")[2]).casefold()


def by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_name[folder_of(path)].append(path)
    return dict(by_name)


def holds_rows(tree: Tree, paths: list[str]) -> bool:
    """Whether the label files of a folder contain YOLO rows; undecided if all are empty."""
    checked = 0
    for path in paths:
        with open(tree.path(path), "rb") as file:
            head = file.read(HEAD)
        if not head.strip():
            continue
        if not is_rows(head):
            return False
        checked += 1
        if checked == SNIFFED:
            break
    return checked > 0


def any_rows(tree: Tree, texts: Iterable[str]) -> bool:
    """Whether the label files of any of these folders contain YOLO rows."""
    return any(holds_rows(tree, paths) for paths in by_folder(texts).values())


def is_rows(head: bytes) -> bool:
    """Whether the first line that is not a comment has a class and at least four numbers."""
    lines = [text for _, text in read_lines(head).rows]
    values = lines[0].replace(",", " ").split() if lines else []
    return len(values) >= 5 and all(is_number(value) for value in values[1:5])


def add_pairs(layout: Layout, pairs: list[tuple[LocatedImage, str]]) -> list[Pairing]:
    """Add the pairs to the layout: below the common folder of images and labels, in the split that their
    folders name.
    """
    in_root = {
        id(located)
        for root, located_images in layout.images.items()
        for located in located_images
        if located.root == root
    }
    for located, label in pairs:
        if id(located) in in_root and label_fits(located, label):
            located.label = label
    strays = [(located, label) for located, label in pairs if located.label is None]
    if strays:
        share_roots(layout, strays)
    move_labels_to_images(layout, {label: located.root for located, label in pairs})
    for root in [
        root for root, located_images in layout.images.items() if not located_images and not layout.labels.get(root)
    ]:
        del layout.images[root]
        layout.labels.pop(root, None)
    counts = Counter((located.root, folder_of(label), folder_of(located.image)) for located, label in pairs)
    return [
        Pairing(root, printable_name(labels or "/"), printable_name(images or "/"), count)
        for (root, labels, images), count in counts.items()
    ]


def move_labels_to_images(layout: Layout, roots: dict[str, str]) -> None:
    """Move each label file to the root of its image."""
    there = set[str]()
    for root, labels in layout.labels.items():
        labels[:] = [label for label in labels if roots.get(label, root) == root]
        there.update(labels)
    for label, root in roots.items():
        if label not in there:
            layout.labels.setdefault(root, []).append(label)


def label_fits(located: LocatedImage, label: str) -> bool:
    """Whether an image's root contains its label too."""
    return not located.root or label.startswith(f"{located.root}/")


def share_roots(layout: Layout, strays: list[tuple[LocatedImage, str]]) -> None:
    """Give a common root to images with labels elsewhere."""
    root = common_folder([folder_of(path) for located, label in strays for path in (located.image, label)])
    moved = {id(located) for located, _ in strays}
    for images in layout.images.values():
        images[:] = [located for located in images if id(located) not in moved]
    for located, label in strays:
        below = located.image[len(root) + 1 :] if root else located.image
        folders = folder_of(below).split("/") if "/" in below else []
        located.split = located.split or next((split for part in folders if (split := split_in(part))), None)
        named = [part for part in folders if not is_role(part)]
        located.root, located.label = root, label
        located.rest = item_name("/".join([*named, below.rpartition("/")[2]]))
        layout.images.setdefault(root, []).append(located)


def split_in(folder: str) -> str | None:
    """The split that a word of a folder's name indicates: train in "train_images"."""
    return split_of(folder) or next((split for word in WORDS.findall(folder) if (split := split_of(word))), None)
