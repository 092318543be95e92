"""The writers' common parts: the task, what was lost, the README in the ZIP."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.programs import LossyNote
from app.worker.formats.archive import Archive
from app.worker.formats.revision_tree import Revision

TITLES = {"yolo": "YOLO (ultralytics)", "coco": "COCO JSON", "voc": "Pascal VOC XML"}
NOTES = {
    "image_unreadable": "images could not be read and were left out",
    "label_unreadable": "label files are not UTF-8 text; their images have no objects here",
    "row_unreadable": "label rows are not valid and were left out",
    "outline_as_box": "objects have an outline or turned corners; this format holds the box round it only",
    "keypoints_left_out": "objects have keypoints, which this format does not hold; their boxes are here",
    "corners_as_polygon": "objects have four corners; this format holds no angle, so they are polygons",
    "fraction_kept": "boxes are thinner than a pixel and keep their decimals; others are whole pixels, rounded",
    "renamed": "images have the name of another one but for the suffix, and were given one of their own",
}


class UnsupportedDataset(Exception):
    """The format cannot hold this dataset."""


@dataclass
class ExportRun:
    """One export in work.

    Args:
        task: the dataset's task; None: as its rows are.
        on_image: told after each image.
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
    """What the ZIP holds, and what its format could not."""
    lines = [
        f"Format: {TITLES[kind]}",
        f"Images: {len(job.revision.pictures)}",
        f"Objects: {job.objects}",
        f"Classes: {len(job.revision.names)}",
        "",
    ]
    lines += [f"- {number}: {name}" for number, name in enumerate(job.revision.names)]
    notes = job.notes()
    lines += ["", "What could not be kept as it was:" if notes else "Everything was kept."]
    lines += [f"- {note['count']} {NOTES[str(note['code'])]}." for note in notes]
    return "\n".join(lines) + "\n"
