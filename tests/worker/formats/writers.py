"""Drawn objects written as each tool writes them. Images are of helpers.SIZE, objects `(class, left, top, right,
bottom)` in whole pixels, or `(class, [(x, y), …])`."""

import base64
import csv
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
from PIL import Image, ImageDraw

from tests.worker.formats.helpers import SIZE

Box = tuple[str, int, int, int, int]
Outline = tuple[str, list[tuple[int, int]]]
Files = dict[str, bytes | str]
WIDTH, HEIGHT = SIZE
CLASSES = ["car", "dog", "pig"]


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows] if header else rows)
    return text.getvalue()


def each(boxes: Mapping[str, list[Box]]) -> list[tuple[str, Box]]:
    return [(name, box) for name, boxes_ in boxes.items() for box in boxes_]


def kaggle(boxes: Mapping[str, list[Box]]) -> Files:
    rows = [[name, *box[1:], box[0]] for name, box in each(boxes)]
    bare = [[name, "", "", "", "", ""] for name, boxes_ in boxes.items() if not boxes_]
    return {"train.csv": table(["image_id", "x_min", "y_min", "x_max", "y_max", "class_name"], [*rows, *bare], ";")}


def kaggle_cell(boxes: Mapping[str, list[Box]]) -> Files:
    rows = [
        [name.rpartition(".")[0], WIDTH, HEIGHT, str([float(x), y, x2 - x, y2 - y]), kind]
        for name, (kind, x, y, x2, y2) in each(boxes)
    ]
    rows += [[name.rpartition(".")[0], WIDTH, HEIGHT, "[]", ""] for name, boxes_ in boxes.items() if not boxes_]
    return {"boxes.csv": table(["image_id", "width", "height", "bbox", "label"], rows)}


def open_images(boxes: Mapping[str, list[Box]]) -> Files:
    codes = {kind: f"/m/0{number}x" for number, kind in enumerate(CLASSES)}
    rows = [
        [name.rpartition(".")[0], "xclick", codes[kind], 1, x / WIDTH, x2 / WIDTH, y / HEIGHT, y2 / HEIGHT, 0, 0, 0]
        for name, (kind, x, y, x2, y2) in each(boxes)
    ]
    header = [
        "ImageID",
        "Source",
        "LabelName",
        "Confidence",
        "XMin",
        "XMax",
        "YMin",
        "YMax",
        "IsOccluded",
        "IsTruncated",
        "IsGroupOf",
    ]
    names = [[code, kind] for kind, code in codes.items()]
    return {"oidv6-annotations-bbox.csv": table(header, rows), "class-descriptions.csv": table([], names)}


def tensorflow(boxes: Mapping[str, list[Box]]) -> Files:
    """As Roboflow writes it, too."""
    rows = [[name, WIDTH, HEIGHT, *box] for name, box in each(boxes)]
    return {"_annotations.csv": table(["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"], rows)}


def retinanet(boxes: Mapping[str, list[Box]]) -> Files:
    rows = [[name, *box[1:], box[0]] for name, box in each(boxes)]
    rows += [[name, "", "", "", "", ""] for name, boxes_ in boxes.items() if not boxes_]
    return {"list.csv": table([], rows)}


def automl(boxes: Mapping[str, list[Box]]) -> Files:
    rows = [
        ["TRAIN", f"gs://bucket/some/{name}", kind, x / WIDTH, y / HEIGHT, "", "", x2 / WIDTH, y2 / HEIGHT, "", ""]
        for name, (kind, x, y, x2, y2) in each(boxes)
    ]
    return {"automl.csv": table([], rows)}


def centres(boxes: Mapping[str, list[Box]]) -> Files:
    rows = [
        [name, (x + x2) / 2 / WIDTH, (y + y2) / 2 / HEIGHT, (x2 - x) / WIDTH, (y2 - y) / HEIGHT, kind]
        for name, (kind, x, y, x2, y2) in each(boxes)
    ]
    return {"all.csv": table(["image", "x_center", "y_center", "width", "height", "label"], rows)}


def percents(box: Box) -> dict[str, float]:
    _, left, top, right, bottom = box
    return {
        "x": left * 100 / WIDTH,
        "y": top * 100 / HEIGHT,
        "width": (right - left) * 100 / WIDTH,
        "height": (bottom - top) * 100 / HEIGHT,
        "rotation": 0,
    }


ABOUT = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}


def label_studio(boxes: Mapping[str, list[Box]]) -> Files:
    tasks = []
    for number, (name, boxes_) in enumerate(boxes.items(), 1):
        results = [
            ABOUT
            | {
                "id": f"r{index}",
                "from_name": "label",
                "to_name": "image",
                "type": "rectanglelabels",
                "value": percents(box) | {"rectanglelabels": [box[0]]},
            }
            for index, box in enumerate(boxes_)
        ]
        tasks.append(
            {
                "id": number,
                "annotations": [{"id": number, "was_cancelled": False, "result": results}],
                "file_upload": f"1a2b3c4d-{name}",
                "predictions": [],
                "data": {"image": f"/data/upload/3/1a2b3c4d-{name}"},
            }
        )
    return {"project-3-at-2025.json": json.dumps(tasks)}


def least(boxes: Mapping[str, list[Box]]) -> list[dict[str, Any]]:
    tasks = []
    for number, (name, boxes_) in enumerate(boxes.items(), 1):
        task: dict[str, Any] = {
            "image": f"/data/local-files/?d=some%20folder/{name}",
            "id": number,
            "annotator": 1,
            "annotation_id": number,
            "created_at": "2025-01-01",
            "lead_time": 2.5,
        }
        if boxes_:
            task["label"] = [percents(box) | ABOUT | {"rectanglelabels": [box[0]]} for box in boxes_]
        tasks.append(task)
    return tasks


def label_studio_min(boxes: Mapping[str, list[Box]]) -> Files:
    return {"project-min.json": json.dumps(least(boxes))}


def label_studio_csv(boxes: Mapping[str, list[Box]]) -> Files:
    header = ["image", "id", "label", "annotator", "annotation_id"]
    rows = [
        [json.dumps(task[key]) if key == "label" and key in task else task.get(key, "") for key in header]
        for task in least(boxes)
    ]
    return {"project.csv": table(header, rows)}


def supervisely(boxes: Mapping[str, list[Box]]) -> Files:
    objects = {
        name: [
            {
                "classTitle": kind,
                "geometryType": "rectangle",
                "tags": [],
                "points": {"exterior": [[x2, y2], [x, y]], "interior": []},
            }
            for kind, x, y, x2, y2 in boxes_
        ]
        for name, boxes_ in boxes.items()
    }
    return supervisely_project(objects)


def supervisely_project(objects: Mapping[str, list[dict[str, Any]]]) -> Files:
    files: Files = {
        f"ds/ann/{name}.json": json.dumps(
            {"description": "", "tags": [], "size": {"height": HEIGHT, "width": WIDTH}, "objects": objects_}
        )
        for name, objects_ in objects.items()
    }
    classes = [{"title": kind, "shape": "any", "color": "#FF0000"} for kind in CLASSES]
    return files | {"meta.json": json.dumps({"classes": classes, "tags": []})}


def darwin_file(name: str, annotations: list[dict[str, Any]]) -> str:
    slot = {"type": "image", "slot_name": "0", "width": WIDTH, "height": HEIGHT, "source_files": [{"file_name": name}]}
    return json.dumps(
        {
            "version": "2.0",
            "schema_ref": "x",
            "item": {"name": name, "path": "/", "slots": [slot]},
            "annotations": annotations,
        }
    )


def darwin(boxes: Mapping[str, list[Box]]) -> Files:
    return {
        f"releases/{name.rpartition('.')[0]}.json": darwin_file(
            name,
            [
                {
                    "id": "i",
                    "name": kind,
                    "slot_names": ["0"],
                    "bounding_box": {"x": x, "y": y, "w": x2 - x, "h": y2 - y},
                }
                for kind, x, y, x2, y2 in boxes_
            ],
        )
        for name, boxes_ in boxes.items()
    }


def darwin_1(boxes: Mapping[str, list[Box]]) -> Files:
    return {
        f"{name.rpartition('.')[0]}.json": json.dumps(
            {
                "dataset": "d",
                "image": {"width": WIDTH, "height": HEIGHT, "original_filename": name, "filename": name},
                "annotations": [
                    {"name": kind, "bounding_box": {"x": x, "y": y, "w": x2 - x, "h": y2 - y}}
                    for kind, x, y, x2, y2 in boxes_
                ],
            }
        )
        for name, boxes_ in boxes.items()
    }


def via_regions(boxes: list[Box]) -> list[dict[str, Any]]:
    return [
        {
            "shape_attributes": {"name": "rect", "x": x, "y": y, "width": x2 - x, "height": y2 - y},
            "region_attributes": {"quality": {"good": True, "frontal": True}, "type": kind},
        }
        for kind, x, y, x2, y2 in boxes
    ]


def via(boxes: Mapping[str, list[Box]]) -> Files:
    """Version 2: regions are a list."""
    return {
        "via_region_data.json": json.dumps(
            {
                f"{name}123": {"filename": name, "size": 123, "regions": via_regions(boxes_), "file_attributes": {}}
                for name, boxes_ in boxes.items()
            }
        )
    }


def via_1(boxes: Mapping[str, list[Box]]) -> Files:
    """Version 1: regions are a dictionary."""
    return {
        "via.json": json.dumps(
            {
                f"{name}123": {
                    "fileref": "",
                    "size": 123,
                    "filename": name,
                    "base64_img_data": "",
                    "file_attributes": {},
                    "regions": {str(number): item for number, item in enumerate(via_regions(boxes_))},
                }
                for name, boxes_ in boxes.items()
            }
        )
    }


def via_project(boxes: Mapping[str, list[Box]]) -> Files:
    inner = json.loads(str(via(boxes)["via_region_data.json"]))
    return {
        "via_project.json": json.dumps(
            {"_via_settings": {"ui": {}}, "_via_img_metadata": inner, "_via_attributes": {"region": {}, "file": {}}}
        )
    }


def via_csv(boxes: Mapping[str, list[Box]]) -> Files:
    header = [
        "filename",
        "file_size",
        "file_attributes",
        "region_count",
        "region_id",
        "region_shape_attributes",
        "region_attributes",
    ]
    rows: list[list[Any]] = []
    for name, boxes_ in boxes.items():
        regions = via_regions(boxes_) or [{"shape_attributes": {}, "region_attributes": {}}]
        rows += [
            [
                name,
                123,
                "{}",
                len(boxes_),
                number,
                json.dumps(item["shape_attributes"]),
                json.dumps(item["region_attributes"]),
            ]
            for number, item in enumerate(regions)
        ]
    return {"via_region_data.csv": table(header, rows)}


def via_3(boxes: Mapping[str, list[Box]]) -> Files:
    names = list(boxes)
    metadata = {
        f"1_{number}": {
            "vid": str(names.index(name) + 1),
            "flg": 0,
            "z": [],
            "xy": [2, x, y, x2 - x, y2 - y],
            "av": {"1": str(CLASSES.index(kind))},
        }
        for number, (name, (kind, x, y, x2, y2)) in enumerate(each(boxes))
    }
    return {
        "via3.json": json.dumps(
            {
                "project": {"pid": "__VIA__", "pname": "x"},
                "config": {},
                "attribute": {"1": {"aname": "class", "options": {str(n): kind for n, kind in enumerate(CLASSES)}}},
                "file": {str(n): {"fid": str(n), "fname": name, "type": 2} for n, name in enumerate(names, 1)},
                "metadata": metadata,
                "view": {str(n): {"fid_list": [str(n)]} for n in range(1, len(names) + 1)},
            }
        )
    }


def datumaro_file(objects: Mapping[str, list[dict[str, Any]]], classes: Sequence[str] = CLASSES) -> Files:
    labels = [{"name": kind, "parent": "", "attributes": []} for kind in classes]
    items = [
        {"id": name.rpartition(".")[0], "annotations": annotations, "image": {"path": name, "size": [HEIGHT, WIDTH]}}
        for name, annotations in objects.items()
    ]
    return {
        "annotations/train.json": json.dumps({"info": {}, "categories": {"label": {"labels": labels}}, "items": items})
    }


def datumaro(boxes: Mapping[str, list[Box]]) -> Files:
    return datumaro_file(
        {
            name: [
                {
                    "id": number,
                    "type": "bbox",
                    "attributes": {},
                    "group": number,
                    "label_id": CLASSES.index(kind),
                    "z_order": 0,
                    "bbox": [x, y, x2 - x, y2 - y],
                }
                for number, (kind, x, y, x2, y2) in enumerate(boxes_)
            ]
            for name, boxes_ in boxes.items()
        }
    )


def labelbox(boxes: Mapping[str, list[Box]]) -> Files:
    return {
        "export.ndjson": "".join(
            json.dumps(
                {
                    "data_row": {"id": "x", "external_id": name, "row_data": f"https://storage/x/{name}?token=1"},
                    "media_attributes": {"width": WIDTH, "height": HEIGHT},
                    "projects": {
                        "p": {
                            "labels": [
                                {
                                    "annotations": {
                                        "objects": [
                                            {
                                                "name": kind,
                                                "annotation_kind": "ImageBoundingBox",
                                                "bounding_box": {
                                                    "top": y,
                                                    "left": x,
                                                    "height": y2 - y,
                                                    "width": x2 - x,
                                                },
                                            }
                                            for kind, x, y, x2, y2 in boxes_
                                        ],
                                        "classifications": [],
                                    }
                                }
                            ]
                        }
                    },
                }
            )
            + "\n"
            for name, boxes_ in boxes.items()
        )
    }


def ultralytics(boxes: Mapping[str, list[Box]]) -> Files:
    lines: list[dict[str, Any]] = [
        {
            "type": "dataset",
            "task": "detect",
            "name": "x",
            "class_names": {str(n): kind for n, kind in enumerate(CLASSES)},
        }
    ]
    for name, boxes_ in boxes.items():
        rows = [
            [CLASSES.index(kind), (x + x2) / 2 / WIDTH, (y + y2) / 2 / HEIGHT, (x2 - x) / WIDTH, (y2 - y) / HEIGHT]
            for kind, x, y, x2, y2 in boxes_
        ]
        lines.append(
            {
                "type": "image",
                "file": name,
                "url": "https://x",
                "width": WIDTH,
                "height": HEIGHT,
                "split": "train",
                "annotations": {"boxes": rows} if rows else {},
            }
        )
    return {"dataset.ndjson": "\n".join(map(json.dumps, lines))}


def labelme_file(name: str, shapes: list[dict[str, Any]]) -> Files:
    return {
        f"{name.rpartition('.')[0]}.json": json.dumps(
            {
                "version": "5.5.0",
                "flags": {},
                "shapes": shapes,
                "imagePath": name,
                "imageData": None,
                "imageHeight": HEIGHT,
                "imageWidth": WIDTH,
            }
        )
    }


def labelme_masks(boxes: Mapping[str, list[Box]]) -> Files:
    files: Files = {}
    for name, boxes_ in boxes.items():
        files |= labelme_file(
            name,
            [
                {
                    "label": kind,
                    "points": [[x, y], [x2 - 1, y2 - 1]],
                    "group_id": None,
                    "shape_type": "mask",
                    "mask": png(numpy.ones((y2 - y, x2 - x), bool)),
                }
                for kind, x, y, x2, y2 in boxes_
            ],
        )
    return files


def png(mask: Any) -> str:
    """As labelme encodes a mask."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def supervisely_bitmaps(boxes: Mapping[str, list[Box]]) -> Files:
    objects: dict[str, list[dict[str, Any]]] = {}
    for name, boxes_ in boxes.items():
        objects[name] = []
        for kind, x, y, x2, y2 in boxes_:
            packed = base64.b64encode(zlib.compress(base64.b64decode(png(numpy.ones((y2 - y, x2 - x), bool)))))
            objects[name].append(
                {"classTitle": kind, "geometryType": "bitmap", "bitmap": {"data": packed.decode(), "origin": [x, y]}}
            )
    return supervisely_project(objects)


def coco_runs(boxes: Mapping[str, list[Box]]) -> Files:
    """Run lengths down the columns, compressed in every second object as by pycocotools."""
    annotations = []
    for number, (name, (kind, x, y, x2, y2)) in enumerate(each(boxes), 1):
        runs = runs_of(filled([(x, y), (x2, y), (x2, y2), (x, y2)]).T.ravel())
        annotations.append(
            {
                "id": number,
                "image_id": list(boxes).index(name),
                "category_id": CLASSES.index(kind),
                "iscrowd": 0,
                "area": 1,
                "bbox": [x, y, x2 - x, y2 - y],
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": packed(runs) if number % 2 else runs},
            }
        )
    images = [{"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(boxes)]
    categories = [{"id": n, "name": kind} for n, kind in enumerate(CLASSES)]
    return {"coco.json": json.dumps({"images": images, "annotations": annotations, "categories": categories})}


def filled(points: Sequence[tuple[float, float]]) -> Any:
    """The pixels of a polygon whose corners are the corners of pixels (an upright one)."""
    mask = numpy.zeros((HEIGHT, WIDTH), numpy.uint8)
    (left, top), (right, bottom) = points[0], points[2]
    mask[int(top) : int(bottom), int(left) : int(right)] = 1
    return mask


def runs_of(values: Any) -> list[int]:
    runs, value, count = [], 0, 0
    for item in values:
        if item != value:
            runs.append(count)
            value, count = int(item), 0
        count += 1
    return [*runs, count]


def packed(runs: list[int]) -> str:
    """rleToString of cocoapi's maskApi.c."""
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != -1 if bits & 16 else value != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


def cvat_images(shapes: Mapping[str, Sequence[str]]) -> Files:
    images = "".join(
        f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">{"".join(elements)}</image>'
        for number, (name, elements) in enumerate(shapes.items())
    )
    return {"annotations.xml": cvat_xml(images)}


def cvat_xml(body: str, more: str = "", labels: str = "") -> str:
    labels = labels or "".join(f"<label><name>{kind}</name></label>" for kind in CLASSES)
    head = f"<version>1.1</version><meta><task>{more}<labels>{labels}</labels></task></meta>"
    return f"<annotations>{head}{body}</annotations>"


def cvat_masks(boxes: Mapping[str, list[Box]]) -> Files:
    return cvat_images(
        {
            name: [
                f'<mask label="{kind}" source="manual" occluded="0" rle="0, {(x2 - x) * (y2 - y)}" '
                f'left="{x}" top="{y}" width="{x2 - x}" height="{y2 - y}" z_order="0"></mask>'
                for kind, x, y, x2, y2 in boxes_
            ]
            for name, boxes_ in boxes.items()
        }
    )


WRITERS: dict[str, tuple[str, Callable[[Mapping[str, list[Box]]], Files]]] = {
    writer.__name__: (key, writer)
    for key, writers in {
        "csv": (kaggle, kaggle_cell, open_images, tensorflow, retinanet, automl, centres),
        "label-studio": (label_studio, label_studio_min, label_studio_csv),
        "supervisely": (supervisely, supervisely_bitmaps),
        "darwin": (darwin, darwin_1),
        "via": (via, via_1, via_project, via_csv, via_3),
        "datumaro": (datumaro,),
        "labelbox": (labelbox,),
        "ultralytics": (ultralytics,),
        "labelme": (labelme_masks,),
        "cvat": (cvat_masks,),
        "coco": (coco_runs,),
    }.items()
    for writer in writers
}


def brush(mask: Any) -> list[int]:
    """As Label Studio encodes a brush: here every run is one of equal bytes, with lengths of 8 bits at most."""
    rgba = numpy.repeat((mask.ravel() * 255).astype(numpy.uint8), 4)
    bits = f"{len(rgba):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 5, 8, 12))
    start = 0
    while start < len(rgba):
        end = start
        while end < len(rgba) and rgba[end] == rgba[start] and end - start < 256:
            end += 1
        bits += f"1{2:02b}{end - start - 1:08b}{int(rgba[start]):08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def drawn(points: Sequence[tuple[int, int]]) -> Any:
    """The pixels of any polygon."""
    image = Image.new("1", SIZE)
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=1)
    return numpy.asarray(image)
