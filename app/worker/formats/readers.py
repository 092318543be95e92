"""The modules that read the formats, imported on demand: importing all takes longer than reading a small dataset."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from app.worker.formats.model import DetectedDataset, Options, Source
from app.worker.formats.tree import Tree


@dataclass(frozen=True)
class Reader:
    """The reader of one format.

    Args:
        module: below app.worker.formats.
        name: in the names of its functions, if it reads several formats: `read_NAME` and `detect_NAME`.
        sniffed: whether it is detected by its annotation files, see sniff.py.
    """

    module: str
    name: str = ""
    sniffed: bool = True

    def detect(self, tree: Tree, paths: list[str]) -> list[DetectedDataset]:
        """The datasets of these annotation files."""
        return self._function("detect")(tree, paths)  # type: ignore[no-any-return]

    def read(self, tree: Tree, detected: DetectedDataset, options: Options) -> Source:
        return self._function("read")(tree, detected, options)  # type: ignore[no-any-return]

    def _function(self, what: str) -> Any:
        return getattr(module_of(self.module), f"{what}_{self.name}" if self.name else what)


def module_of(name: str) -> Any:
    """A module of this package."""
    return import_module(f"app.worker.formats.{name}")


CLASS_TABLE = "csv-classes"

# Of two that match, the first one wins.
READERS = {
    "yolo": Reader("yolo", sniffed=False),
    "darknet": Reader("yolo", sniffed=False),
    "cvat-yolo": Reader("yolo", sniffed=False),
    "coco": Reader("coco"),
    "voc": Reader("voc"),
    "cvat": Reader("cvat"),
    "labelme": Reader("labelme"),
    "createml": Reader("createml"),
    "csv": Reader("table"),
    "label-studio": Reader("label_studio"),
    "supervisely": Reader("supervisely"),
    "darwin": Reader("darwin"),
    "via": Reader("via"),
    "datumaro": Reader("datumaro"),
    "labelbox": Reader("ndjson", "labelbox"),
    "ultralytics": Reader("ndjson", "ultralytics"),
    "masks": Reader("masks", sniffed=False),
    CLASS_TABLE: Reader("class_table", sniffed=False),
    "folders": Reader("folders", sniffed=False),
}
