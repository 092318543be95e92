"""The lists of ImageSets beside masks, as VOC and CVAT write them."""

from app.worker.formats.paths import folder_of, join, split_of, stem_of
from app.worker.formats.tree import Tree

SETS = ("ImageSets/Segmentation", "ImageSets/Main")
MAX_LIST = 4 * 1024**2  # bytes


class MaskSplits:
    """The lists of ImageSets: the split of an image by its name."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.lists: list[str] = []
        self.ids: dict[str, str] = {}
        for folder in SETS:
            for path in tree["text"]:
                split = split_of(stem_of(path.rpartition("/")[2]))
                if split and folder_of(path) == join(root, folder):
                    self.read_list(tree, path, split)
            if self.lists:
                break

    def read_list(self, tree: Tree, path: str, split: str) -> None:
        self.lists.append(path)
        for line in tree.text(path, MAX_LIST).splitlines():
            if line.strip():
                self.ids.setdefault(line.strip(), split)

    def split(self, image: str) -> str | None:
        parts = stem_of(image).split("/")
        tails = ("/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1))
        return next((self.ids[tail] for tail in tails if tail in self.ids), None)
