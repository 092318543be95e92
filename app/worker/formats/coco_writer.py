"""A version as COCO JSON: images/<split>/… and annotations/instances_<split>.json, written as a stream."""

import json
from collections.abc import Iterator
from typing import NotRequired, TypedDict

from app.worker.formats.export_run import ExportRun, UnsupportedDataset
from app.worker.formats.geometry import area
from app.worker.formats.revision_tree import RevisionImage, RevisionObject

PER_OBJECT, PER_IMAGE = 400, 200  # approximate bytes of JSON
CORNERS = 4


class CategoryPoints(TypedDict, total=False):
    """The keypoints of a class."""

    keypoints: list[str]
    skeleton: list[list[int]]


class Category(CategoryPoints):
    """A class."""

    id: int
    name: str
    supercategory: str


class Annotation(TypedDict):
    """An object; `bbox`: left, top, width, height in px; `keypoints`: x, y, visibility of all in one list."""

    id: int
    image_id: int
    category_id: int
    iscrowd: int
    bbox: list[float]
    area: float
    segmentation: list[list[float]]
    keypoints: NotRequired[list[float]]
    num_keypoints: NotRequired[int]


def write(job: ExportRun) -> None:
    """Raises UnsupportedDataset for a classification: COCO has no class for an entire image."""
    if job.revision.classification:
        raise UnsupportedDataset("COCO can't store image classes. Export the dataset as YOLO.")
    for split in job.revision.splits:
        pictures = [picture for picture in job.revision.pictures if picture.split == split]
        sizes: dict[str, tuple[int, int]] = {}
        for picture in pictures:
            size = job.revision.size(picture)
            if size:
                sizes[picture.name] = size
            job.archive.image(f"images/{split}/{picture.name}", picture.path)
            job.on_image()
        measured = [picture for picture in pictures if picture.name in sizes]
        expected = sum(picture.label.stat().st_size * 8 for picture in measured if picture.label.is_file())
        job.archive.text(
            f"annotations/{kind(job)}_{split}.json",
            document(job, measured, sizes),
            expected + PER_IMAGE * len(measured),
        )
    corners, polygons = job.outlines[True], job.outlines[False]
    # without a task, oriented boxes are those without other polygons
    if corners and (job.task == "obb" or (job.task is None and not polygons)):
        job.lost["corners_as_polygon"] = corners


def kind(job: ExportRun) -> str:
    return "person_keypoints" if job.revision.keypoints[0] else "instances"


def document(job: ExportRun, pictures: list[RevisionImage], sizes: dict[str, tuple[int, int]]) -> Iterator[str]:
    """The JSON text in parts."""
    yield '{"info": {"description": "exported dataset"}, "licenses": [], "categories": '
    yield json.dumps(categories(job), ensure_ascii=False)
    yield ', "images": ['
    for number, picture in enumerate(pictures, 1):
        width, height = sizes[picture.name]
        body = {"id": number, "file_name": picture.name, "width": width, "height": height}
        yield (",\n" if number > 1 else "\n") + json.dumps(body, ensure_ascii=False)
    yield '\n], "annotations": ['
    count = 0
    for number, picture in enumerate(pictures, 1):
        for item in job.revision.objects(picture, sizes[picture.name]):
            count += 1
            yield (",\n" if count > 1 else "\n") + json.dumps(annotation(job, item, count, number))
    job.objects += count
    yield "\n]}\n"


def categories(job: ExportRun) -> list[Category]:
    """Ids from 1, as in COCO."""
    points = [f"point_{number}" for number in range(1, job.revision.keypoints[0] + 1)]
    extra: CategoryPoints = {"keypoints": points, "skeleton": []} if points else {}
    return [
        {"id": number, "name": name, "supercategory": "none", **extra}
        for number, name in enumerate(job.revision.names, 1)
    ]


def annotation(job: ExportRun, item: RevisionObject, number: int, image: int) -> Annotation:
    """One object. Pixels with three decimals."""
    left, top, right, bottom = item.box
    width, height = max(0.0, right - left), max(0.0, bottom - top)
    outline = [round(value, 3) for point in item.outline for value in point]
    fields: Annotation = {
        "id": number,
        "image_id": image,
        "category_id": item.kind + 1,
        "iscrowd": 0,
        "bbox": [round(value, 3) for value in (left, top, width, height)],
        "area": round(area(item.outline) if item.outline else width * height, 3),
        "segmentation": [outline] if outline else [],
    }
    if item.outline:
        job.outlines[len(item.outline) == CORNERS] += 1
    if job.revision.keypoints[0]:
        points = item.keypoints or [(0.0, 0.0, 0)] * job.revision.keypoints[0]
        fields["keypoints"] = [value for x, y, visibility in points for value in (round(x, 3), round(y, 3), visibility)]
        fields["num_keypoints"] = sum(1 for *_, visibility in points if visibility)
    return fields
