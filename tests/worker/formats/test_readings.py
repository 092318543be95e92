"""Drawn boxes, written in every interpretation and format, and read back: as they were meant, over the whole
dataset.
"""

import io
import json
import os
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.worker.formats import Options, Source, choose, detect, disputed_sizes, read
from app.worker.formats.box_numbers import sides
from app.worker.formats.coordinate_frames import TURNS
from app.worker.formats.meaning import turned_coordinates
from app.worker.formats.rows import columns_of
from app.worker.formats.sizes import DisplayedSize, image_size
from tests.worker.formats.helpers import codes, write

NAMES = ["car", "traffic light"]
STORED = (160, 120)  # of the images stored rotated, and of the others
SIDES = ("xmin", "ymin", "xmax", "ymax")
TOLERANCE = 0.02  # of the image: whole pixels

Box = tuple[int, float, float, float, float]  # class, left, top, right, bottom in fractions of the displayed image
Boxes = dict[str, list[Box]]
Files = dict[str, bytes | str]


def draw(seed: int, images: int = 10, each: int = 3) -> Boxes:
    """Boxes of usual sizes, anywhere in their images."""
    rng = random.Random(seed)
    drawn: Boxes = {}
    for image in range(images):
        boxes = []
        for number in range(each):
            width, height = rng.uniform(0.1, 0.35), rng.uniform(0.12, 0.4)
            left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
            boxes.append((number % 2, left, top, left + width, top + height))
        drawn[f"p{image}"] = boxes
    return drawn


def picture(size: tuple[int, int] = STORED, turn: int = 1, form: str = "JPEG") -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[274] = turn
    tags: dict[str, Any] = {"tiffinfo": {274: turn}} if form == "TIFF" else {"exif": exif.tobytes()}
    Image.new("RGB", size, (90, 120, 60)).save(buffer, form, **({} if turn == 1 else tags))
    return buffer.getvalue()


def read_twice(folder: Path, **options: Any) -> Source:
    """Read a source, and read it again with its images if these differ from the annotations."""
    chosen = Options(**options)
    source = read(folder, choose(detect(folder, chosen.task), chosen), chosen)
    sizes = {item.image: displayed_size(folder / item.image) for item in source.items}
    if disputed := disputed_sizes(source, sizes):
        source = read(folder, choose(detect(folder, chosen.task), chosen), chosen, disputed)
    return source


def displayed_size(path: Path) -> DisplayedSize:
    size = image_size(path)
    assert size
    with Image.open(path) as image:
        return DisplayedSize(size, image.getexif().get(274, 1))


def boxes_of(folder: Path, source: Source) -> Boxes:
    """The boxes as training would use them, by image."""
    by_image: Boxes = {}
    for item in source.items:
        lines = (
            [row.text for row in item.rows]
            if item.rows is not None
            else ((folder / item.label).read_text().splitlines() if item.label else [])
        )
        boxes = []
        for kind, *values in [[float(value) for value in line.split()] for line in lines]:
            if source.task in {None, "pose", "detect"} and (len(values) == 4 or source.keypoints):
                boxes.append((int(kind), *sides(values[:4], "centre")))
            else:
                boxes.append((int(kind), min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])))
        by_image[item.image.rpartition("/")[2].rpartition(".")[0]] = boxes
    return by_image


def same(read_boxes: Boxes, drawn: Boxes) -> None:
    assert read_boxes.keys() == drawn.keys()
    for image, boxes in drawn.items():
        assert len(read_boxes[image]) == len(boxes), image
        remaining = list(read_boxes[image])
        for box in boxes:
            nearest = min(remaining, key=lambda candidate, box=box: (candidate[0] != box[0], distance(candidate, box)))  # type: ignore[misc]
            assert nearest[0] == box[0], (image, box)
            assert distance(nearest, box) <= TOLERANCE, (image, box, nearest)
            remaining.remove(nearest)


def distance(one: Box, second: Box) -> float:
    return max(abs(a - b) for a, b in zip(one[1:], second[1:], strict=True))


def drawn_as_read(folder: Path, source: Source) -> bool:
    """Whether each choice shows its images as the import read them, regardless of the other choices."""
    read_boxes, count = boxes_of(folder, source), 0
    for item in source.decisions:
        for example in item.get("examples", ()):
            read_as = read_boxes[example["image"].rpartition("/")[2].rpartition(".")[0]]
            count += 1
            for shape, box in zip(example["drawn"][item["reading"]], read_as, strict=True):
                flat = [value for point in shape.get("points", ()) for value in point]
                here = sides(shape["box"], "centre") if shape["kind"] == "box" else corners(flat)
                if distance((0, *here), box) > TOLERANCE:
                    return False
    return count > 0


def corners(flat: list[float]) -> tuple[float, float, float, float]:
    return min(flat[::2]), min(flat[1::2]), max(flat[::2]), max(flat[1::2])


def readings_of(source: Source) -> list[str]:
    return [code for code in codes(source) if code.startswith("reading_")]


def centre(box: Box) -> tuple[float, float, float, float]:
    _, left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


# The numbers of a row after its class, and its decision: None if it is nearly certain.
ROWS: dict[str, tuple[Callable[[Box], list[float]], str | None]] = {
    "centre": (lambda b: [*centre(b)], None),
    "corners": (lambda b: [*b[1:]], "reading_corners"),
    "corners_xxyy": (lambda b: [b[1], b[3], b[2], b[4]], "reading_corners_xxyy"),
    "top_left": (lambda b: [b[1], b[2], b[3] - b[1], b[4] - b[2]], "reading_top_left"),
    "pixel corners, y first": (
        lambda b: [round(value) for value in (b[2] * STORED[1], b[1] * STORED[0], b[4] * STORED[1], b[3] * STORED[0])],
        "reading_corners_yxyx",
    ),
    "pixel corners, x1 x2 y1 y2": (
        lambda b: [round(value) for value in (b[1] * STORED[0], b[3] * STORED[0], b[2] * STORED[1], b[4] * STORED[1])],
        "reading_corners_xxyy",
    ),
    "pixel corners": (lambda b: [round(value) for value in pixels(*b[1:])], "reading_corners"),
    "confidence": (lambda b: [*centre(b), 0.42 + b[1] / 3], None),
    "confidence before pixel corners": (
        lambda b: [0.42 + b[1] / 3, *(round(value) for value in pixels(*b[1:]))],
        "reading_corners",
    ),
    "corners, confidence and track": (lambda b: [*b[1:], 0.5, 1 + b[0]], "reading_box reading_corners"),
    "confidence and track": (lambda b: [*centre(b), 0.42 + b[1] / 3, 1 + b[0]], "reading_box"),
    "keypoints": (lambda b: [*centre(b), *inner(b, 2, 4)], "reading_keypoints"),
    "one keypoint": (lambda b: [*centre(b), *inner(b, 2, 1)], "reading_keypoints"),
    "keypoints with confidence": (lambda b: [*centre(b), *inner(b, 3, 5)], "reading_keypoints"),
    "keypoints with visibility": (lambda b: [*centre(b), *inner(b, 3, 3, mark=True)], None),
    "keypoints and confidence": (lambda b: [*centre(b), *inner(b, 2, 6), 0.7], "reading_keypoints"),
}


def inner(box: Box, size: int, count: int, mark: bool = False) -> list[float]:
    """Points in a box, always the same ones."""
    rng, points = random.Random(str(box)), list[float]()
    for _ in range(count):
        points += [rng.uniform(box[1], box[3]), rng.uniform(box[2], box[4])]
        points += [float(rng.choice((1, 2))) if mark else rng.uniform(0.5, 1)] if size == 3 else []
    return points


# How tools write a row of numbers.
STYLES: dict[str, Callable[[str, list[float]], str]] = {
    "plain": lambda kind, values: " ".join([kind, *map("{:.6f}".format, values)]),
    "decimal commas": lambda kind, values: " ".join([kind, *map("{:.6f}".format, values)]).replace(".", ","),
    "comma columns": lambda kind, values: ",".join([kind, *map("{:.6f}".format, values)]),
    "commas and spaces": lambda kind, values: ", ".join([kind, *map("{:.6f}".format, values)]),
    "bars": lambda kind, values: "|".join([kind, *map("{:.6f}".format, values)]),
    "brackets": lambda kind, values: "[" + ", ".join([f'"{kind}"', *map("{:.6f}".format, values)]) + "]",
    "a colon": lambda kind, values: f"{kind}: " + " ".join(map("{:.6f}".format, values)),
    "semicolons": lambda kind, values: ";".join([kind, *map("{:.6f}".format, values)]).replace(".", ","),
}


def yolo(drawn: Boxes, way: str, style: str, kind: Callable[[int], str] = str, names: str = "") -> Files:
    files: Files = {"data.yaml": names or f"names: {json.dumps(NAMES)}\n"}
    for image, boxes in drawn.items():
        files[f"images/{image}.jpg"] = picture()
        files[f"labels/{image}.txt"] = "".join(f"{STYLES[style](kind(box[0]), ROWS[way][0](box))}\n" for box in boxes)
    return files


@given(
    seed=st.integers(0, 10**6),
    way=st.sampled_from([*ROWS]),
    style=st.sampled_from([*STYLES]),
    classes=st.sampled_from(["numbers", "names", "from one"]),
)
@settings(max_examples=60, deadline=None)
def test_yolo_rows_come_back(tmp_path_factory: Any, seed: int, way: str, style: str, classes: str) -> None:
    drawn = draw(seed)
    kind: dict[str, Callable[[int], str]] = {
        "numbers": str,
        "names": lambda number: NAMES[number],
        "from one": lambda number: str(number + 1),
    }
    folder = write(tmp_path_factory.mktemp("set"), yolo(drawn, way, style, kind[classes]))
    source = read_twice(folder)
    same(boxes_of(folder, source), drawn)
    assert source.names == NAMES
    expected = (ROWS[way][1] or "").split() + ["reading_one_based"] * (classes == "from one")
    assert readings_of(source) == sorted(expected)
    assert (source.task == "pose") == ("keypoint" in way)


@pytest.mark.parametrize("way", ["corners", "top_left", "confidence and track", "keypoints"])
def test_a_reading_is_turned(tmp_path: Path, way: str) -> None:
    """By the parameter, with its own decision, whatever the import would choose."""
    folder = write(tmp_path, yolo(draw(7), way, "plain"))
    [decision] = [item for item in read_twice(folder).decisions if item["code"].startswith("reading_")]
    assert len(decision["examples"]) == 3
    for option in decision["change"]["options"][1:]:
        source = read_twice(folder, reading=(option,))
        [again] = [item for item in source.decisions if item["code"].startswith("reading_")]
        assert (again["reading"], again["confirmed"]) == (option, True)
        assert set(again["change"]["options"]) == set(decision["change"]["options"])


def test_what_is_as_yolo_has_it_stays_as_it_came(tmp_path: Path) -> None:
    """Boxes that touch the edges, some a little outside, an outline of constant length, a class without objects."""
    boxes = {"a": [(0, 0.0, 0.0, 0.5, 0.5), (0, 0.5, 0.5, 1.004, 1.0)], "b": [(0, 0.2, 0.2, 1.0, 1.0)]}
    source = read_twice(write(tmp_path / "edges", yolo(boxes, "centre", "plain")))
    assert (readings_of(source), [item.rows for item in source.items]) == ([], [None, None])
    outline = "0 0.1 0.1 0.9 0.12 0.88 0.9 0.1 0.85\n1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n"
    files = yolo(boxes, "centre", "plain") | dict.fromkeys(("labels/a.txt", "labels/b.txt"), outline)
    source = read_twice(write(tmp_path / "outlines", files))
    assert (readings_of(source), [item.rows for item in source.items]) == ([], [None, None])
    files = yolo(boxes, "centre", "plain", lambda _: "1", "names: [a, b, c]\n")
    assert readings_of(read_twice(write(tmp_path / "classes", files))) == []


# Variants of a whole label file, with additions.
FILES: dict[str, Callable[[str], str | bytes]] = {
    "heading": lambda rows: f"class x_center y_center width height\n{rows}",
    "comment": lambda rows: f"# made by hand\n{rows}",
    "count": lambda rows: f"{rows.count(chr(10))}\n{rows}",
    "count behind a blank line": lambda rows: f"\n{rows.count(chr(10))}\n{rows}",
    "the end of a file in DOS": lambda rows: f"{rows}\x1a",
    "a block of the disk": lambda rows: rows.encode() + bytes(64),
    "count and CR": lambda rows: f"{rows.count(chr(10))}\n{rows}".replace("\n", "\r"),
    "UTF-16": lambda rows: rows.encode("utf-16"),
    "class last": lambda rows: "".join(
        " ".join([*row.split()[1:], row.split()[0]]) + "\n" for row in rows.split("\n")[:-1]
    ),
}


@pytest.mark.parametrize("kind", [*FILES])
def test_label_files_as_people_write_them(tmp_path: Path, kind: str) -> None:
    drawn = draw(11)
    files = yolo(drawn, "centre", "plain")
    files |= {name: FILES[kind](str(text)) for name, text in files.items() if name.startswith("labels/")}
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert {"rows_mended", "rows_layout"} & set(codes(source))


@pytest.mark.parametrize("more", [[0, 0], [0, 1, 0], [-1]])
def test_flags_behind_boxes(tmp_path: Path, more: list[int]) -> None:
    """Truncated, occluded, a constant track id: no outline and no angle."""
    drawn = draw(12)
    files = yolo(drawn, "centre", "plain")
    for name in [name for name in files if name.startswith("labels/")]:
        files[name] = re.sub(r"(?m)$", " " + " ".join(map(str, more)), str(files[name]).rstrip("\n")) + "\n"
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)


@pytest.mark.parametrize(("scale", "way"), [(100, "percent"), (1000, "thousandths")])
def test_percent_and_thousandths(tmp_path: Path, scale: int, way: str) -> None:
    drawn = draw(13)
    files = yolo(drawn, "centre", "plain")
    for image, boxes in drawn.items():
        files[f"labels/{image}.txt"] = "".join(
            f"{box[0]} {' '.join(str(round(scale * value, 2)) for value in centre(box))}\n" for box in boxes
        )
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert drawn_as_read(tmp_path, source)
    assert f"reading_{way}" in readings_of(source)
    [again] = [item for item in read_twice(tmp_path, reading=("pixels",)).decisions if item["code"] == "reading_pixels"]
    assert (again["confirmed"], again["change"]["options"]) == (True, ["pixels", way])


@pytest.mark.parametrize("shape", ["boxes", "corners", "outlines"])
def test_files_in_fractions_beside_files_in_pixels(tmp_path: Path, shape: str) -> None:
    """From two tools: each row is read by its own numbers, and a user can choose another interpretation and undo it."""
    drawn = draw(33)
    files = yolo(drawn, "centre", "plain")
    for index, (image, boxes) in enumerate(drawn.items()):
        lines = []
        for box in boxes:
            four = [box[1], box[2], box[3], box[4]] if shape == "corners" and index % 3 else [*centre(box)]
            outline = [box[1], box[2], box[3], box[2], box[3], box[4], box[1], box[4]]
            values = outline if shape == "outlines" else four
            scale = STORED if index % 3 else (1, 1)
            lines.append(f"{box[0]} {' '.join(f'{value * scale[at % 2]:.3f}' for at, value in enumerate(values))}\n")
        files[f"labels/{image}.txt"] = "".join(lines)
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert drawn_as_read(tmp_path, source)
    [unit] = [item for item in source.decisions if item["code"] == "reading_fractions_and_pixels"]
    assert (unit["data"], len(unit["examples"])) == ({"pixels": 18, "rows": 30}, 3)
    for option in unit["change"]["options"]:
        [again] = [
            item for item in read_twice(tmp_path, reading=(option,)).decisions if item["code"] == f"reading_{option}"
        ]
        assert again["confirmed"]
        assert set(again["change"]["options"]) == set(unit["change"]["options"])
        assert set(again["examples"][0]["drawn"]) == set(unit["change"]["options"])


def test_one_reading_is_never_all_that_can_be_chosen(tmp_path: Path) -> None:
    """Corners in pixels: certain, and still drawn beside YOLO's interpretation."""
    source = read_twice(write(tmp_path, yolo(draw(34), "pixel corners", "plain")))
    [boxes] = [item for item in source.decisions if item["code"] == "reading_corners"]
    assert boxes["change"]["options"] == ["corners", "centre"]
    assert boxes["data"]["outside"] > 0, "as centre and size, which the text says"


def coco_of(
    drawn: Boxes, box: Callable[[int, Box], list[float]], outline: Callable[[Box], list[float]] | None
) -> Files:
    """A COCO file of these boxes, and their images."""
    images, objects = [], []
    for index, (image, boxes) in enumerate(drawn.items()):
        images.append({"id": index, "file_name": f"{image}.jpg", "width": STORED[0], "height": STORED[1]})
        for each in boxes:
            entry = {"id": len(objects), "image_id": index, "category_id": each[0], "bbox": box(index, each)}
            objects.append(entry | ({"segmentation": [outline(each)]} if outline else {}))
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES)]
    body = json.dumps({"images": images, "annotations": objects, "categories": categories})
    return {f"{image}.jpg": picture() for image in drawn} | {"a.json": body}


def scaled_box(box: Box, across: float, down: float) -> list[float]:
    return [box[1] * across, box[2] * down, (box[3] - box[1]) * across, (box[4] - box[2]) * down]


def scaled_outline(box: Box, across: float, down: float) -> list[float]:
    corners = ((1, 2), (3, 2), (3, 4), (1, 4))
    return [value for x, y in corners for value in (box[x] * across, box[y] * down)]


@pytest.mark.parametrize("unit", ["fractions", "pixels"])
def test_coco_outlines_in_another_unit_than_their_boxes(tmp_path: Path, unit: str) -> None:
    drawn = draw(35)
    here, there = ((1, 1), STORED) if unit == "pixels" else (STORED, (1, 1))
    files = coco_of(drawn, lambda _, box: scaled_box(box, *here), lambda box: scaled_outline(box, *there))
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert f"outlines_{unit}" in codes(source)


def test_coco_of_two_tools(tmp_path: Path) -> None:
    """One rounds: its boxes at the edge reach a little beyond 1."""
    drawn = {image: [*boxes, (0, 0.73, 0.5, 1.0025, 1.0025)] for image, boxes in draw(36).items()}
    files = coco_of(drawn, lambda index, box: scaled_box(box, *(STORED if index % 2 else (1, 1))), None)
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert drawn_as_read(tmp_path, source)
    assert readings_of(source) == ["reading_fractions_and_pixels"]
    assert readings_of(read_twice(tmp_path, reading=("pixels",))) == ["reading_pixels"]


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_percents_where_a_format_has_pixels(tmp_path: Path, kind: str) -> None:
    """Boxes that all lie within the first 100 pixels of far larger images, and cover all of these."""
    drawn = {image: [*boxes, (0, 0.7, 0.6, 1.0, 0.97)] for image, boxes in draw(37).items()}
    files = coco_of(drawn, lambda _, box: scaled_box(box, 100, 100), None)
    if kind == "voc":
        del files["a.json"]
        for image, boxes in drawn.items():
            sides = [
                "".join(f"<{name}>{100 * value:.2f}</{name}>" for name, value in zip(SIDES, box[1:], strict=True))
                for box in boxes
            ]
            objects = [
                f"<object><name>{NAMES[box[0]]}</name><bndbox>{text}</bndbox></object>"
                for box, text in zip(boxes, sides, strict=True)
            ]
            files[f"{image}.xml"] = f"<annotation><filename>{image}.jpg</filename>{''.join(objects)}</annotation>"
    files |= {name: picture((640, 480)) for name in files if name.endswith(".jpg")}
    files = {
        name: str(text).replace(": 160", ": 640").replace(": 120", ": 480") if name == "a.json" else text
        for name, text in files.items()
    }
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert drawn_as_read(tmp_path, source)
    assert readings_of(source) == ["reading_percent"]
    assert readings_of(read_twice(tmp_path, reading=("pixels",))) == ["reading_pixels"]


@pytest.mark.parametrize("name", ["my photo &amp; {0}.jpg", "my+photo+&+{0}.jpg", "my%20photo%20%26%20{0}.jpg", None])
def test_names_that_are_spelled_otherwise(tmp_path: Path, name: str | None) -> None:
    """As in HTML, forms and addresses; COCO's own files can be recognized by their ids alone."""
    images = [{"id": number, "width": 160, "height": 120} for number in (139, 285)]
    files: Files = {}
    for image in images:
        name_here = f"my photo & {image['id']}.jpg" if name else f"{image['id']:012}.jpg"
        files[name_here] = picture()
        image |= {"file_name": name.format(image["id"])} if name else {}  # type: ignore[assignment, dict-item]
    objects = [
        {"id": n, "image_id": image["id"], "category_id": 1, "bbox": [9, 9, 40, 40]} for n, image in enumerate(images)
    ]
    body = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "car"}]}
    source = read_twice(write(tmp_path, files | {"a.json": json.dumps(body)}))
    assert ([len(item.rows or ()) for item in source.items], source.findings) == ([1, 1], [])


@pytest.mark.parametrize("layout", ["KITTI", "DOTA"])
def test_rows_of_kitti_and_dota(tmp_path: Path, layout: str) -> None:
    drawn = draw(14)
    files = yolo(drawn, "centre", "plain")
    del files["data.yaml"]
    for image, boxes in drawn.items():
        rows = []
        for box in boxes:
            left, top, right, bottom = (f"{value:.1f}" for value in pixels(*box[1:]))
            if layout == "KITTI":
                rows.append(
                    f"{NAMES[box[0]].split()[0]} 0.00 0 -1.57 {left} {top} {right} {bottom} 1.5 1.6 3.9 1 2 3 0.1"
                )
            else:
                rows.append(f"{left} {top} {right} {top} {right} {bottom} {left} {bottom} {NAMES[box[0]].split()[0]} 0")
        head = "imagesource:GoogleEarth\ngsd:0.146\n" if layout == "DOTA" else ""
        more = "DontCare -1 -1 -10 1.0 1.0 9.0 9.0 -1 -1 -1 -1000 -1000 -1000 -10\n" if layout == "KITTI" else ""
        files[f"labels/{image}.txt"] = head + "\n".join(rows) + "\n" + more
    source = read_twice(write(tmp_path, files))
    assert source.names == ["car", "traffic"]
    same(boxes_of(tmp_path, source), drawn)


@pytest.mark.parametrize("listed", [False, True])
def test_rows_of_visdrone(tmp_path: Path, listed: bool) -> None:
    """Left, top, width, height, score, class from 0 (ignored regions), truncation, occlusion."""
    drawn = draw(31)
    files = yolo(drawn, "centre", "plain", names="names: [pedestrian, car]\n")
    if not listed:
        del files["data.yaml"]
    for image, boxes in drawn.items():
        rows = ["3,3,40,30,0,0,0,0\n", "5,5,10,10,0,11,0,1\n"]
        for kind, left, top, right, bottom in boxes:
            box = pixels(left, top, right - left, bottom - top)
            rows.append(f"{','.join(str(round(value)) for value in box)},1,{(1, 4)[kind]},0,2\n")
        files[f"labels/{image}.txt"] = "".join(rows)
    source = read_twice(write(tmp_path, files))
    assert sorted(source.names) == ["car", "pedestrian"]
    same(
        boxes_of(tmp_path, source),
        {
            image: [(source.names.index(["pedestrian", "car"][box[0]]), *box[1:]) for box in boxes_]
            for image, boxes_ in drawn.items()
        },
    )


def test_one_box_that_reaches_out_changes_nothing(tmp_path: Path) -> None:
    drawn = draw(3)
    drawn["p0"][0] = (0, -0.2, 0.1, 0.3, 0.4)
    assert readings_of(read_twice(write(tmp_path, yolo(drawn, "centre", "plain")))) == []


def test_many_boxes_outside_their_image_are_reported(tmp_path: Path) -> None:
    """No interpretation fits: the usual one stays, and the user is asked."""
    drawn = {image: [(0, -0.3 + number / 50, 0.7, 0.4, 1.3) for number in range(3)] for image in draw(1)}
    assert readings_of(read_twice(write(tmp_path, yolo(drawn, "centre", "plain")))) == ["reading_centre"]


def test_classes_without_names_retain_their_numbers(tmp_path: Path) -> None:
    files = yolo(draw(2), "centre", "plain", lambda number: str(number + 1))
    del files["data.yaml"]
    source = read_twice(write(tmp_path / "unnamed", files))
    assert (source.names, readings_of(source)) == (["class_1", "class_2"], ["reading_one_based"])
    files["data.yaml"] = "nc: 2\n"
    source = read_twice(write(tmp_path / "counted", files))
    assert (source.names, readings_of(source)) == (["class_0", "class_1"], ["reading_one_based"])


def test_names_in_rows_without_a_list(tmp_path: Path) -> None:
    drawn = draw(4)
    files = yolo(drawn, "pixel corners", "plain", lambda number: NAMES[number])
    del files["data.yaml"]
    source = read_twice(write(tmp_path, files))
    assert source.names == NAMES
    same(boxes_of(tmp_path, source), drawn)


def test_outlines_of_predictions(tmp_path: Path) -> None:
    rows = "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.8 0.5 0.5 {more}\n0 0.2 0.2 0.8 0.2 0.5 0.9 {more}\n"
    for name, more in (("one", "0.87"), ("both", "0.87 3")):
        files = yolo(draw(5), "centre", "plain") | {f"labels/p{n}.txt": rows.format(more=more) for n in range(10)}
        source = read_twice(write(tmp_path / name, files))
        assert source.items[0].rows
        assert [len(row.text.split()) for row in source.items[0].rows] == [11, 7]


@pytest.mark.parametrize("unit", ["radians", "degrees"])
def test_a_column_that_is_an_angle(tmp_path: Path, unit: str) -> None:
    """A quarter turn swaps the sides, in pixels."""
    turn = -1.5707963 if unit == "radians" else -90.0
    files = yolo(draw(8), "centre", "plain")
    for number in range(10):
        files[f"labels/p{number}.txt"] = f"0 0.5 0.5 0.3 0.2 {turn:.7f}\n1 0.5 0.5 0.3 0.2 0.000001\n"
    source = read_twice(write(tmp_path, files))
    assert source.items[0].rows
    kind, *values = [float(value) for value in source.items[0].rows[0].text.split()]
    across, down = 0.2 * STORED[1] / STORED[0], 0.3 * STORED[0] / STORED[1]
    assert (kind, len(values)) == (0, 8)
    assert (max(values[::2]) - min(values[::2]), max(values[1::2]) - min(values[1::2])) == pytest.approx(
        (across, down), abs=1e-4
    )
    assert "columns_angle" in codes(source)


@pytest.mark.parametrize("third", [[], [0.9], [2]])
def test_coco_keypoints_without_a_visibility(tmp_path: Path, third: list[float]) -> None:
    """As pairs, and with a score in its place."""
    drawn = draw(12)
    document = json.loads(
        coco(
            {name: [(b[0], *COCO["top_left"][0](b)) for b in boxes] for name, boxes in drawn.items()}, lambda _: STORED
        )
    )
    for element in document["annotations"]:
        left, top, width, height = element["bbox"]
        element["keypoints"] = [
            part for share in (0.25, 0.5, 0.75, 0.9) for part in [left + share * width, top + share * height, *third]
        ]
    files: Files = {f"images/{name}.jpg": picture() for name in drawn} | {"anno.json": json.dumps(document)}
    source = read_twice(write(tmp_path, files))
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [4, 3]})
    same(boxes_of(tmp_path, source), drawn)
    assert source.items[0].rows
    assert source.items[0].rows[0].text.split()[7::3] == ["2"] * 4


def test_kpt_shape_that_the_rows_do_not_have(tmp_path: Path) -> None:
    names = "names: [a, b]\nkpt_shape: [4, 3]\nflip_idx: [1, 0, 3, 2]\n"
    source = read_twice(write(tmp_path, yolo(draw(6), "keypoints", "plain", names=names)))
    assert source.keypoints == {"kpt_shape": [4, 2], "flip_idx": [1, 0, 3, 2]}
    assert ("keypoints_other" in codes(source), readings_of(source)) == (True, [])


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("0 0.5 0.5 0.1 0.2", 5),
        ("0,0.5,0.5,0.1,0.2", 5),
        ("0 0,5 0,5 0,1 0,2", 5),
        ("0, 12, 40, 100, 200", 5),
        ("0,12,40,100,200", 5),
        ("0;0,5;0,5;0,1;0,2", 5),
        ("0\t0.5,0.5,0.1,0.2,", 5),
        ("0,0,5,0,5,0,1,0,2", 1),
    ],
)
def test_columns_of_a_row(text: str, columns: int) -> None:
    assert len(columns_of(text)) == columns


# --- other formats


def coco(drawn: Mapping[str, list[Any]], size: Callable[[str], tuple[int, int]]) -> str:
    """`drawn` holds class and COCO's four numbers, or the class and their replacement."""
    images = [
        {"id": key, "file_name": f"{name}.jpg", "width": size(name)[0], "height": size(name)[1]}
        for key, name in enumerate(drawn)
    ]
    annotations = [
        {
            "id": 10 * key + index,
            "image_id": key,
            "category_id": box[0] + 1,
            "bbox": box[1] if len(box) == 2 else list(box[1:]),
        }
        for key, boxes in enumerate(drawn.values())
        for index, box in enumerate(boxes)
    ]
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


COCO: dict[str, tuple[Callable[[Box], Any], list[str]]] = {
    "top_left": (lambda b: pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]), []),
    "corners": (lambda b: pixels(*b[1:]), ["reading_corners"]),
    "centre": (lambda b: pixels(*centre(b)), ["reading_centre"]),
    "corners, y first": (
        lambda b: [round(value) for value in (b[2] * STORED[1], b[1] * STORED[0], b[4] * STORED[1], b[3] * STORED[0])],
        ["reading_corners_yxyx"],
    ),
    "fractions": (lambda b: [b[1], b[2], b[3] - b[1], b[4] - b[2]], []),
    "fractions of corners": (lambda b: [*b[1:]], ["reading_corners"]),
    "sides by name": (
        lambda b: dict(zip(("x", "y", "width", "height"), pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]), strict=True)),
        [],
    ),
    "corners by name": (lambda b: dict(zip(("xmin", "ymin", "xmax", "ymax"), pixels(*b[1:]), strict=True)), []),
    "a text": (lambda b: str(pixels(b[1], b[2], b[3] - b[1], b[4] - b[2])), []),
    "texts": (lambda b: [*map(str, pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]))], []),
}


def pixels(*values: float) -> list[float]:
    return [round(value * STORED[index % 2], 1) for index, value in enumerate(values)]


@given(seed=st.integers(0, 10**6), way=st.sampled_from([*COCO]))
@settings(max_examples=20, deadline=None)
def test_coco_boxes_come_back(tmp_path_factory: Any, seed: int, way: str) -> None:
    drawn = draw(seed)
    write_box, expected = COCO[way]
    document = coco(
        {name: [(box[0], write_box(box)) for box in boxes] for name, boxes in drawn.items()}, lambda _: STORED
    )
    files: Files = {f"images/{name}.jpg": picture() for name in drawn} | {"anno.json": document}
    folder = write(tmp_path_factory.mktemp("coco"), files)
    source = read_twice(folder)
    same(boxes_of(folder, source), drawn)
    assert (readings_of(source), source.names) == (expected, NAMES)


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def each_object(document: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    return document | {"annotations": [change(entry) for entry in document["annotations"]]}


def nested(document: dict[str, Any]) -> dict[str, Any]:
    """The objects nested in their images."""
    images = [
        image
        | {"annotations": [without(o, "image_id") for o in document["annotations"] if o["image_id"] == image["id"]]}
        for image in document["images"]
    ]
    return without(document, "annotations") | {"images": images}


# COCO's parts as written by faulty scripts.
ODD_COCO: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "classes by their ids": lambda d: d | {"categories": {str(c["id"]): c["name"] for c in d["categories"]}},
    "a list of names": lambda d: each_object(
        d | {"categories": NAMES}, lambda o: o | {"category_id": o["category_id"] - 1}
    ),
    "names as ids": lambda d: each_object(
        without(d, "categories"), lambda o: o | {"category_id": NAMES[o["category_id"] - 1]}
    ),
    "names beside the ids": lambda d: each_object(
        without(d, "categories"), lambda o: o | {"category_name": NAMES[o["category_id"] - 1]}
    ),
    "names alone": lambda d: each_object(
        without(d, "categories"), lambda o: without(o, "category_id") | {"label": NAMES[o["category_id"] - 1]}
    ),
    "file names as ids": lambda d: each_object(d, lambda o: o | {"image_id": d["images"][o["image_id"]]["file_name"]}),
    "stems as ids": lambda d: each_object(d, lambda o: o | {"image_id": f"p{o['image_id']}"}),
    "nested": nested,
    "another suffix": lambda d: d | {"images": [i | {"file_name": i["file_name"][:-4] + ".png"} for i in d["images"]]},
    "crowds as texts": lambda d: each_object(d, lambda o: o | {"iscrowd": "0"}),
}


@pytest.mark.parametrize("kind", [*ODD_COCO])
def test_coco_as_scripts_write_it(tmp_path: Path, kind: str) -> None:
    drawn = draw(41)
    written = {name: [(b[0], *COCO["top_left"][0](b)) for b in boxes] for name, boxes in drawn.items()}
    document = ODD_COCO[kind](json.loads(coco(written, lambda _: STORED)))
    files: Files = {f"images/{name}.jpg": picture() for name in drawn} | {"anno.json": json.dumps(document)}
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert (readings_of(source), source.names) == ([], NAMES)


def createml(drawn: Boxes, write_box: Callable[[Box], list[float]], name: Callable[[str], str]) -> str:
    keys = ("x", "y", "width", "height")
    return json.dumps(
        [
            {
                "image": name(image),
                "annotations": [
                    {"label": NAMES[box[0]], "coordinates": dict(zip(keys, write_box(box), strict=True))}
                    for box in boxes
                ],
            }
            for image, boxes in drawn.items()
        ]
    )


@pytest.mark.parametrize(
    ("way", "expected"), [("centre", []), ("top_left", ["reading_top_left"]), ("corners", ["reading_corners"])]
)
def test_createml_boxes_come_back(tmp_path: Path, way: str, expected: list[str]) -> None:
    drawn = draw(11, 16)
    document = createml(drawn, lambda box: pixels(*ROWS[way][0](box)), lambda image: f"{image}.jpg")
    files: Files = {f"{name}.jpg": picture() for name in drawn} | {"_annotations.createml.json": document}
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert readings_of(source) == expected


# --- orientation and declared sizes: what each format's file declares for an image of STORED pixels


def display_sides(turn: int) -> tuple[int, int]:
    return STORED[::-1] if turn > 4 else STORED


def in_stored(box: Box, turn: int) -> list[float]:
    """The sides of a box of the displayed image, in the pixels of the stored one."""
    back = {6: 8, 8: 6}.get(turn, turn)
    width, height = display_sides(turn)
    corners = [TURNS[back](x * width, y * height, width, height) for x, y in ((box[1], box[2]), (box[3], box[4]))]
    xs, ys = zip(*corners, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def voc(boxes: list[tuple[int, list[float]]], size: tuple[int, int]) -> str:
    objects = "".join(
        f"<object><name>{NAMES[kind]}</name><bndbox><xmin>{b[0]:.0f}</xmin><ymin>{b[1]:.0f}</ymin>"
        f"<xmax>{b[2]:.0f}</xmax><ymax>{b[3]:.0f}</ymax></bndbox></object>"
        for kind, b in boxes
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{objects}</annotation>"


def labelme(boxes: list[tuple[int, list[float]]], size: tuple[int, int], image: str) -> str:
    shapes = [{"label": NAMES[kind], "shape_type": "rectangle", "points": [b[:2], b[2:]]} for kind, b in boxes]
    return json.dumps({"imagePath": image, "imageWidth": size[0], "imageHeight": size[1], "shapes": shapes})


def cvat(by_image: Mapping[str, list[tuple[int, list[float]]]], size: Callable[[str], tuple[int, int]]) -> str:
    images = "".join(
        f'<image name="{name}" width="{size(name)[0]}" height="{size(name)[1]}">'
        + "".join(
            f'<box label="{NAMES[kind]}" xtl="{b[0]}" ytl="{b[1]}" xbr="{b[2]}" ybr="{b[3]}"/>' for kind, b in boxes
        )
        + "</image>"
        for name, boxes in by_image.items()
    )
    labels = "".join(f"<label><name>{name}</name></label>" for name in NAMES)
    return f"<annotations><meta><task><labels>{labels}</labels></task></meta>{images}</annotations>"


SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif"}


def declared(form: str, drawn: Boxes, turns: Mapping[str, int], stored: bool, kind: str) -> Files:
    """A dataset in a format that declares sizes: of the stored images, or of the displayed ones."""
    files: Files = {}
    images: dict[str, list[tuple[int, list[float]]]] = {}
    for name, boxes in drawn.items():
        turn, suffix = turns[name], SUFFIXES[kind] if turns[name] > 1 else "jpg"
        files[f"{name}.{suffix}"] = picture(STORED, turn, kind if turn > 1 else "JPEG")
        width, height = display_sides(turn)
        corners = [[b[1] * width, b[2] * height, b[3] * width, b[4] * height] for b in boxes]
        corners = [in_stored(b, turn) for b in boxes] if stored else corners
        images[f"{name}.{suffix}"] = [(b[0], sides_) for b, sides_ in zip(boxes, corners, strict=True)]

    def size(name: str) -> tuple[int, int]:
        return STORED if stored else display_sides(turns[name.partition(".")[0]])

    if form == "coco":
        numbers = {
            name: [(k, b[0], b[1], b[2] - b[0], b[3] - b[1]) for k, b in boxes] for name, boxes in images.items()
        }
        text = coco(numbers, size).replace('.jpg.jpg"', '.jpg"')
        for suffix in SUFFIXES.values():
            text = text.replace(f'.{suffix}.jpg"', f'.{suffix}"')
        return files | {"annotations.json": text}
    if form == "cvat":
        return files | {"annotations.xml": cvat(images, size)}
    for name, boxes_ in images.items():
        stem = name.partition(".")[0]
        if form == "voc":
            files[f"{stem}.xml"] = voc(boxes_, size(name)).replace("<size>", f"<filename>{name}</filename><size>")
        else:
            files[f"{stem}.json"] = labelme(boxes_, size(name), name)
    return files


@given(
    seed=st.integers(0, 10**6),
    form=st.sampled_from(["coco", "voc", "cvat", "labelme"]),
    stored=st.booleans(),
    kind=st.sampled_from([*SUFFIXES]),
    turn=st.sampled_from([3, 5, 6, 7, 8]),
)
@settings(max_examples=40, deadline=None)
def test_turned_pictures(tmp_path_factory: Any, seed: int, form: str, stored: bool, kind: str, turn: int) -> None:
    """Half of the images are rotated, one of them upside down beside those on their side."""
    drawn = draw(seed, 8)
    turns = {name: (1, turn)[index % 2] for index, name in enumerate(drawn)}
    if turn > 4:
        turns["p7"] = 3
    folder = write(tmp_path_factory.mktemp(form), declared(form, drawn, turns, stored, kind))
    source = read_twice(folder, reading=("stored_pixels",) if turn == 3 and stored else ())
    same(boxes_of(folder, source), drawn)
    if turn == 3:
        assert readings_of(source) == [f"reading_{'stored' if stored else 'shown'}_pixels"], "the size says nothing"
    else:
        assert readings_of(source) == ["reading_stored_pixels"] * stored


def test_label_studio_multiplies_by_the_stored_sides(tmp_path: Path) -> None:
    drawn = {f"{number:08x}-p": boxes for number, boxes in enumerate(draw(21, 8).values())}
    turns = {name: (1, 6)[index % 2] for index, name in enumerate(drawn)}
    written = {
        name: [(b[0], *pixels(b[1], b[2], b[3] - b[1], b[4] - b[2])) for b in boxes] for name, boxes in drawn.items()
    }
    files: Files = {f"images/{name}.jpg": picture(turn=turns[name]) for name in drawn}
    source = read_twice(write(tmp_path, files | {"result.json": coco(written, lambda _: STORED)}))
    same(boxes_of(tmp_path, source), drawn)
    assert readings_of(source) == ["reading_declared_size"]
    turned = read_twice(tmp_path, reading=("stored_pixels",))
    assert readings_of(turned) == ["reading_stored_pixels"]


@pytest.mark.parametrize("form", ["coco", "voc", "cvat", "labelme"])
def test_declared_sides_the_wrong_way_round(tmp_path: Path, form: str) -> None:
    drawn = draw(31, 8)
    files = declared(form, drawn, dict.fromkeys(drawn, 1), stored=True, kind="JPEG")
    for name, text in files.items():
        if isinstance(text, str):
            for here, there in (
                ('"width": 160, "height": 120', '"width": 120, "height": 160'),
                ("<width>160</width><height>120<", "<width>120</width><height>160<"),
                ('width="160" height="120"', 'width="120" height="160"'),
                ('"imageWidth": 160, "imageHeight": 120', '"imageWidth": 120, "imageHeight": 160'),
            ):
                text = text.replace(here, there)
            files[name] = text
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert readings_of(source) == ["reading_shown_pixels"]


def test_downscaled_pictures_are_no_question(tmp_path: Path) -> None:
    drawn = draw(41, 8)
    written = {
        name: [(b[0], *(10 * value for value in pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]))) for b in boxes]
        for name, boxes in drawn.items()
    }
    files: Files = {f"images/{name}.jpg": picture() for name in drawn}
    files["a.json"] = coco(written, lambda _: (10 * STORED[0], 10 * STORED[1]))
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert readings_of(source) == []


@pytest.mark.parametrize("kind", [*SUFFIXES])
def test_turned_pictures_without_a_declared_size(tmp_path: Path, kind: str) -> None:
    drawn = draw(51, 8)
    suffix = SUFFIXES[kind]
    for stored in (False, True):
        files: Files = {f"{name}.{suffix}": picture(turn=6, form=kind) for name in drawn}

        def centred(box: Box, stored: bool = stored) -> list[float]:
            width, height = display_sides(6)
            b = in_stored(box, 6) if stored else [box[1] * width, box[2] * height, box[3] * width, box[4] * height]
            return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]]

        files["_annotations.createml.json"] = createml(drawn, centred, lambda image: f"{image}.{suffix}")
        folder = write(tmp_path / str(stored), files)
        same(boxes_of(folder, read_twice(folder)), drawn)


def test_names_with_brackets_and_quotes(tmp_path: Path) -> None:
    """The rows are read without them."""
    files: Files = {"data.yaml": 'names: ["Car (rear)", "Men\'s shoe"]\n', "images/a.jpg": picture()}
    files["labels/a.txt"] = "Car (rear) 0.5 0.5 0.2 0.2\nMen's shoe 0.5 0.5 0.2 0.2\n'men's shoe' 0.5 0.5 0.4 0.2\n"
    source = read_twice(write(tmp_path, files))
    assert [row.text for row in source.items[0].rows or []] == [
        "0 0.5 0.5 0.2 0.2",
        "1 0.5 0.5 0.2 0.2",
        "1 0.5 0.5 0.4 0.2",
    ]


@pytest.mark.parametrize("row", ["0 0 0.4 1 0.45 1 1 0 1", "0 0 0 1 0 1 1 0 1"])
def test_outlines_that_end_in_the_corners_of_the_image(tmp_path: Path, row: str) -> None:
    """A floor below its horizon; the whole image."""
    files: Files = {"data.yaml": "names: [floor]\n"}
    for number in range(6):
        files |= {f"images/{number}.jpg": picture(), f"labels/{number}.txt": f"{row}\n"}
    source = read_twice(write(tmp_path, files))
    assert readings_of(source) == []
    assert all(item.label for item in source.items), "as it came"


def test_flags_that_look_like_corners_now_and_then(tmp_path: Path) -> None:
    drawn = draw(12)
    files = yolo(drawn, "centre", "plain")
    for at, name in enumerate([name for name in files if name.startswith("labels/")]):
        files[name] = re.sub(r"(?m)$", " 1 0 0 0" if at % 2 else " 0 0 0 0", str(files[name]).rstrip("\n")) + "\n"
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)


def test_kitti_has_corners_whatever_fits(tmp_path: Path) -> None:
    """Boxes in the lower right part could be centres and sides as well."""
    row = "Car 0.00 0 -1.57 600 170 640 200 1.5 1.6 3.9 1 2 3 0.1\n"
    files: Files = {"images/a.jpg": picture((1242, 375)), "labels/a.txt": row * 2}
    source = read_twice(write(tmp_path, files))
    assert readings_of(source) == []
    [box, _] = boxes_of(tmp_path, source)["a"]
    assert box == pytest.approx((0, 600 / 1242, 170 / 375, 640 / 1242, 200 / 375), abs=1e-5)


def test_an_outline_of_seven_points_is_no_row_of_kitti(tmp_path: Path) -> None:
    row = "leaf 0.5 0 0.7 0.1 0.9 0.3 0.8 0.6 0.5 0.9 0.2 0.6 0.3 0.1\n"
    files: Files = {"data.yaml": "names: [leaf]\n", "images/a.jpg": picture(), "labels/a.txt": row * 5}
    source = read_twice(write(tmp_path, files))
    assert "rows_layout" not in codes(source)
    assert len((source.items[0].rows or [])[0].text.split()) == 15


def test_named_rows_beside_rows_with_the_class_last(tmp_path: Path) -> None:
    drawn = draw(15)
    files = yolo(drawn, "centre", "plain")
    for image, boxes in drawn.items():
        kinds = [NAMES[box[0]] if image == "p0" else str(box[0]) for box in boxes]
        lines = [f"{' '.join(map(str, centre(box)))} {kind}" for box, kind in zip(boxes, kinds, strict=True)]
        files[f"labels/{image}.txt"] = "\n".join(lines) + "\n"
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)


def test_classes_in_the_last_column_count_from_0_unless_all_rows_were_read(tmp_path: Path) -> None:
    """700 files, of which the sample has every second: the only class 0 is in another."""
    write(tmp_path, {"images/000.jpg": picture()})
    for number in range(1, 700):
        os.link(tmp_path / "images/000.jpg", tmp_path / f"images/{number:03}.jpg")
    write(tmp_path, {f"labels/{number:03}.txt": f"0.5 0.5 0.2 0.2 {1 - number % 2}\n" for number in range(700)})
    source = read_twice(tmp_path)
    numbers = {int((item.rows or [])[0].text.split()[0]) for item in source.items}
    assert (numbers, readings_of(source)) == ({0, 1}, [])


def test_a_confidence_between_class_and_box(tmp_path: Path) -> None:
    """As evaluation tools write predictions."""
    drawn = draw(17, images=30)
    files = yolo(drawn, "centre", "plain")
    for image, boxes in drawn.items():
        rows = (" ".join(map(str, [box[0], 0.42 + box[1] / 2, *centre(box)])) for box in boxes)
        files[f"labels/{image}.txt"] = "\n".join(rows)
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert (codes(source), readings_of(source)) == (["columns_confidence_second"], [])
    files = yolo(drawn, "confidence", "plain")
    assert codes(read_twice(write(tmp_path / "behind", files))) == ["columns_confidence"]


def test_names_that_count_from_one(tmp_path: Path) -> None:
    """According to data.yaml, even if no row has the last class."""
    drawn = {image: [(0, *box[1:]) for box in boxes] for image, boxes in draw(18).items()}
    files = yolo(drawn, "centre", "plain", lambda number: str(number + 1), f"names: {{1: {NAMES[0]}, 2: {NAMES[1]}}}\n")
    source = read_twice(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert (source.names, readings_of(source)) == (NAMES, ["reading_one_based"])


@pytest.mark.parametrize("shape", ["box", "polygon"])
@pytest.mark.parametrize("turn", [6, 8, 5])
def test_label_files_in_pixels_of_the_stored_image(tmp_path: Path, turn: int, shape: str) -> None:
    """Photographs of 960 pixels: neither thousandths nor boxes that extend beyond the image."""
    drawn, stored = draw(22), (960, 720)
    files: Files = {"data.yaml": f"names: {json.dumps(NAMES)}\n"}
    for image, boxes in drawn.items():
        files[f"images/{image}.jpg"] = picture(stored, turn)
        numbers = [box[1:] if shape == "box" else outline(box) for box in boxes]
        rows = [" ".join(str(round(v * stored[at % 2])) for at, v in enumerate(values)) for values in numbers]
        files[f"labels/{image}.txt"] = "\n".join(f"{box[0]} {row}" for box, row in zip(boxes, rows, strict=True))
    source = read_twice(write(tmp_path, files))
    point = TURNS[turn]
    for image, boxes in drawn.items():
        corners = [(kind, *point(x1, y1, 1, 1), *point(x2, y2, 1, 1)) for kind, x1, y1, x2, y2 in boxes]
        drawn[image] = [(c[0], min(c[1], c[3]), min(c[2], c[4]), max(c[1], c[3]), max(c[2], c[4])) for c in corners]
    same(boxes_of(tmp_path, source), drawn)
    assert "reading_stored_pixels" in readings_of(source)
    assert "reading_shown_pixels" in readings_of(read_twice(tmp_path, reading=("shown_pixels",)))


def outline(box: Box) -> list[float]:
    """Five points on the edges of a box."""
    _, left, top, right, bottom = box
    return [left, top, right, top, right, bottom, (left + right) / 2, bottom, left, bottom]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_keypoints_that_are_missing_stay_so_when_the_image_is_turned(dimensions: int) -> None:
    mark = [0.0] * (dimensions - 2)
    row = [0.5, 0.5, 0.2, 0.2, *[0.45, 0.55], *[2.0] * (dimensions - 2), 0.0, 0.0, *mark]
    coordinates = turned_coordinates(row, 6, "keypoints", dimensions)
    assert coordinates[4:6] == pytest.approx([0.45, 0.45])
    assert coordinates[4 + dimensions :] == [0.0, 0.0, *mark]


def test_label_studio_is_relative_to_the_displayed_image(tmp_path: Path) -> None:
    """Its percentages are of the upright photograph, whatever sides it declares."""
    drawn, tasks = draw(23, 8), []
    for image, boxes in drawn.items():
        values = [
            {"x": 100 * b[1], "y": 100 * b[2], "width": 100 * (b[3] - b[1]), "height": 100 * (b[4] - b[2])}
            for b in boxes
        ]
        result = [
            {"type": "rectanglelabels", "original_width": STORED[0], "original_height": STORED[1]}
            | {"value": value | {"rotation": 0, "rectanglelabels": [NAMES[box[0]]]}}
            for value, box in zip(values, boxes, strict=True)
        ]
        tasks.append({"data": {"image": f"/data/upload/1/{image}.jpg"}, "annotations": [{"result": result}]})
    files: Files = {f"{image}.jpg": picture(turn=6) for image in drawn} | {"p.json": json.dumps(tasks)}
    source = read_twice(write(tmp_path, files))
    same(
        boxes_of(tmp_path, source),
        {k: [(source.names.index(NAMES[b[0]]), *b[1:]) for b in v] for k, v in drawn.items()},
    )
    assert readings_of(source) == ["reading_declared_size"]
