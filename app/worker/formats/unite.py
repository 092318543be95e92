"""Unites several folders of images and labels that are one YOLO dataset: those named in one data.yaml (train: [site_a,
site_b/images]), siblings that share a list of classes, and those whose names differ by a split.
"""

from collections.abc import Iterator

from app.worker.formats.class_names import read_yaml
from app.worker.formats.item_names import inner
from app.worker.formats.layout import Layout, LocatedImage, common_folder, is_root_marker
from app.worker.formats.model import InvalidInput
from app.worker.formats.paths import WORDS, below, folder_of, inside, join, split_of
from app.worker.formats.split_lists import below_named, split_entries
from app.worker.formats.tree import Tree

MOST_YAMLS = 50
MOST_LINES = 1000  # of a list named in data.yaml
MAX_LIST = 64 * 1024**2  # bytes


def unite(tree: Tree, layout: Layout) -> dict[str, list[str]]:
    """Give folders of one dataset a common root. Changes `layout`; returns the united folders, by their new root."""
    united: dict[str, list[str]] = {}
    for path in tree["yaml"][:MOST_YAMLS]:
        named = images_named(tree, path)
        add_bare(layout, named, folder_of(path))
        roots = {located.root for images in layout.images.values() for located in images if located.image in named}
        if len(roots) > 1:
            top = common_folder([folder_of(path), *roots])
            united[top] = merge(layout, roots, top)
    for top, roots in parts(layout):
        united[top] = merge(layout, roots, top)
    for top, roots in list(siblings(tree, layout)):
        united[top] = merge(layout, roots, top)
    return {top: roots for top, roots in united.items() if top in layout.images}


def images_named(tree: Tree, path: str) -> set[str]:
    """The images in the folders and lists that a data.yaml names for its splits."""
    try:
        document = read_yaml(tree.bytes_of_yaml(path))
    except InvalidInput:
        return set()  # its reader reports the fault
    names: set[str] = set()
    nearby = [image for image in tree["image"] if below(image, folder_of(path))]
    for value, _ in split_entries(document):
        if value.lower().endswith(".txt"):
            names.update(images_listed(tree, path, value))
        else:
            names.update(below_named(nearby, value) or below_named(tree["image"], value))
    return names


def images_listed(tree: Tree, path: str, value: str) -> Iterator[str]:
    """The first images of a list."""
    name = value.replace("\\", "/").rpartition("/")[2]
    lists = [text for text in tree["text"] if text.rpartition("/")[2].casefold() == name.casefold()]
    for text in lists[:1]:
        if tree.size(text) <= MAX_LIST:
            for line in tree.text(text, MAX_LIST).splitlines()[:MOST_LINES]:
                if line.strip() and (image := tree.image(line, folder_of(text))):
                    yield image


def add_bare(layout: Layout, named: set[str], root: str) -> None:
    """Add images in a folder that data.yaml names and that has no labels: they are background images."""
    located_images = {located.image for images in layout.images.values() for located in images}
    if not named & located_images:
        return
    for image in sorted(named - located_images):
        top = root if below(image, root) else ""
        rest = inside(image, top) or image
        *folders, name = rest.split("/")
        layout.images.setdefault(top, []).append(LocatedImage(image, top, None, "/".join([*inner(folders), name])))
        layout.labels.setdefault(top, [])


def siblings(tree: Tree, layout: Layout) -> Iterator[tuple[str, set[str]]]:
    """Sibling folders with images and labels but without their own list of classes, below one."""
    marks = {folder_of(path) for path in [*tree["text"], *tree["list"], *tree["yaml"]] if is_root_marker(path)}
    groups: dict[str, set[str]] = {}
    for root, images in layout.images.items():
        if root and images and layout.labels.get(root) and not any(below(f"{mark}/", root) for mark in marks):
            groups.setdefault(folder_of(root), set()).add(root)
    for top, roots in groups.items():
        if len(roots) > 1 and top in marks and not layout.images.get(top):
            yield top, roots


def parts(layout: Layout) -> Iterator[tuple[str, set[str]]]:
    """Sibling folders whose names differ only in the split: VisDrone2019-DET-train, VisDrone2019-DET-val. Their images
    get that split.
    """
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for root, images in layout.images.items():
        above, _, name = root.rpartition("/")
        words = WORDS.findall(name)
        splits = [split for word in words if (split := split_of(word))]
        if len(splits) == 1 and len(words) > 1 and images and layout.labels.get(root):
            rest = " ".join("" if split_of(word) else word.casefold() for word in words)
            groups.setdefault((above, rest), []).append((splits[0], root))
    for (top, _), members in groups.items():
        if 1 < len(members) == len({split for split, _ in members}) and not layout.images.get(top):
            for split, root in members:
                for located in layout.images[root]:
                    located.split = located.split or split
            yield top, {root for _, root in members}


def merge(layout: Layout, roots: set[str], top: str) -> list[str]:
    """Merge the images and labels of these roots into one."""
    moved: list[LocatedImage] = []
    labels: list[str] = []
    for root in sorted(roots):
        images = layout.images.pop(root)
        for located in images:
            folders = [part for part in (inside(root, top) or "").split("/") if part] if root != top else []
            located.rest = join(*inner(folders), located.rest)
            located.root = top
        moved += images
        labels += layout.labels.pop(root, [])
        if root in layout.flat:
            layout.flat.add(top)
    layout.images[top] = [*layout.images.get(top, []), *moved]
    layout.labels[top] = sorted({*layout.labels.get(top, []), *labels})
    return sorted(roots)
