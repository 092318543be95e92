"""Boxes that are drawn, written in every reading and format, and read back: as they are meant, over the whole set."""

import io
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.worker.formats import Options, Source, choose, detect, disputed, read
from app.worker.formats.boxes import sides
from app.worker.formats.frames import TURNS
from app.worker.formats.rows import columns_of
from app.worker.formats.sizes import Shown, image_size
from tests.worker.formats.helpers import codes, write

NAMES = ["car", "traffic light"]
STORED = (160, 120)  # of the images that are stored turned, and of the others
NEAR = 0.02  # of the image: whole pixels

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


def taken(folder: Path, **options: Any) -> Source:
    """What is read, a second time with the pictures where these are not as the annotations say."""
    chosen = Options(**options)
    source = read(folder, choose(detect(folder, chosen.task), chosen), chosen)
    shown = {item.image: seen(folder / item.image) for item in source.items}
    if found := disputed(source, shown):
        source = read(folder, choose(detect(folder, chosen.task), chosen), chosen, found)
    return source


def seen(path: Path) -> Shown:
    size = image_size(path)
    assert size
    with Image.open(path) as image:
        return Shown(size, image.getexif().get(274, 1))


def boxes_of(folder: Path, source: Source) -> Boxes:
    """The boxes as training would see them, by image."""
    found: Boxes = {}
    for item in source.items:
        lines = [row.text for row in item.rows] if item.rows is not None else (
            (folder / item.label).read_text().splitlines() if item.label else []
        )  # fmt: skip
        made = []
        for kind, *values in [[float(value) for value in line.split()] for line in lines]:
            if source.task in {None, "pose", "detect"} and (len(values) == 4 or source.keypoints):
                made.append((int(kind), *sides(values[:4], "centre")))
            else:
                made.append((int(kind), min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])))
        found[item.image.rpartition("/")[2].rpartition(".")[0]] = made
    return found


def same(found: Boxes, drawn: Boxes) -> None:
    assert found.keys() == drawn.keys()
    for image, boxes in drawn.items():
        assert len(found[image]) == len(boxes), image
        left = list(found[image])
        for box in boxes:
            nearest = min(left, key=lambda other, box=box: (other[0] != box[0], distance(other, box)))  # type: ignore[misc]
            assert nearest[0] == box[0], (image, box)
            assert distance(nearest, box) <= NEAR, (image, box, nearest)
            left.remove(nearest)


def distance(one: Box, other: Box) -> float:
    return max(abs(a - b) for a, b in zip(one[1:], other[1:], strict=True))


def told(source: Source) -> list[str]:
    return [code for code in codes(source) if code.startswith("reading_")]


def centre(box: Box) -> tuple[float, float, float, float]:
    _, left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


# The numbers of a row behind its class, and the decision that it takes: None where it is near certain.
ROWS: dict[str, tuple[Callable[[Box], list[float]], str | None]] = {
    "centre": (lambda b: [*centre(b)], None),
    "corners": (lambda b: [*b[1:]], "reading_corners"),
    "corners_xxyy": (lambda b: [b[1], b[3], b[2], b[4]], "reading_corners_xxyy"),
    "top_left": (lambda b: [b[1], b[2], b[3] - b[1], b[4] - b[2]], "reading_top_left"),
    "pixel corners": (lambda b: [round(value) for value in pixels(*b[1:])], "reading_corners"),
    "confidence": (lambda b: [*centre(b), 0.42 + b[1] / 3], None),
    "corners, confidence and track": (lambda b: [*b[1:], 0.5, 1 + b[0]], "reading_box reading_corners"),
    "confidence and track": (lambda b: [*centre(b), 0.42 + b[1] / 3, 1 + b[0]], "reading_box"),
    "keypoints": (lambda b: [*centre(b), *inner(b, 2, 4)], "reading_keypoints"),
    "one keypoint": (lambda b: [*centre(b), *inner(b, 2, 1)], "reading_keypoints"),
    "keypoints with confidence": (lambda b: [*centre(b), *inner(b, 3, 5)], "reading_keypoints"),
    "keypoints with visibility": (lambda b: [*centre(b), *inner(b, 3, 3, mark=True)], None),
    "keypoints and confidence": (lambda b: [*centre(b), *inner(b, 2, 6), 0.7], "reading_keypoints"),
}  # fmt: skip


def inner(box: Box, size: int, count: int, mark: bool = False) -> list[float]:
    """Points in a box, always the same ones."""
    rng, made = random.Random(str(box)), list[float]()
    for _ in range(count):
        made += [rng.uniform(box[1], box[3]), rng.uniform(box[2], box[4])]
        made += [float(rng.choice((1, 2))) if mark else rng.uniform(0.5, 1)] if size == 3 else []
    return made


# How tools write a row of numbers.
STYLES: dict[str, Callable[[str, list[float]], str]] = {
    "plain": lambda kind, values: " ".join([kind, *map("{:.6f}".format, values)]),
    "decimal commas": lambda kind, values: " ".join([kind, *map("{:.6f}".format, values)]).replace(".", ","),
    "comma columns": lambda kind, values: ",".join([kind, *map("{:.6f}".format, values)]),
    "commas and spaces": lambda kind, values: ", ".join([kind, *map("{:.6f}".format, values)]),
    "semicolons": lambda kind, values: ";".join([kind, *map("{:.6f}".format, values)]).replace(".", ","),
}


def yolo(drawn: Boxes, way: str, style: str, kind: Callable[[int], str] = str, names: str = "") -> Files:
    files: Files = {"data.yaml": names or f"names: {json.dumps(NAMES)}\n"}
    for image, boxes in drawn.items():
        files[f"images/{image}.jpg"] = picture()
        files[f"labels/{image}.txt"] = "".join(f"{STYLES[style](kind(box[0]), ROWS[way][0](box))}\n" for box in boxes)
    return files


@given(seed=st.integers(0, 10**6), way=st.sampled_from([*ROWS]), style=st.sampled_from([*STYLES]),
       classes=st.sampled_from(["numbers", "names", "from one"]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_yolo_rows_come_back(tmp_path_factory: Any, seed: int, way: str, style: str, classes: str) -> None:
    drawn = draw(seed)
    kind: dict[str, Callable[[int], str]] = {
        "numbers": str, "names": lambda number: NAMES[number], "from one": lambda number: str(number + 1),
    }  # fmt: skip
    folder = write(tmp_path_factory.mktemp("set"), yolo(drawn, way, style, kind[classes]))
    source = taken(folder)
    same(boxes_of(folder, source), drawn)
    assert source.names == NAMES
    expected = (ROWS[way][1] or "").split() + ["reading_one_based"] * (classes == "from one")
    assert told(source) == sorted(expected)
    assert (source.task == "pose") == ("keypoint" in way)


@pytest.mark.parametrize("way", ["corners", "top_left", "confidence and track", "keypoints"])
def test_a_reading_is_turned(tmp_path: Path, way: str) -> None:
    """By the parameter, with its own decision, whatever the import would choose."""
    folder = write(tmp_path, yolo(draw(7), way, "plain"))
    [decision] = [item for item in taken(folder).decisions if item["code"].startswith("reading_")]
    assert len(decision["examples"]) == 3
    for other in decision["change"]["options"][1:]:
        source = taken(folder, reading=(other,))
        [again] = [item for item in source.decisions if item["code"].startswith("reading_")]
        assert (again["reading"], again["confirmed"]) == (other, True)
        assert set(again["change"]["options"]) == set(decision["change"]["options"])


def test_what_is_as_yolo_has_it_stays_as_it_came(tmp_path: Path) -> None:
    """Boxes that touch the edges, some a little outside, an outline of constant length, a class without objects."""
    boxes = {"a": [(0, 0.0, 0.0, 0.5, 0.5), (0, 0.5, 0.5, 1.004, 1.0)], "b": [(0, 0.2, 0.2, 1.0, 1.0)]}
    source = taken(write(tmp_path / "edges", yolo(boxes, "centre", "plain")))
    assert (told(source), [item.rows for item in source.items]) == ([], [None, None])
    outline = "0 0.1 0.1 0.9 0.12 0.88 0.9 0.1 0.85\n1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n"
    files = yolo(boxes, "centre", "plain") | dict.fromkeys(("labels/a.txt", "labels/b.txt"), outline)
    source = taken(write(tmp_path / "outlines", files))
    assert (told(source), [item.rows for item in source.items]) == ([], [None, None])
    files = yolo(boxes, "centre", "plain", lambda _: "1", "names: [a, b, c]\n")
    assert told(taken(write(tmp_path / "classes", files))) == []


def test_one_box_that_reaches_out_changes_nothing(tmp_path: Path) -> None:
    drawn = draw(3)
    drawn["p0"][0] = (0, -0.2, 0.1, 0.3, 0.4)
    assert told(taken(write(tmp_path, yolo(drawn, "centre", "plain")))) == []


def test_many_boxes_that_reach_out_are_told(tmp_path: Path) -> None:
    """No reading fits: the usual one stays, and a person is asked."""
    drawn = {image: [(0, -0.3 + number / 50, 0.7, 0.4, 1.3) for number in range(3)] for image in draw(1)}
    assert told(taken(write(tmp_path, yolo(drawn, "centre", "plain")))) == ["reading_centre"]


def test_classes_without_names_keep_their_numbers(tmp_path: Path) -> None:
    files = yolo(draw(2), "centre", "plain", lambda number: str(number + 1))
    del files["data.yaml"]
    source = taken(write(tmp_path / "unnamed", files))
    assert (source.names, told(source)) == (["class_1", "class_2"], ["reading_one_based"])
    files["data.yaml"] = "nc: 2\n"
    source = taken(write(tmp_path / "counted", files))
    assert (source.names, told(source)) == (["class_0", "class_1"], ["reading_one_based"])


def test_names_in_rows_without_a_list(tmp_path: Path) -> None:
    drawn = draw(4)
    files = yolo(drawn, "pixel corners", "plain", lambda number: NAMES[number])
    del files["data.yaml"]
    source = taken(write(tmp_path, files))
    assert source.names == NAMES
    same(boxes_of(tmp_path, source), drawn)


def test_outlines_of_predictions(tmp_path: Path) -> None:
    rows = "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.8 0.5 0.5 {more}\n0 0.2 0.2 0.8 0.2 0.5 0.9 {more}\n"
    for name, more in (("one", "0.87"), ("both", "0.87 3")):
        files = yolo(draw(5), "centre", "plain") | {f"labels/p{n}.txt": rows.format(more=more) for n in range(10)}
        source = taken(write(tmp_path / name, files))
        assert source.items[0].rows
        assert [len(row.text.split()) for row in source.items[0].rows] == [11, 7]


@pytest.mark.parametrize("unit", ["radians", "degrees"])
def test_a_column_that_is_an_angle(tmp_path: Path, unit: str) -> None:
    """A quarter of a turn swaps the sides, in pixels."""
    turn = -1.5707963 if unit == "radians" else -90.0
    files = yolo(draw(8), "centre", "plain")
    for number in range(10):
        files[f"labels/p{number}.txt"] = f"0 0.5 0.5 0.3 0.2 {turn:.7f}\n1 0.5 0.5 0.3 0.2 0.000001\n"
    source = taken(write(tmp_path, files))
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
    """As pairs, and with a score in the place of it."""
    drawn = draw(12)
    said = json.loads(coco({name: [(b[0], *COCO["top_left"][0](b)) for b in boxes] for name, boxes in drawn.items()},
                           lambda _: STORED))  # fmt: skip
    for element in said["annotations"]:
        left, top, width, height = element["bbox"]
        element["keypoints"] = [part for share in (0.25, 0.5, 0.75, 0.9)
                                for part in [left + share * width, top + share * height, *third]]  # fmt: skip
    files: Files = {f"images/{name}.jpg": picture() for name in drawn} | {"anno.json": json.dumps(said)}
    source = taken(write(tmp_path, files))
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [4, 3]})
    same(boxes_of(tmp_path, source), drawn)
    assert source.items[0].rows
    assert source.items[0].rows[0].text.split()[7::3] == ["2"] * 4


def test_kpt_shape_that_the_rows_do_not_have(tmp_path: Path) -> None:
    names = "names: [a, b]\nkpt_shape: [4, 3]\nflip_idx: [1, 0, 3, 2]\n"
    source = taken(write(tmp_path, yolo(draw(6), "keypoints", "plain", names=names)))
    assert source.keypoints == {"kpt_shape": [4, 2], "flip_idx": [1, 0, 3, 2]}
    assert ("keypoints_other" in codes(source), told(source)) == (True, [])


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("0 0.5 0.5 0.1 0.2", 5), ("0,0.5,0.5,0.1,0.2", 5), ("0 0,5 0,5 0,1 0,2", 5), ("0, 12, 40, 100, 200", 5),
        ("0,12,40,100,200", 5), ("0;0,5;0,5;0,1;0,2", 5), ("0\t0.5,0.5,0.1,0.2,", 5), ("0,0,5,0,5,0,1,0,2", 1),
    ],
)  # fmt: skip
def test_columns_of_a_row(text: str, columns: int) -> None:
    assert len(columns_of(text)) == columns


# --- other formats


def coco(drawn: Mapping[str, list[Any]], size: Callable[[str], tuple[int, int]]) -> str:
    """`drawn` holds class and COCO's four numbers."""
    images = [
        {"id": key, "file_name": f"{name}.jpg", "width": size(name)[0], "height": size(name)[1]}
        for key, name in enumerate(drawn)
    ]
    annotations = [
        {"id": 10 * key + place, "image_id": key, "category_id": box[0] + 1, "bbox": list(box[1:])}
        for key, boxes in enumerate(drawn.values()) for place, box in enumerate(boxes)
    ]  # fmt: skip
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


COCO: dict[str, tuple[Callable[[Box], list[float]], list[str]]] = {
    "top_left": (lambda b: pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]), []),
    "corners": (lambda b: pixels(*b[1:]), ["reading_corners"]),
    "centre": (lambda b: pixels(*centre(b)), ["reading_centre"]),
    "fractions": (lambda b: [b[1], b[2], b[3] - b[1], b[4] - b[2]], []),
    "fractions of corners": (lambda b: [*b[1:]], ["reading_corners"]),
}


def pixels(*values: float) -> list[float]:
    return [round(value * STORED[place % 2], 1) for place, value in enumerate(values)]


@given(seed=st.integers(0, 10**6), way=st.sampled_from([*COCO]))
@settings(max_examples=20, deadline=None)
def test_coco_boxes_come_back(tmp_path_factory: Any, seed: int, way: str) -> None:
    drawn = draw(seed)
    write_box, expected = COCO[way]
    said = coco({name: [(box[0], *write_box(box)) for box in boxes] for name, boxes in drawn.items()}, lambda _: STORED)
    files: Files = {f"images/{name}.jpg": picture() for name in drawn} | {"anno.json": said}
    folder = write(tmp_path_factory.mktemp("coco"), files)
    source = taken(folder)
    same(boxes_of(folder, source), drawn)
    assert (told(source), source.names) == (expected, NAMES)


def createml(drawn: Boxes, write_box: Callable[[Box], list[float]], name: Callable[[str], str]) -> str:
    keys = ("x", "y", "width", "height")
    return json.dumps([
        {"image": name(image), "annotations": [
            {"label": NAMES[box[0]], "coordinates": dict(zip(keys, write_box(box), strict=True))} for box in boxes
        ]}
        for image, boxes in drawn.items()
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("way", "expected"), [("centre", []), ("top_left", ["reading_top_left"]), ("corners", ["reading_corners"])]
)
def test_createml_boxes_come_back(tmp_path: Path, way: str, expected: list[str]) -> None:
    drawn = draw(11, 16)
    said = createml(drawn, lambda box: pixels(*ROWS[way][0](box)), lambda image: f"{image}.jpg")
    files: Files = {f"{name}.jpg": picture() for name in drawn} | {"_annotations.createml.json": said}
    source = taken(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert told(source) == expected


# --- orientation and declared sizes: what each format's file says of a picture of STORED pixels


def shown_size(turn: int) -> tuple[int, int]:
    return STORED[::-1] if turn > 4 else STORED


def in_stored(box: Box, turn: int) -> list[float]:
    """The sides of a box of the displayed picture, in the pixels of the stored one."""
    back = {6: 8, 8: 6}.get(turn, turn)
    width, height = shown_size(turn)
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


def cvat(said: Mapping[str, list[tuple[int, list[float]]]], size: Callable[[str], tuple[int, int]]) -> str:
    images = "".join(
        f'<image name="{name}" width="{size(name)[0]}" height="{size(name)[1]}">'
        + "".join(
            f'<box label="{NAMES[kind]}" xtl="{b[0]}" ytl="{b[1]}" xbr="{b[2]}" ybr="{b[3]}"/>' for kind, b in boxes
        )
        + "</image>"
        for name, boxes in said.items()
    )
    labels = "".join(f"<label><name>{name}</name></label>" for name in NAMES)
    return f"<annotations><meta><task><labels>{labels}</labels></task></meta>{images}</annotations>"


SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif"}


def declared(form: str, drawn: Boxes, turns: Mapping[str, int], stored: bool, kind: str) -> Files:
    """A dataset in a format that declares sizes: of the stored pictures, or of the displayed ones."""
    files: Files = {}
    said: dict[str, list[tuple[int, list[float]]]] = {}
    for name, boxes in drawn.items():
        turn, suffix = turns[name], SUFFIXES[kind] if turns[name] > 1 else "jpg"
        files[f"{name}.{suffix}"] = picture(STORED, turn, kind if turn > 1 else "JPEG")
        width, height = shown_size(turn)
        place = [[b[1] * width, b[2] * height, b[3] * width, b[4] * height] for b in boxes]
        place = [in_stored(b, turn) for b in boxes] if stored else place
        said[f"{name}.{suffix}"] = [(b[0], sides_) for b, sides_ in zip(boxes, place, strict=True)]

    def size(name: str) -> tuple[int, int]:
        return STORED if stored else shown_size(turns[name.partition(".")[0]])

    if form == "coco":
        numbers = {name: [(k, b[0], b[1], b[2] - b[0], b[3] - b[1]) for k, b in boxes] for name, boxes in said.items()}
        text = coco(numbers, size).replace('.jpg.jpg"', '.jpg"')
        for suffix in SUFFIXES.values():
            text = text.replace(f'.{suffix}.jpg"', f'.{suffix}"')
        return files | {"annotations.json": text}
    if form == "cvat":
        return files | {"annotations.xml": cvat(said, size)}
    for name, boxes_ in said.items():
        stem = name.partition(".")[0]
        if form == "voc":
            files[f"{stem}.xml"] = voc(boxes_, size(name)).replace("<size>", f"<filename>{name}</filename><size>")
        else:
            files[f"{stem}.json"] = labelme(boxes_, size(name), name)
    return files


@given(seed=st.integers(0, 10**6), form=st.sampled_from(["coco", "voc", "cvat", "labelme"]), stored=st.booleans(),
       kind=st.sampled_from([*SUFFIXES]), turn=st.sampled_from([3, 5, 6, 7, 8]))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_turned_pictures(tmp_path_factory: Any, seed: int, form: str, stored: bool, kind: str, turn: int) -> None:
    """Half of the pictures are turned, one of them upside down beside those on their side."""
    drawn = draw(seed, 8)
    turns = {name: (1, turn)[place % 2] for place, name in enumerate(drawn)}
    if turn > 4:
        turns["p7"] = 3
    folder = write(tmp_path_factory.mktemp(form), declared(form, drawn, turns, stored, kind))
    source = taken(folder, reading=("stored_pixels",) if turn == 3 and stored else ())
    same(boxes_of(folder, source), drawn)
    if turn == 3:
        assert told(source) == [f"reading_{'stored' if stored else 'shown'}_pixels"], "the size says nothing"
    else:
        assert told(source) == ["reading_stored_pixels"] * stored


def test_label_studio_multiplies_by_the_stored_sides(tmp_path: Path) -> None:
    drawn = {f"{number:08x}-p": boxes for number, boxes in enumerate(draw(21, 8).values())}
    turns = {name: (1, 6)[place % 2] for place, name in enumerate(drawn)}
    said = {
        name: [(b[0], *pixels(b[1], b[2], b[3] - b[1], b[4] - b[2])) for b in boxes] for name, boxes in drawn.items()
    }
    files: Files = {f"images/{name}.jpg": picture(turn=turns[name]) for name in drawn}
    source = taken(write(tmp_path, files | {"result.json": coco(said, lambda _: STORED)}))
    same(boxes_of(tmp_path, source), drawn)
    assert told(source) == ["reading_declared_size"]
    turned = taken(tmp_path, reading=("stored_pixels",))
    assert told(turned) == ["reading_stored_pixels"]


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
    source = taken(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert told(source) == ["reading_shown_pixels"]


def test_pictures_made_smaller_are_no_question(tmp_path: Path) -> None:
    drawn = draw(41, 8)
    said = {name: [(b[0], *(10 * value for value in pixels(b[1], b[2], b[3] - b[1], b[4] - b[2]))) for b in boxes]
            for name, boxes in drawn.items()}  # fmt: skip
    files: Files = {f"images/{name}.jpg": picture() for name in drawn}
    files["a.json"] = coco(said, lambda _: (10 * STORED[0], 10 * STORED[1]))
    source = taken(write(tmp_path, files))
    same(boxes_of(tmp_path, source), drawn)
    assert told(source) == []


@pytest.mark.parametrize("kind", [*SUFFIXES])
def test_turned_pictures_without_a_declared_size(tmp_path: Path, kind: str) -> None:
    drawn = draw(51, 8)
    suffix = SUFFIXES[kind]
    for stored in (False, True):
        files: Files = {f"{name}.{suffix}": picture(turn=6, form=kind) for name in drawn}

        def place(box: Box, stored: bool = stored) -> list[float]:
            width, height = shown_size(6)
            b = in_stored(box, 6) if stored else [box[1] * width, box[2] * height, box[3] * width, box[4] * height]
            return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]]

        files["_annotations.createml.json"] = createml(drawn, place, lambda image: f"{image}.{suffix}")
        folder = write(tmp_path / str(stored), files)
        same(boxes_of(folder, taken(folder)), drawn)
