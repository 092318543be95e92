"""Special features of a tool's files: angles, holes, ellipses, keypoints, hidden frames, groups, crowds."""

import json
import math
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.worker.formats.helpers import SIZE, boxes, codes, finding_codes, pictures, read_dataset, refusal, rows, write
from tests.worker.formats.writers import (
    ABOUT,
    CLASSES,
    brush,
    cvat_images,
    cvat_xml,
    darwin_file,
    datumaro_file,
    drawn,
    labelme_file,
    packed,
    png,
    runs_of,
    supervisely_project,
    table,
    via_regions,
)

WIDTH, HEIGHT = SIZE
L_SHAPE = [(10, 10), (30, 10), (30, 20), (20, 20), (20, 40), (10, 40)]
HOLE = [(14, 14), (26, 14), (26, 18), (14, 18)]


def points(row: list[float]) -> list[tuple[float, float]]:
    """The outline of a row in pixels."""
    return [(x * WIDTH, y * HEIGHT) for x, y in zip(row[1::2], row[2::2], strict=True)]


def area(outline: list[tuple[float, float]]) -> float:
    """The area covered by even-odd filling, as in training; a hole connected by a cut is not filled."""
    import cv2

    canvas = numpy.zeros((HEIGHT * 8, WIDTH * 8), numpy.uint8)
    cv2.fillPoly(canvas, [numpy.rint(numpy.array(outline) * 8).astype(numpy.int32)], 1)
    return float(canvas.sum()) / 64


def read(folder: Path, files: dict[str, bytes | str], *names: str, **options: Any) -> Any:
    return read_dataset(write(folder, pictures(*(names or ("a.jpg", "b.jpg"))) | files), **options)


def task(*results: dict[str, Any]) -> dict[str, bytes | str]:
    """A project of Label Studio's with one image."""
    answers = [ABOUT | {"id": str(number)} | result for number, result in enumerate(results)]
    return {
        "p.json": json.dumps(
            [{"id": 1, "data": {"image": "/data/upload/1/a.jpg"}, "annotations": [{"result": answers}]}]
        )
    }


def test_label_studio_turns_boxes_round_their_corner(tmp_path: Path) -> None:
    value = {"x": 50, "y": 25, "width": 25, "height": 12.5, "rotation": 90, "rectanglelabels": ["dog"]}
    source = read(tmp_path, task({"type": "rectanglelabels", "value": value}))
    assert source.task == "obb"
    [row] = rows(tmp_path, source.items[0])
    assert sum(points(row), ()) == pytest.approx((32, 12, 32, 28, 26, 28, 26, 12), abs=1e-3)


def test_label_studio_outlines(tmp_path: Path) -> None:
    polygon = {"points": [[25, 25], [50, 25], [50, 50]], "polygonlabels": ["car"]}
    ellipse = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 10, "rotation": 0, "ellipselabels": ["dog"]}
    pixels = {"format": "rle", "rle": brush(drawn(L_SHAPE)), "brushlabels": ["pig"]}
    source = read(
        tmp_path,
        task(
            {"type": "polygonlabels", "value": polygon},
            {"type": "ellipselabels", "value": ellipse},
            {"type": "brushlabels", "value": pixels},
            {"type": "choices", "value": {"choices": ["good"]}},
            {"type": "keypointlabels", "value": {"x": 1, "y": 1, "width": 0.3, "keypointlabels": ["car"]}},
        ),
    )
    assert (source.task, source.names) == ("segment", CLASSES)
    rows_ = boxes(tmp_path, source)["a"]
    assert rows_[0] == (0, 16, 12, 32, 24)
    assert rows_[1] == (1, 16, pytest.approx(19.2), 48, pytest.approx(28.8))
    assert rows_[2] == (2, 10, 10, 31, 41), "a mask reaches to the edges of its last pixels"
    assert finding_codes(source)[0] == ("shape_unsupported", "p.json", 5)


def test_label_studio_rectangle_and_label_apart(tmp_path: Path) -> None:
    rectangle = {"x": 50, "y": 25, "width": 25, "height": 12.5, "rotation": 0}
    one = {"id": "x", "type": "rectangle", "value": rectangle}
    label = {"id": "x", "type": "labels", "value": rectangle | {"labels": ["dog"]}}
    assert boxes(tmp_path, read(tmp_path, task(one, label)))["a"] == [(0, 32, 12, 48, 18)]


def test_label_studio_answers_before_their_box(tmp_path: Path) -> None:
    rectangle = {"x": 50, "y": 25, "width": 25, "height": 12.5, "rotation": 0}
    choice = {"id": "x", "type": "choices", "value": rectangle | {"choices": ["blurred"]}}
    box = {"id": "x", "type": "rectanglelabels", "value": rectangle | {"rectanglelabels": ["dog"]}}
    assert boxes(tmp_path, read(tmp_path, task(choice, box)))["a"] == [(0, 32, 12, 48, 18)]


def test_via_1_table_with_a_mark(tmp_path: Path) -> None:
    header = ["#filename", "region_count", "region_shape_attributes", "region_attributes"]
    shape, kind = {"name": "rect", "x": 8, "y": 6, "width": 32, "height": 24}, {"class": "dog"}
    text = table(header, [["a.jpg", 1, json.dumps(shape), json.dumps(kind)]])
    source = read(tmp_path, {"via.csv": text})
    assert (source.format, boxes(tmp_path, source)["a"]) == ("via", [(0, 8, 6, 40, 30)])


def test_via_options_by_number(tmp_path: Path) -> None:
    kinds = [{"class": "0"}, {"class": {"1": True}}, {"class": "pig"}]
    shapes = [
        {"shape_attributes": {"name": "rect", "x": 8, "y": 6, "width": 32, "height": 24}, "region_attributes": kind}
        for kind in kinds
    ]
    options = {"0": "cat", "1": "dog", "pig": "A pig, seen from the side"}
    project = {
        "_via_settings": {},
        "_via_img_metadata": {"a": {"filename": "a.jpg", "regions": shapes}},
        "_via_attributes": {"region": {"class": {"type": "radio", "options": options}}},
    }
    assert read(tmp_path, {"p.json": json.dumps(project)}).names == ["cat", "dog", "pig"]


def test_datumaro_ellipse_by_its_ends(tmp_path: Path) -> None:
    entry = {"type": "ellipse", "label_id": 0, "points": [10, 8, 30, 20]}
    source = read(tmp_path, datumaro_file({"a": [entry]}))
    assert boxes(tmp_path, source)["a"] == [(0, 10, 8, 30, 20)]


def test_csv_answers_are_no_class_names(tmp_path: Path) -> None:
    header = ["image_id", "x_min", "y_min", "x_max", "y_max", "class_id"]
    files = {"train.csv": table(header, [["1", 2, 3, 20, 30, 1], ["2", 2, 3, 20, 30, 2]])}
    answers = {"sample_submission.csv": table(["image_id", "PredictionString"], [["1", "14 1 0 0 1 1"], ["2", "no"]])}
    source = read(tmp_path, files | answers, "1.jpg", "2.jpg")
    assert source.names == ["1", "2"]
    numbers = {"x.csv": table(["id", "other"], [["1", "14"], ["2", "15"]])}
    assert read(tmp_path / "numbers", files | numbers, "1.jpg", "2.jpg").names == ["1", "2"]


def test_csv_without_a_box(tmp_path: Path) -> None:
    """As written by pandas."""
    header = ["image", "xmin", "ymin", "xmax", "ymax", "class"]
    source = read(tmp_path, {"x.csv": table(header, [["a.jpg", 2, 3, 20, 30, "cat"], ["b.jpg", *["nan"] * 4, "nan"]])})
    assert (boxes(tmp_path, source), finding_codes(source)) == ({"a": [(0, 2, 3, 20, 30)], "b": []}, [])


def test_label_studio_uses_one_annotation_of_several(tmp_path: Path) -> None:
    rectangle = {"x": 50, "y": 25, "width": 25, "height": 12.5, "rotation": 0}
    answers = [
        {"was_cancelled": True, "result": []},
        *(
            {
                "result": [
                    ABOUT | {"id": kind, "type": "rectanglelabels", "value": rectangle | {"rectanglelabels": [kind]}}
                ],
                "ground_truth": kind == "dog",
            }
            for kind in ("cat", "dog")
        ),
    ]
    source = read(tmp_path, {"p.json": json.dumps([{"data": {"image": "a.jpg"}, "annotations": answers}])})
    assert source.names == ["dog"]
    assert finding_codes(source)[0][0] == "annotations_several"


def test_supervisely_outlines_with_holes(tmp_path: Path) -> None:
    objects = [
        {"classTitle": "car", "geometryType": "polygon", "points": {"exterior": L_SHAPE, "interior": [HOLE]}},
        {"classTitle": "dog", "geometryType": "line", "points": {"exterior": [[1, 1], [2, 2]], "interior": []}},
        {"classTitle": "dog", "geometryType": "bitmap", "bitmap": {"data": "x", "origin": [0, 0]}},
    ]
    source = read(tmp_path, supervisely_project({"a.jpg": objects}), "ds/img/a.jpg")
    assert (source.task, source.names) == ("segment", CLASSES)
    [row] = rows(tmp_path, source.items[0])
    assert area(points(row)) == pytest.approx(400 - 48, abs=12), "the hole is no part of it"
    assert finding_codes(source) == [
        ("shape_unsupported", "ds/ann/a.jpg.json", 2),
        ("mask_unreadable", "ds/ann/a.jpg.json", 3),
    ]


def test_supervisely_keypoints(tmp_path: Path) -> None:
    nodes = {"id1": {"label": "left_eye", "loc": [0, 0]}, "id2": {"label": "right_eye", "loc": [0, 0]}}
    classes = [{"title": "dog", "shape": "graph", "geometry_config": {"nodes": nodes, "edges": []}}]
    objects = [
        {
            "classTitle": "dog",
            "geometryType": "graph",
            "nodes": {"id2": {"loc": [30, 20]}, "id1": {"loc": [10, 40], "disabled": True}},
        }
    ]
    files = supervisely_project({"a.jpg": objects}) | {"meta.json": json.dumps({"classes": classes})}
    source = read(tmp_path, files, "ds/img/a.jpg")
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    [row] = rows(tmp_path, source.items[0])
    assert row[5:] == pytest.approx([10 / 64, 40 / 48, 1, 30 / 64, 20 / 48, 2], abs=1e-6)


def xy(points: list[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in points]


def test_darwin_outlines(tmp_path: Path) -> None:
    around = {"bounding_box": {"x": 10, "y": 10, "w": 20, "h": 30}}
    layer = {"dense_rle": [0, 5, 1, 3, 0, WIDTH * HEIGHT - 8], "mask_annotation_ids_mapping": {"m": 1}}
    annotations = [
        {"id": "1", "name": "car", "polygon": {"paths": [xy(L_SHAPE), xy(HOLE)]}} | around,
        {
            "id": "2",
            "name": "dog",
            "ellipse": {"center": {"x": 32, "y": 24}, "radius": {"x": 16, "y": 8}, "angle": math.pi / 2},
        },
        {"id": "m", "name": "pig", "mask": {}},
        {"id": "r", "name": "__raster_layer__", "raster_layer": layer},
        {"id": "3", "name": "dog", "line": {"path": xy(HOLE)}},
        {"id": "4", "name": "good", "tag": {}},
    ]
    source = read(tmp_path, {"a.json": darwin_file("a.jpg", annotations)}, "a.jpg")
    assert (source.task, source.names) == ("segment", CLASSES)
    assert area(points(rows(tmp_path, source.items[0])[0])) == pytest.approx(400 - 48, abs=12)
    assert boxes(tmp_path, source)["a"][1:] == [(1, 24, 8, 40, 40), (2, 5, 0, 8, 1)]
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("shape_unsupported", 5),
        ("shape_unsupported", 6),
    ]


def test_darwin_of_version_1_and_keypoints(tmp_path: Path) -> None:
    nodes = [{"name": "left", "x": 10, "y": 10, "occluded": True}, {"name": "right", "x": 30, "y": 20}]
    document = {
        "dataset": "d",
        "image": {"width": WIDTH, "height": HEIGHT, "filename": "a.jpg"},
        "annotations": [
            {"name": "car", "polygon": {"path": xy(L_SHAPE), "additional_paths": [xy(HOLE)]}},
            {"name": "car", "skeleton": {"nodes": nodes}},
        ],
    }
    source = read(tmp_path, {"a.json": json.dumps(document)}, "a.jpg")
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    outline, pose = rows(tmp_path, source.items[0])
    assert outline[5:] == [0] * 6
    assert pose[5:] == pytest.approx([10 / 64, 10 / 48, 1, 30 / 64, 20 / 48, 2], abs=1e-6)


def test_datumaro_groups_and_masks(tmp_path: Path) -> None:
    flat = [value for point in L_SHAPE for value in point]
    inner = [value for point in HOLE for value in point]
    runs = runs_of(drawn(L_SHAPE).T.ravel())
    objects = [
        {"type": "polygon", "points": flat, "label_id": 0, "group": 3},
        {"type": "polygon", "points": inner, "label_id": 0, "group": 3},
        {"type": "bbox", "bbox": [10, 10, 20, 30], "label_id": 0, "group": 3},
        {"type": "mask", "rle": {"counts": packed(runs), "size": [HEIGHT, WIDTH]}, "label_id": 1, "group": 0},
        {"type": "polyline", "points": flat, "label_id": 2},
        {"type": "label", "label_id": 2},
        {"type": "bbox", "label_id": 9},
    ]
    source = read(tmp_path, datumaro_file({"a.jpg": objects}), "images/train/a.jpg")
    assert (source.task, source.names, source.items[0].split) == ("segment", CLASSES, "train")
    first, second = rows(tmp_path, source.items[0])
    assert area(points(first)) == pytest.approx(400 - 48, abs=12)
    assert area(points(second)) == pytest.approx(int(drawn(L_SHAPE).sum()), rel=0.05)
    assert [(code, line) for code, _, line in finding_codes(source)] == [
        ("shape_unsupported", 5),
        ("object_unnamed", 7),
    ]


def test_via_shapes_and_its_class_attribute(tmp_path: Path) -> None:
    shapes = [
        {"name": "polygon", "all_points_x": [10, 30, 30], "all_points_y": [10, 10, 40]},
        {"name": "circle", "cx": 20, "cy": 20, "r": 8},
        {"name": "ellipse", "cx": 20, "cy": 20, "rx": 8, "ry": 4, "theta": math.pi / 2},
        {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]},
        {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4},
    ]
    regions = [
        {"shape_attributes": shape, "region_attributes": {"colour": "red", "Class": {"dog": True, "cat": False}}}
        for shape in shapes
    ]
    regions[-1]["region_attributes"] = {"colour": "red"}
    document = {"a.jpg9": {"filename": "a.jpg", "size": 9, "regions": regions, "file_attributes": {}}}
    source = read(tmp_path, {"via.json": json.dumps(document)})
    assert (source.task, source.names) == ("segment", ["dog"])
    assert boxes(tmp_path, source)["a"] == [
        (0, 10, 10, 30, 40),
        pytest.approx((0, 12, 12, 28, 28)),
        pytest.approx((0, 16, 12, 24, 28)),
    ]
    assert "class_attribute" in codes(source)
    assert [(code, line) for code, _, line in finding_codes(source)][:2] == [
        ("shape_unsupported", 4),
        ("object_unnamed", 5),
    ]
    bare = {"a.jpg9": document["a.jpg9"] | {"regions": [{"shape_attributes": shapes[4], "region_attributes": {}}]}}
    source = read(tmp_path / "bare", {"via.json": json.dumps(bare)})
    assert (source.names, codes(source)) == (["object"], ["class_of_all", "names_sorted"])
    assert via_regions([("dog", 1, 2, 4, 6)])[0]["shape_attributes"] == shapes[4]


def track(label: str, *shapes: str, group: str = "") -> str:
    return f'<track id="0" label="{label}" source="manual"{group}>{"".join(shapes)}</track>'


def box(frame: int, left: float, outside: int = 0, key: int = 1) -> str:
    return (
        f'<box frame="{frame}" keyframe="{key}" outside="{outside}" occluded="1" xtl="{left}" ytl="10" '
        f'xbr="{left + 10}" ybr="20" z_order="0"></box>'
    )


def frames(count: int, name: str = "images/frame_{:06}.PNG", start: int = 0) -> list[str]:
    return [name.format(number) for number in range(start, start + count)]


def test_cvat_tracks(tmp_path: Path) -> None:
    """Hidden in frame 3, back in frame 4, and a range of frames between 4 and 6 that is not written."""
    body = track("car", box(0, 0), box(1, 2, key=0), box(2, 4), box(3, 4, outside=1), box(4, 10), box(6, 20)) + track(
        "dog", '<polygon frame="1" outside="0" points="10,10;30,12;20,30"/>', box(5, 1), box(9, 0)
    )
    files = {
        "annotations.xml": cvat_xml(
            body, "<size>10</size><original_size><width>64</width><height>48</height></original_size>"
        )
    }
    source = read(tmp_path, files, *frames(8))
    by_image = boxes(tmp_path, source)
    assert {name[-1]: [box_[1] for box_ in rows_ if box_[0] == 0] for name, rows_ in by_image.items()} == {
        "0": [0],
        "1": [2],
        "2": [4],
        "3": [],
        "4": [10],
        "5": [15],
        "6": [20],
        "7": [],
    }
    assert [box_[:3] for box_ in by_image["frame_000001"]][1:] == [(1, 10, 10)]
    assert [len(rows_) for rows_ in by_image.values()] == [1, 2, 2, 1, 2, 2, 2, 1], "the polygon stays, the box goes on"
    assert finding_codes(source) == [("frames_missing", "annotations.xml", None)]


@pytest.mark.parametrize("names", [frames(4, "f_{:03}.jpg", 1), ["b.jpg", "c.jpg", "d.jpg", "e1.jpg"]])
def test_cvat_tracks_over_images_of_other_names(tmp_path: Path, names: list[str]) -> None:
    files = {"annotations.xml": cvat_xml(track("car", box(0, 5), box(1, 7)), "<size>4</size>")}
    source = read(tmp_path, files, *names)
    by_image = boxes(tmp_path, source)
    assert [[row[1] for row in by_image[name.removesuffix(".jpg")]] for name in names] == [[5], [7], [], []]
    [decision] = [item for item in source.decisions if item["code"].startswith("reading_frames_")]
    assert len(decision["examples"][0]["drawn"]) == len(decision["change"]["options"])
    for way in decision["change"]["options"]:
        again = read_dataset(tmp_path, reading=(way,))
        assert [item["code"] for item in again.decisions if item.get("confirmed")] == [f"reading_{way}"]


def test_cvat_tracks_without_their_frames(tmp_path: Path) -> None:
    files = {"annotations.xml": cvat_xml(track("car", box(0, 5)), "<size>90</size>")}
    assert "CVAT for images" in refusal(write(tmp_path, pictures("one.jpg", "two.jpg") | files))


def test_cvat_groups_and_skeletons(tmp_path: Path) -> None:
    parts = [
        '<polygon label="car" points="10,10;20,10;20,20;10,20" group_id="1"/>',
        '<polygon label="car" points="30,10;40,10;40,20;30,20" group_id="1"/>',
        '<polygon label="dog" points="30,30;40,30;40,40;30,40" group_id="1"/>',
    ]
    source = read(tmp_path / "1", cvat_images({"a.jpg": parts}))
    assert boxes(tmp_path, source)["a"] == [(0, 10, 10, 40, 20), (1, 30, 30, 40, 40)]
    labels = (
        "<label><name>dog</name></label><label><name>left</name><parent>dog</parent></label>"
        "<label><name>right</name><parent>dog</parent></label>"
    )
    body = (
        '<image name="a.jpg" width="64" height="48"><skeleton label="dog">'
        '<points label="right" points="30,20" occluded="1" outside="0"/>'
        '<points label="left" points="10,40" occluded="0" outside="0"/></skeleton></image>'
    )
    source = read(tmp_path / "2", {"annotations.xml": cvat_xml(body, labels=labels)})
    assert (source.task, source.names, source.keypoints) == ("pose", ["dog"], {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    assert rows(tmp_path / "2", source.items[0])[0][5:] == pytest.approx(
        [10 / 64, 40 / 48, 2, 30 / 64, 20 / 48, 1], abs=1e-6
    )


def test_spaces_around_a_class_are_not_of_its_name(tmp_path: Path) -> None:
    """Found by hypothesis: the class of an object that was not listed had no number once it was stripped."""
    names = (" dog", "dog", "cow ", "cow")
    shapes = [f'<box label="{name}" xtl="{x}" ytl="2" xbr="{x + 5}" ybr="8"/>' for x, name in enumerate(names)]
    source = read(tmp_path, cvat_images({"a.jpg": shapes}))
    assert source.names == [*CLASSES, "cow"]
    assert [box[0] for box in boxes(tmp_path, source)["a"]] == [1, 1, 3, 3]


def test_labelme_masks_groups_and_keypoints(tmp_path: Path) -> None:
    mask = numpy.zeros((20, 30), bool)
    mask[5:10, 3:9] = True
    shapes = [
        {"label": "car", "shape_type": "mask", "points": [[10, 10], [39, 29]], "mask": png(mask), "group_id": None},
        {"label": "car", "shape_type": "mask", "points": [[10, 10], [19, 19]], "mask": "!", "group_id": None},
        {"label": "dog", "shape_type": "polygon", "points": [[1, 1], [5, 1], [5, 5]], "group_id": 0},
        {"label": "dog", "shape_type": "polygon", "points": [[7, 1], [9, 1], [9, 5]], "group_id": 0},
        {"label": "pig", "shape_type": "polygon", "points": [[7, 1], [9, 1], [9, 5]], "group_id": 0},
    ]
    source = read(tmp_path / "1", labelme_file("a.jpg", shapes), task="segment")
    assert boxes(tmp_path, source)["a"] == [(0, 13, 15, 19, 20), (0, 10, 10, 20, 20), (1, 1, 1, 9, 5), (2, 7, 1, 9, 5)]
    assert "groups_joined" in codes(source)
    shapes = [
        {"label": "right", "shape_type": "point", "points": [[20, 20]], "group_id": 4, "difficult": True},
        {"label": "dog", "shape_type": "rectangle", "points": [[10, 10], [40, 30]], "group_id": 4},
        {"label": "left", "shape_type": "point", "points": [[30, 20]], "group_id": 4},
        {"label": "left", "shape_type": "point", "points": [[30, 20]], "group_id": 9},
    ]
    source = read(tmp_path / "2", labelme_file("a.jpg", shapes))
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    assert rows(tmp_path, source.items[0])[0][5:] == pytest.approx([20 / 64, 20 / 48, 1, 30 / 64, 20 / 48, 2], abs=1e-6)
    assert finding_codes(source)[0] == ("shape_unsupported", "a.json", 4)


def test_csv_crowds_names_by_number_and_sides(tmp_path: Path) -> None:
    rows_ = [["a", 2, 0.25, 0.5, 0.25, 0.5, 0], ["a", 3, 0.25, 0.5, 0.25, 0.5, 1]]
    header = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf"]
    names = table(["id", "name"], [[2, "dog"], [3, "cat"]])
    source = read(tmp_path, {"x.csv": table(header, rows_), "classes.csv": names})
    assert (source.names, boxes(tmp_path, source)["a"]) == (["dog"], [(0, 16, 12, 32, 24)])
    assert [code for code, *_ in finding_codes(source)][:1] == ["object_crowd"]
    header = ["filename", "x", "y", "w", "h", "label", "split"]
    text = table(
        header,
        [
            ["a.jpg", 1, 2, 10, 20, "cat", "valid"],
            ["b.jpg", 1, 2, 10, "", "cat", "train"],
            ["gone.jpg", 1, 2, 3, 4, "cat", "train"],
        ],
    )
    source = read(tmp_path / "sides", {"y.csv": text.encode("utf-16")})
    assert {item.name: item.split for item in source.items} == {"a.jpg": "val", "b.jpg": "train"}
    assert boxes(tmp_path, source) == {"a": [(0, 1, 2, 11, 22)], "b": []}
    assert [code for code, *_ in finding_codes(source)] == ["image_missing", "object_no_number"]


def test_csv_cells_with_corners(tmp_path: Path) -> None:
    text = table(["image", "bbox"], [["a.jpg", "[30, 20, 60, 40]"], ["b.jpg", "10 10 20 20"]])
    source = read(tmp_path, {"x.csv": text})
    assert boxes(tmp_path, source) == {"a": [(0, 30, 20, 60, 40)], "b": [(0, 10, 10, 20, 20)]}
    assert codes(source) == ["class_of_all", "csv_form", "names_sorted"]


def test_csv_cells_whose_boxes_name_their_class(tmp_path: Path) -> None:
    cell = [
        {"label": "dog", "xmin": 30, "ymin": 20, "xmax": 60, "ymax": 40},
        {"class": "car", "left": 1, "top": 2, "width": 10, "height": 20},
        {"category_name": "dog", "bbox": {"x": 5, "y": 6, "w": 7, "h": 8}},
    ]
    source = read(tmp_path, {"x.csv": table(["image", "annotations"], [["a.jpg", json.dumps(cell)]])})
    assert source.names == ["car", "dog"]
    assert boxes(tmp_path, source)["a"] == [(1, 30, 20, 60, 40), (0, 1, 2, 11, 22), (1, 5, 6, 12, 14)]


def test_a_wrong_row_does_not_change_what_cells_mean(tmp_path: Path) -> None:
    cells = [f"[{x}, 20, {x + 20}, 40]" for x in range(20, 44)]
    text = table(["image", "bbox"], [["a.jpg", cell] for cell in [*cells, "[5, 5, 5, 5]"]])
    rows_ = boxes(tmp_path, read(tmp_path, {"x.csv": text}))["a"]
    assert rows_[0] == (0, 20, 20, 40, 40)
    inside = table(
        ["image", "bbox"],
        [["a.jpg", f"[{n}, 2, {n + 1}, 3]"] for n in range(50, 60)]
        + [["b.jpg", "[40, 20, 60, 40]"], ["b.jpg", "[5, 5, 5, 5]"]],
    )
    assert boxes(tmp_path / "in", read(tmp_path / "in", {"x.csv": inside}))["b"][0] == (0, 40, 20, 60, 40)


def test_csv_of_fractions_with_centres(tmp_path: Path) -> None:
    """x, y, w, h as in YOLO: read as corners, most boxes would extend beyond the image."""
    centres = [(0.2 + n / 20, 0.8, 0.3, 0.4) for n in range(12)]
    text = table(["image", "x", "y", "w", "h", "label"], [["a.jpg", *centre, "cat"] for centre in centres])
    source = read(tmp_path, {"x.csv": text})
    assert "reading_centre" in codes(source)
    assert boxes(tmp_path, source)["a"][0] == pytest.approx((0, 3.2, 28.8, 22.4, 48), abs=0.01)


@pytest.mark.parametrize("heading", ["rle_mask", "RLE", "encoded_mask"])
def test_csv_masks_of_other_headings(tmp_path: Path, heading: str) -> None:
    source = read(tmp_path, {"train.csv": table(["image", heading], [["a.jpg", "1 10 49 10 97 10"], ["b.jpg", ""]])})
    assert (source.format, source.task) == ("csv", "segment")
    assert boxes(tmp_path, source) == {"a": [(0, 0, 0, 3, 10)], "b": []}


def test_csv_masks_of_kaggle(tmp_path: Path) -> None:
    values = runs_of(drawn(L_SHAPE).T.ravel())
    starts = [sum(values[:at]) + 1 for at in range(1, len(values), 2)]
    text = " ".join(f"{start} {length}" for start, length in zip(starts, values[1::2], strict=True))
    files = {"train.csv": table(["ImageId", "EncodedPixels"], [["a.jpg", text], ["b.jpg", ""]])}
    source = read(tmp_path, files)
    assert (source.task, boxes(tmp_path, source)) == ("segment", {"a": [(0, 10, 10, 31, 41)], "b": []})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("boxes.csv", "picture_number,polygon,kind\n1,POLYGON((1 1)),car\n"),
        ("x.json", '{"frames": [{"bbox": [1]}]}'),
        ("north/a.json", '{"polygons": []}'),
        ("x.ndjson", '{"keypoints": [1]}\n'),
        ("x.xml", "<root><box/></root>"),
        ("bdd.json", '[{"name": "0.jpg", "labels": [{"category": "car", "box2d": {"x1": 1}}]}]'),
    ],
)
def test_labels_of_an_unknown_kind_are_no_classification(tmp_path: Path, name: str, text: str) -> None:
    files = pictures(*(f"{folder}/{number}.jpg" for folder in ("north", "south") for number in range(3)))
    assert name in refusal(write(tmp_path, files | {name: text}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gt/gt.txt", "1,1,10,20,30,40,1,1,1\n2,1,12,20,30,40,1,1,1\n"),
        ("wider_face_train_bbx_gt.txt", "img1/0.jpg\n1\n10 20 30 40 0 0 0\nimg1/1.jpg\n1\n1 2 30 40 0 0 0\n"),
    ],
)
def test_one_text_of_all_boxes_is_named(tmp_path: Path, name: str, text: str) -> None:
    files = pictures(*(f"img1/{number}.jpg" for number in range(3))) | {"README.txt": "3 photographs\nof 2024\n"}
    words = refusal(write(tmp_path, files | {name: text}))
    assert name in words
    assert "README" not in words


def test_an_unrelated_table_does_not_prevent_a_classification(tmp_path: Path) -> None:
    files = pictures(*(f"{folder}/{number}.jpg" for folder in ("north", "south") for number in range(3)))
    source = read_dataset(write(tmp_path, files | {"about.csv": "file,camera\nnorth/0.jpg,Nikon\n"}))
    assert source.task == "classify"


def test_cvat_project_of_videos(tmp_path: Path) -> None:
    """Each task counts its frames from 0, and has its images in the folder of its subset."""
    tasks = "".join(
        f"<task><id>{number}</id><size>2</size><subset>{subset}</subset></task>"
        for number, subset in ((7, "train"), (8, "val"))
    )
    tracks = "".join(
        f'<track id="{number}" label="dog" task_id="{number}" subset="{subset}">'
        f'<box frame="0" outside="0" xtl="{left}" ytl="1" xbr="40" ybr="30"/>'
        f'<box frame="1" outside="1" xtl="{left}" ytl="1" xbr="40" ybr="30"/></track>'
        for number, subset, left in ((7, "train", 1), (8, "val", 9))
    )
    text = f"<annotations><version>1.1</version><meta><project><tasks>{tasks}</tasks></project></meta>{tracks}"
    names = [f"images/{subset}/frame_00000{n}.png" for subset in ("train", "val") for n in (0, 1)]
    source = read(tmp_path, {"annotations.xml": f"{text}</annotations>"}, *names)
    by_image = {item.image: (item.split, rows(tmp_path, item)) for item in source.items}
    assert {name: (split, len(rows_)) for name, (split, rows_) in by_image.items()} == {
        names[0]: ("train", 1),
        names[1]: ("train", 0),
        names[2]: ("val", 1),
        names[3]: ("val", 0),
    }
    assert by_image[names[2]][1][0][3] == pytest.approx(31 / 64)
    same = text.replace(">val<", ">train<").replace('"val"', '"train"')
    assert "annotations.xml" in refusal(
        write(tmp_path / "same", pictures(*names) | {"annotations.xml": f"{same}</annotations>"})
    )


def test_images_that_only_a_model_labelled_are_no_backgrounds(tmp_path: Path) -> None:
    """Also if a user skipped them; those that a user left empty are."""
    drawn = [{"type": "rectanglelabels", "value": {"x": 10, "y": 10, "width": 50, "height": 50}}]
    drawn[0]["value"]["rectanglelabels"] = ["car"]  # type: ignore[index]
    guess = [{"result": drawn}]
    results: dict[str, dict[str, Any]] = {
        "a": {"annotations": [{"result": drawn}], "predictions": guess},
        "b": {"annotations": [], "predictions": guess},
        "c": {"annotations": [{"result": [], "was_cancelled": True}], "predictions": guess},
        "d": {"annotations": [{"result": []}], "predictions": guess},
        "e": {"annotations": [], "predictions": []},
    }
    tasks = [{"id": 1, "data": {"image": f"{name}.jpg"}} | more for name, more in results.items()]
    files = pictures(*(f"{name}.jpg" for name in results)) | {"p.json": json.dumps(tasks)}
    source = read_dataset(write(tmp_path, files))
    assert [item.image for item in source.items] == ["a.jpg", "d.jpg", "e.jpg"]
    [decision] = [item for item in source.decisions if item["code"] == "predictions_left_out"]
    assert decision["data"]["count"] == 2
