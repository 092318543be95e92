"""Common parts of the writers: the task, losses, the README in the ZIP."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.programs import LossyNote
from app.worker.formats.archive import Archive
from app.worker.formats.revision_tree import Revision

TITLES = {"yolo": "YOLO (ultralytics)", "coco": "COCO JSON", "voc": "Pascal VOC XML"}
NOTES = {  # notes after a count: singular, plural
    "image_unreadable": ("image can't be read and was left out", "images can't be read and were left out"),
    "label_unreadable": (
        "label file isn't UTF-8 text; its image has no objects here",
        "label files aren't UTF-8 text; their images have no objects here",
    ),
    "row_unreadable": ("label row isn't valid and was left out", "label rows aren't valid and were left out"),
    "outline_as_box": (
        "object has a polygon or is an oriented box; this format stores only its bounding box",
        "objects have polygons or are oriented boxes; this format stores only their bounding boxes",
    ),
    "keypoints_left_out": (
        "object has keypoints, which this format doesn't store; its bounding box is here",
        "objects have keypoints, which this format doesn't store; their bounding boxes are here",
    ),
    "corners_as_polygon": (
        "object is an oriented box; this format stores no angle, so it is a polygon",
        "objects are oriented boxes; this format stores no angle, so they are polygons",
    ),
    "fraction_kept": (
        "box is thinner than a pixel and keeps its decimals",
        "boxes are thinner than a pixel and keep their decimals",
    ),
    "renamed": (
        "image has the name of another one but for the suffix, and was renamed",
        "images have the names of others but for the suffix, and were renamed",
    ),
}
FIRST_CLASS = {"yolo": 0, "coco": 1}  # in files with class numbers; VOC and class folders have only names
ROUNDED = "Boxes are rounded to whole pixels, as usual in this format."


class UnsupportedDataset(Exception):
    """The format cannot represent this dataset."""


@dataclass
class ExportRun:
    """One export in progress.

    Args:
        task: the dataset's task; None: determined by its rows.
        on_image: called after each image.
    """

    revision: Revision
    archive: Archive
    task: str | None
    on_image: Callable[[], None]
    objects: int = 0
    outlines: Counter[bool] = field(default_factory=Counter)  # by whether they have four corners
    lost: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[LossyNote]:
        total = self.lost + self.revision.dropped
        return [{"code": code, "count": count} for code, count in sorted(total.items())]


def readme(job: ExportRun, kind: str) -> str:
    """The contents of the ZIP, and what its format could not represent."""
    revision, notes = job.revision, job.notes()
    lines = [f"Format: {TITLES[kind]}", f"Images: {len(revision.pictures)}"]
    if not revision.classification:  # in a classification, classes are not objects
        lines.append(f"Objects: {job.objects}")
    first = None if revision.classification else FIRST_CLASS.get(kind)
    lines += [f"Classes: {len(revision.names)}", ""]
    for number, name in enumerate(revision.names, first or 0):
        lines.append(f"- {name}" if first is None else f"- {number}: {name}")
    lines.append("")
    if kind == "voc":
        lines.append(ROUNDED)
    if notes:
        lines.append("What could not be kept as it was:")
    else:
        lines.append("Everything else was kept." if kind == "voc" else "Everything was kept.")
    lines += [f"- {note['count']} {NOTES[str(note['code'])][note['count'] != 1]}." for note in notes]
    return "\n".join(lines) + "\n"
