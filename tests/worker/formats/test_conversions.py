"""The objects of each format after conversion: shapes, tasks, and the notes on dropped or corrected ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data import image_bytes
from tests.worker.formats.helpers import boxes, codes, finding_codes, pictures, read_dataset, refusal, rows, write

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20]
ROUND = [10, 10, 30, 12, 20, 30]


def coco(folder: Path, annotations: list[dict[str, Any]], **more: Any) -> Path:
    """A COCO dataset of two images."""
    images = [
        {"id": number, "file_name": f"{name}.jpg", "width": 64, "height": 48} for number, name in ((1, "a"), (2, "b"))
    ]
    document = {
        "annotations": [{"image_id": 1, "category_id": 5} | item for item in annotations],
        "images": images,
        "categories": [{"id": 5, "name": "cat"}, {"id": 3, "name": "dog"}],
    }
    return write(folder, pictures("a.jpg", "b.jpg") | {"instances_val.json": json.dumps(document | more)})


def test_coco_shows_its_task(tmp_path: Path) -> None:
    box, outline = {"bbox": [10, 10, 20, 10]}, {"bbox": [10, 10, 20, 20], "segmentation": [ROUND]}
    assert read_dataset(coco(tmp_path / "1", [box | {"segmentation": []}])).task == "detect"
    assert read_dataset(coco(tmp_path / "2", [box | {"segmentation": [SQUARE]}])).task == "detect", (
        "an outline that is the box"
    )
    segments = read_dataset(coco(tmp_path / "3", [outline]))
    assert (segments.task, segments.names, segments.items[0].split) == ("segment", ["dog", "cat"], "val")
    mixed = coco(tmp_path / "4", [box, outline])
    source = read_dataset(mixed)
    assert (source.task, "shapes_mixed" in codes(source)) == ("detect", True)
    assert boxes(mixed, source)["a"] == [(1, 10, 10, 30, 20), (1, 10, 10, 30, 30)]
    source = read_dataset(mixed, task="segment")
    assert [len(row) for row in rows(mixed, source.items[0])] == [9, 7]
    assert finding_codes(source) == [("box_as_polygon", "instances_val.json", 1)]
    assert "keypoints" in refusal(mixed, task="pose")


def test_coco_joins_the_parts_of_an_object(tmp_path: Path) -> None:
    parts = [[0, 0, 10, 0, 10, 10, 0, 10], [20, 0, 30, 0, 30, 10, 20, 10]]
    folder = coco(tmp_path, [{"bbox": [0, 0, 30, 10], "segmentation": parts}])
    [row] = rows(folder, read_dataset(folder).items[0])
    points = [(round(x * 64), round(y * 48)) for x, y in zip(row[1::2], row[2::2], strict=True)]
    assert set(points) == {(x, y) for part in parts for x, y in zip(part[::2], part[1::2], strict=True)}
    following = [*points[1:], points[0]]
    twice = sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(points, following, strict=True))
    assert abs(twice) / 2 == 200, "the way between the parts has no area"


def test_coco_notes(tmp_path: Path) -> None:
    bad = [
        {"bbox": [-5, 10, 20, 10]},
        {"bbox": [100, 10, 20, 10]},
        {"bbox": [1, 1, 0, 5]},
        {"bbox": [1, 1, "x", 5]},
        {"category_id": 99, "bbox": [1, 1, 5, 5]},
        {"image_id": 77, "bbox": [1, 1, 5, 5]},
        {"bbox": None},
        {"bbox": [1, 1, 5, 5], "iscrowd": 1},
        {"bbox": [1e400, 1, 5, 5]},
        {"bbox": [1, 1, 5, 5]},
    ]
    folder = coco(tmp_path, bad)
    source = read_dataset(folder)
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("object_clipped", 1),
        ("object_outside", 2),
        ("object_degenerate", 3),
        ("object_no_number", 4),
        ("object_unnamed", 5),
        ("object_no_image", 6),
        ("object_no_box", 7),
        ("object_crowd", 8),
        ("object_no_number", 9),
    ]
    assert boxes(folder, source) == {"a": [(1, 0, 10, 15, 20), (1, 1, 1, 6, 6)], "b": []}


def test_coco_of_roboflow(tmp_path: Path) -> None:
    document = {
        "categories": [
            {"id": 0, "name": "pets", "supercategory": "none"},
            {"id": 1, "name": "cat", "supercategory": "pets"},
        ],
        "images": [{"id": 0, "file_name": "a.jpg", "height": 48, "width": 64}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 1, 5, 5], "segmentation": []}],
    }
    text = json.dumps(document)
    files = pictures("train/a.jpg", "valid/a.jpg", "valid/none.jpg") | {
        "train/_annotations.coco.json": text,
        "valid/_annotations.coco.json": text,
    }
    source = read_dataset(write(tmp_path, files))
    assert (source.names, codes(source)) == (["cat"], ["heading_dropped", "names_changed"])
    assert [(item.image, item.name, item.split) for item in source.items] == [
        ("train/a.jpg", "a.jpg", "train"),
        ("valid/a.jpg", "a_val.jpg", "val"),
    ]
    assert finding_codes(source) == [("image_unlisted", "valid/none.jpg", None)]


def test_coco_chooses_its_files_by_the_task(tmp_path: Path) -> None:
    point = {"bbox": [1, 1, 5, 5], "keypoints": [2, 2, 2, 0, 0, 0], "num_keypoints": 1}
    folder = coco(tmp_path, [{"bbox": [1, 1, 5, 5]}])
    people = {"id": 5, "name": "person", "keypoints": ["left_eye", "right_eye"]}
    coco(tmp_path / "more", [point], categories=[people])
    (tmp_path / "more/instances_val.json").rename(tmp_path / "person_keypoints_val.json")
    for name in ("more/a.jpg", "more/b.jpg"):
        (tmp_path / name).unlink()
    source = read_dataset(folder)
    assert (source.task, source.names, codes(source)) == ("detect", ["dog", "cat"], ["files_chosen"])
    source = read_dataset(folder, task="pose")
    assert (source.names, source.keypoints) == (["person"], {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    assert rows(folder, source.items[0])[0][5:] == pytest.approx([2 / 64, 2 / 48, 2, 0, 0, 0], abs=1e-6)


def voc(*objects: str, name: str = "a.jpg", size: str = "<size><width>64</width><height>48</height></size>") -> str:
    return f"<annotation><filename>{name}</filename>{size}{''.join(objects)}</annotation>"


def voc_object(left: object, top: object, right: object, bottom: object, name: str = "cat") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def test_voc_notes(tmp_path: Path) -> None:
    objects = [
        voc_object(1, 1, 9, 9),
        voc_object(5, 5, 5, 5),
        voc_object(-3, 0, 9, 9),
        voc_object("nan", 1, 9, 9),
        voc_object(1, 1, 9, 9, ""),
        "<object><name>cat</name></object>",
        voc_object(9, 9, 1, 1),
    ]
    files = pictures("JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/c.jpg") | {
        "Annotations/a.xml": voc(*objects),
        "Annotations/b.xml": voc(voc_object(0, 0, 64, 48), size="", name="old.jpg"),
        "Annotations/gone.xml": voc(name="gone.jpg"),
        "Annotations/half.xml": "<annotation><object>",
    }
    folder = write(tmp_path, files)
    source = read_dataset(folder)
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("object_unnamed", 5),
        ("object_no_box", 6),
        ("image_missing", None),
        ("xml_unreadable", None),
        ("object_degenerate", 2),
        ("object_clipped", 3),
        ("object_no_number", 4),
        ("image_unlisted", None),
    ]
    assert boxes(folder, source) == {"a": [(0, 1, 1, 9, 9), (0, 0, 0, 9, 9), (0, 1, 1, 9, 9)], "b": [(0, 0, 0, 64, 48)]}


def test_voc_splits_and_names(tmp_path: Path) -> None:
    names = [f"VOC2007/JPEGImages/{name}.jpg" for name in "abcd"]
    files = pictures(*names) | {
        f"VOC2007/Annotations/{name}.xml": voc(voc_object(1, 1, 9, 9, kind), name=f"{name}.jpg")
        for name, kind in zip("abcd", ("dog", "cat", "dog", "cow"), strict=True)
    }
    files |= {
        "VOC2007/ImageSets/Main/train.txt": "a\n",
        "VOC2007/ImageSets/Main/trainval.txt": "a\nb\n",
        "VOC2007/ImageSets/Main/val.txt": "b.jpg\n",
        "VOC2007/ImageSets/Main/test.txt": "c  1\n",
        "VOC2007/ImageSets/Main/dog_train.txt": "a 1\nd -1\n",
        "VOC2007/labelmap.txt": "dog:::\ncat:::\n",
    }
    source = read_dataset(write(tmp_path, files))
    assert {item.name: item.split for item in source.items} == {"a.jpg": "train", "b.jpg": "val", "c.jpg": "test"}
    assert source.names == ["dog", "cat"]
    assert finding_codes(source) == [("image_unlisted", "VOC2007/JPEGImages/d.jpg", None)]
    (tmp_path / "VOC2007/labelmap.txt").write_text("dog:::\n")
    source = read_dataset(tmp_path)
    assert (source.names, "names_added" in codes(source)) == (["dog", "cat"], True)


def cvat(body: str, labels: str = "<label><name>dog</name></label><label><name>cat</name></label>") -> str:
    return f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>{body}</annotations>"


def test_cvat_shapes(tmp_path: Path) -> None:
    box = 'label="cat" xtl="10" ytl="10" xbr="30" ybr="20"'
    shapes = f"""<box {box} occluded="0"/><polygon label="dog" points="10,10;30,12;20,30"/><box {box} rotation="90.0"/>
        <polyline label="dog" points="1,1;2,2"/><points label="cat" points="1,1"/>
        <skeleton label="cat"><points/></skeleton>
        <ellipse label="dog" cx="20" cy="20" rx="8" ry="4"/><box label="cat" xtl="9" ytl="1" xbr="9" ybr="5"/>"""
    body = f"""<image id="0" name="a.jpg" width="64" height="48" subset="Validation">{shapes}</image>
        <image id="1" name="gone.jpg" width="64" height="48"><box {box}/></image>
        <image id="2" name="b.jpg" width="64" height="48"/><track id="0" label="dog"><box/></track>"""
    folder = write(tmp_path, pictures("images/a.jpg", "images/b.jpg") | {"annotations.xml": cvat(body)})
    source = read_dataset(folder)
    assert (source.task, source.names) == ("detect", ["dog", "cat"])
    assert [(item.name, item.split) for item in source.items] == [("a.jpg", "val"), ("b.jpg", None)]
    assert boxes(folder, source)["a"] == [
        (1, 10, 10, 30, 20),
        (0, 10, 10, 30, 30),
        (1, 15, 5, 25, 25),
        (0, 12, 16, 28, 24),
    ]
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("shape_unsupported", 4),
        ("shape_unsupported", 5),
        ("shape_unsupported", 6),
        ("image_missing", None),
        ("object_degenerate", 8),
    ]


def test_cvat_turned_boxes(tmp_path: Path) -> None:
    body = (
        '<image id="0" name="a.jpg" width="64" height="48"><box label="cat" xtl="10" ytl="10" xbr="30" ybr="20" '
        'rotation="90"/><box label="dog" xtl="1" ytl="2" xbr="5" ybr="6"/></image>'
    )
    folder = write(tmp_path, pictures("a.jpg") | {"annotations.xml": cvat(body)})
    source = read_dataset(folder)
    assert source.task == "obb"
    first, second = rows(folder, source.items[0])
    corners = [25, 5, 25, 25, 15, 25, 15, 5]
    assert [value * (48 if index % 2 else 64) for index, value in enumerate(first[1:])] == pytest.approx(
        corners, abs=1e-3
    )
    assert len(second) == 9


def test_labelme_shapes(tmp_path: Path) -> None:
    shapes = [
        {"label": "cat", "shape_type": "rectangle", "points": [[30, 20], [10, 10]]},
        {"label": "cat", "shape_type": "circle", "points": [[30, 20], [30, 26]]},
        {"label": "cat", "shape_type": "point", "points": [[30, 20]]},
        {"label": "cat", "shape_type": "polygon", "points": [[30, 20]]},
        {"label": "", "points": []},
        {"label": "cat", "shape_type": "linestrip", "points": [[1, 1], [2, 2]]},
        7,
    ]
    document = {
        "version": "5.5.0",
        "imageData": "x" * 1000,
        "shapes": shapes,
        "imagePath": "..\\x\\a.jpg",
        "imageHeight": 48,
        "imageWidth": 64,
    }
    folder = write(
        tmp_path, pictures("train/a.jpg") | {"train/a.json": json.dumps(document), "train/b.json": '{"shapes": 1}'}
    )
    source = read_dataset(folder)
    assert (source.task, source.items[0].split) == ("detect", "train")
    rows_ = boxes(folder, source)["a"]
    assert rows_ == [(0, 10, 10, 30, 20), pytest.approx((0, 24, 14, 36, 26), abs=0.001)]
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("shape_unsupported", 3),
        ("object_no_box", 4),
        ("object_unnamed", 5),
        ("shape_unsupported", 6),
        ("object_no_box", 7),
    ]


def test_labelme_folders_are_one_dataset(tmp_path: Path) -> None:
    shape = {"label": "cat", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}
    files: dict[str, bytes | str] = {}
    for number, folder in enumerate(("", "one/", "one/two/", "three/")):
        files |= pictures(f"{folder}{number}.jpg")
        files[f"{folder}{number}.json"] = json.dumps({"shapes": [shape], "imagePath": f"{number}.jpg", "version": "5"})
    source = read_dataset(write(tmp_path, files))
    assert sorted(item.name for item in source.items) == ["0.jpg", "one/1.jpg", "one/two/2.jpg", "three/3.jpg"]
    assert codes(source) == ["names_sorted"]


def test_one_name_in_many_folders(tmp_path: Path) -> None:
    names = [f"scans/{number:03}/image.jpg" for number in range(150)]
    listed = [{"image": name.removeprefix("scans/"), "annotations": []} for name in names[:-1]]
    entry = {"label": "cat", "coordinates": {"x": 20, "y": 10, "width": 20, "height": 10}}
    listed[120]["annotations"] = [entry]
    folder = write(tmp_path, pictures(*names) | {"meta/createml.json": json.dumps(listed)})
    source = read_dataset(folder)
    assert [item.image for item in source.items] == names[:-1]
    assert [item.image for item in source.items if item.rows] == [names[120]]


def test_sizes_come_from_the_image_where_the_file_has_none(tmp_path: Path) -> None:
    entry = {"label": "cat", "coordinates": {"x": 20, "y": 10, "width": 20, "height": 10}}
    listed = [{"image": "a.jpg", "annotations": [entry]}, {"image": "b.jpg", "annotations": [entry]}]
    files = {"a.jpg": image_bytes((80, 40)), "b.jpg": b"no image", "createml.json": json.dumps(listed)}
    source = read_dataset(write(tmp_path, files))
    assert [row.text for row in source.items[0].rows or []] == ["0 0.25 0.25 0.25 0.25"]
    assert finding_codes(source)[0] == ("size_unknown", "createml.json", None)
    assert [item.image for item in source.items] == ["a.jpg"]


def flat_in(kind: str) -> dict[str, bytes | str]:
    """A dataset of a.jpg and b.jpg, each with a valid object; b.jpg also has one without area."""
    flats = {"a": [20], "b": [20, 0]}
    if kind == "voc":
        box = "<object><name>cat</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox>"
        box += "</object>"
        return {
            f"{name}.xml": f"<annotation>{''.join(box.format(5 + side) for side in sides)}</annotation>"
            for name, sides in flats.items()
        }
    if kind == "labelme":
        return {
            f"{name}.json": json.dumps(
                {
                    "version": "5",
                    "imagePath": f"{name}.jpg",
                    "shapes": [
                        {"label": "cat", "shape_type": "rectangle", "points": [[5, 5], [5 + side, 9]]} for side in sides
                    ],
                }
            )
            for name, sides in flats.items()
        }
    if kind == "createml":
        listed = [
            {
                "image": f"{name}.jpg",
                "annotations": [
                    {"label": "cat", "coordinates": {"x": 25, "y": 9, "width": side, "height": 8}} for side in sides
                ],
            }
            for name, sides in flats.items()
        ]
        return {"createml.json": json.dumps(listed)}
    if kind == "cvat":
        box = '<box label="cat" xtl="5" ytl="5" xbr="{}" ybr="9"/>'
        images = "".join(
            f'<image name="{name}.jpg" width="64" height="48">{"".join(box.format(5 + side) for side in sides)}</image>'
            for name, sides in flats.items()
        )
        return {"annotations.xml": f"<annotations><version>1.1</version>{images}</annotations>"}
    objects = [
        {"image_id": name, "category_id": 1, "bbox": [5, 5, side, 4]} for name, sides in flats.items() for side in sides
    ]
    listed = [{"id": name, "file_name": f"{name}.jpg", "width": 64, "height": 48} for name in flats]
    return {
        "coco.json": json.dumps({"images": listed, "annotations": objects, "categories": [{"id": 1, "name": "cat"}]})
    }


@pytest.mark.parametrize("kind", ["voc", "labelme", "createml", "cvat", "coco"])
def test_what_is_dropped_belongs_to_its_image(tmp_path: Path, kind: str) -> None:
    source = read_dataset(
        write(tmp_path, pictures("x/a.jpg", "x/b.jpg") | {f"x/{k}": v for k, v in flat_in(kind).items()})
    )
    assert source.format == kind
    findings = source.pop_image_findings()
    assert {image: [item["code"] for item in items] for image, items in findings.items()} == {
        "x/b.jpg": ["object_degenerate"]
    }
    assert "object_degenerate" not in [item["code"] for item in source.findings], "each is told once"
    assert source.pop_image_findings() == {}
