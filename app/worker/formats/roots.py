"""The folder and the split that an annotation file refers to."""

from collections import defaultdict

from app.worker.formats.model import DetectedDataset
from app.worker.formats.paths import folder_of, inside, split_of, stem_of
from app.worker.formats.tree import Tree

ANNOTATION_FOLDERS = frozenset(
    {"annotations", "annotation", "labels", "xml", "xmls", "json", "jsons", "_annotations", "annots", "ann", "label"}
)
WORDS = str.maketrans(dict.fromkeys("_-. ", " "))


def root_of(path: str) -> str:
    """The dataset's folder: the file's own, or the one above "annotations" and above a split's folder."""
    folder = folder_of(path)
    while folder:
        above, _, name = folder.rpartition("/")
        if name.casefold() not in ANNOTATION_FOLDERS and not split_of(name):
            break
        folder = above
    return folder


def split_in(path: str, root: str, with_name: bool) -> str | None:
    """The split named by a file's folders below the root, or (`with_name`) by a word of its name: instances_val2017."""
    below = inside(path, root) or path
    *folders, name = below.split("/")
    for folder in reversed(folders):
        if split := split_of(folder):
            return split
    if with_name:
        for word in stem_of(name).translate(WORDS).split():
            if split := split_of(word):
                return split
    return None


def by_root(tree: Tree, paths: list[str], kind: str) -> list[DetectedDataset]:
    """One dataset per root of these annotation files; nested roots are counted separately."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        files[root_of(path)].append(path)
    datasets = []
    for root, members in files.items():
        images = tree.images_below(root) or len(tree["image"])
        datasets.append(DetectedDataset(kind, root, images, len(members), images > 0, hint=members))
    return datasets
