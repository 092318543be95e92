"""Several folders of images and labels that are one YOLO dataset: those that one data.yaml names (train: [site_a,
site_b/images]), and those side by side that share the list of classes."""

from collections.abc import Iterator

from app.worker.formats.items import inner
from app.worker.formats.layout import Layout, Place, common, is_mark
from app.worker.formats.lists import below_named, entries
from app.worker.formats.model import Refused
from app.worker.formats.names import read_yaml
from app.worker.formats.paths import below, folder_of, inside, join
from app.worker.formats.tree import Tree

MOST_YAMLS = 50
MOST_LINES = 1000  # of a list that data.yaml names
MAX_LIST = 64 * 1024**2  # bytes


def unite(tree: Tree, layout: Layout) -> dict[str, list[str]]:
    """Give folders of one dataset one root. Changes `layout`; the folders that were united, by their new root."""
    done: dict[str, list[str]] = {}
    for path in tree["yaml"][:MOST_YAMLS]:
        named = images_named(tree, path)
        add_bare(layout, named, folder_of(path))
        roots = {place.root for places in layout.places.values() for place in places if place.image in named}
        if len(roots) > 1:
            top = common([folder_of(path), *roots])
            done[top] = merge(layout, roots, top)
    for top, roots in list(siblings(tree, layout)):
        done[top] = merge(layout, roots, top)
    return {top: roots for top, roots in done.items() if top in layout.places}


def images_named(tree: Tree, path: str) -> set[str]:
    """The images below the folders, and in the lists, that a data.yaml names for its splits."""
    try:
        document = read_yaml(tree.bytes_of_yaml(path))
    except Refused:
        return set()  # whoever needs the file says what is wrong with it
    found: set[str] = set()
    near = [image for image in tree["image"] if below(image, folder_of(path))]
    for value, _ in entries(document):
        if value.lower().endswith(".txt"):
            found.update(images_listed(tree, path, value))
        else:
            found.update(below_named(near, value) or below_named(tree["image"], value))
    return found


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
    """Images in a folder that data.yaml names and that has no label at all: they are backgrounds."""
    placed = {place.image for places in layout.places.values() for place in places}
    if not named & placed:
        return
    for image in sorted(named - placed):
        top = root if below(image, root) else ""
        rest = inside(image, top) or image
        *folders, name = rest.split("/")
        layout.places.setdefault(top, []).append(Place(image, top, None, "/".join([*inner(folders), name])))
        layout.labels.setdefault(top, [])


def siblings(tree: Tree, layout: Layout) -> Iterator[tuple[str, set[str]]]:
    """Folders side by side with images and labels and without classes of their own, below a list of classes."""
    marks = {folder_of(path) for path in [*tree["text"], *tree["list"], *tree["yaml"]] if is_mark(path)}
    groups: dict[str, set[str]] = {}
    for root, places in layout.places.items():
        if root and places and layout.labels.get(root) and not any(below(f"{mark}/", root) for mark in marks):
            groups.setdefault(folder_of(root), set()).add(root)
    for top, roots in groups.items():
        if len(roots) > 1 and top in marks and not layout.places.get(top):
            yield top, roots


def merge(layout: Layout, roots: set[str], top: str) -> list[str]:
    """Put the places of these roots below one."""
    moved: list[Place] = []
    labels: list[str] = []
    for root in sorted(roots):
        places = layout.places.pop(root)
        for place in places:
            folders = [part for part in (inside(root, top) or "").split("/") if part] if root != top else []
            place.rest = join(*inner(folders), place.rest)
            place.root = top
        moved += places
        labels += layout.labels.pop(root, [])
        if root in layout.flat:
            layout.flat.add(top)
    layout.places[top] = [*layout.places.get(top, []), *moved]
    layout.labels[top] = sorted({*layout.labels.get(top, []), *labels})
    return sorted(roots)
