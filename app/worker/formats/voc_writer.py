"""A version as Pascal VOC: JPEGImages, Annotations, ImageSets/Main. Boxes are rounded to whole pixels from 0, since
most readers require integers; one thinner than a pixel keeps its decimals, since rounding could make it empty.
"""

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from app.worker.formats.export_run import ExportRun, UnsupportedDataset
from app.worker.formats.geometry import format_number
from app.worker.formats.paths import stem_of
from app.worker.formats.revision_tree import RevisionImage, RevisionObject

CONTROL = {number: "_" for number in range(32) if number not in {9, 10, 13}}  # characters that XML 1.0 does not allow


def write(job: ExportRun) -> None:
    """Raises UnsupportedDataset for a classification: VOC's XML has no class for an entire image."""
    if job.revision.classification:
        raise UnsupportedDataset("Pascal VOC can't store image classes. Export the dataset as YOLO.")
    lists: dict[str, list[str]] = {split: [] for split in job.revision.splits}
    used: set[str] = set()
    for picture in job.revision.pictures:
        name = unique_name(job, picture, used)
        lists[picture.split].append(stem_of(name))
        job.archive.image(f"JPEGImages/{name}", picture.path)
        size = job.revision.size(picture)
        if size:
            job.archive.content(
                f"Annotations/{stem_of(name)}.xml", "".join(document(job, picture, name, size)).encode()
            )
        job.on_image()
    for split, names in lists.items():
        job.archive.text(f"ImageSets/Main/{split}.txt", (f"{name}\n" for name in names))
    job.archive.text("labelmap.txt", (f"{name}:::\n" for name in job.revision.names if ":" not in name))


def unique_name(job: ExportRun, picture: RevisionImage, used: set[str]) -> str:
    """The image's name, changed if two would share an XML file."""
    name, number = picture.name, 1
    while stem_of(name).casefold() in used:
        number += 1
        stem = stem_of(picture.name)
        name = f"{stem}_{number}{picture.name[len(stem) :]}"
    if number > 1:
        job.lost["renamed"] += 1
    used.add(stem_of(name).casefold())
    return name


def document(job: ExportRun, picture: RevisionImage, name: str, size: tuple[int, int]) -> Iterator[str]:
    """The XML text of an image."""
    folder, _, file_name = f"JPEGImages/{name}".rpartition("/")
    yield "<annotation>\n"
    yield f"  <folder>{text(folder)}</folder>\n  <filename>{text(file_name)}</filename>\n"
    yield "  <source>\n    <database>Unknown</database>\n  </source>\n"
    yield f"  <size>\n    <width>{size[0]}</width>\n    <height>{size[1]}</height>\n    <depth>3</depth>\n  </size>\n"
    yield "  <segmented>0</segmented>\n"
    for item in job.revision.objects(picture, size):
        job.objects += 1
        if item.outline:
            job.lost["outline_as_box"] += 1
        if item.keypoints:
            job.lost["keypoints_left_out"] += 1
        sides = zip(("xmin", "ymin", "xmax", "ymax"), rounded(job, item), strict=True)
        yield f"  <object>\n    <name>{text(job.revision.names[item.kind])}</name>\n    <pose>Unspecified</pose>\n"
        yield "    <truncated>0</truncated>\n    <difficult>0</difficult>\n    <bndbox>\n"
        yield "".join(f"      <{side}>{value}</{side}>\n" for side, value in sides)
        yield "    </bndbox>\n  </object>\n"
    yield "</annotation>\n"


def rounded(job: ExportRun, item: RevisionObject) -> list[str]:
    """Left, top, right, bottom: integers if each side is at least one pixel."""
    left, top, right, bottom = item.box
    if right - left < 1 or bottom - top < 1:
        job.lost["fraction_kept"] += 1
        return [format_number(value) for value in item.box]
    return [str(math.floor(value + 0.5)) for value in item.box]


def text(value: str) -> str:
    return escape(value.translate(CONTROL))
