"""Hostile files: a refusal or a finding, never a traceback, and nothing outside the source is read."""

import base64
import io
import itertools
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.worker.formats import InvalidInput, Options, choose, detect, read
from app.worker.formats.paths import named
from tests.worker.formats.helpers import finding_codes, pictures, read_dataset, refusal, write
from tests.worker.formats.test_conversions import cvat, voc, voc_object
from tests.worker.formats.test_layouts import yolo
from tests.worker.formats.writers import (
    WRITERS,
    cvat_images,
    cvat_xml,
    datumaro_file,
    labelme_file,
    supervisely_project,
)

YAML_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in itertools.pairwise("abcdefgh")
)
XML_BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
REFUSED = {
    "alias bomb": (YAML_BOMB + "names: [a]\n", "aliases"),
    "depth": ("names: " + "[" * 5000 + "]" * 5000, "deep"),
    "python tag": ("names: !!python/object/apply:os.system [id]\n", "tag"),
    "duplicate key": ("names: [a]\nnames: [b]\n", "twice"),
    "nc": ("nc: 3\nnames: [a, b]\n", "nc: 3"),
    "nc of many digits": (f"nc: {'9' * 5000}\n", "whole number"),
    "gap": ("names: {0: a, 2: b}\n", "gap"),
    "empty name": ("names: [a, '']\n", "empty name"),
    "no names": ("names: []\n", "least one"),
    "path": ("names: [../../pwn]\n", "../../pwn"),
    "too large": ("#" + "ab" * 140_000, "data.yaml is larger"),
    "list": ("[a, b]\n", "keys and values"),
    "too many": (f"names: {[f'c{number}' for number in range(1001)]}\n", "1000"),
    "keypoints": ("names: [a]\nkpt_shape: [17, 4]\n", "kpt_shape"),
    "flip": ("names: [a]\nkpt_shape: [2, 3]\nflip_idx: [0, 0]\n", "flip_idx"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_yaml(tmp_path: Path, case: str) -> None:
    text, words = REFUSED[case]
    assert words in refusal(write(tmp_path, yolo() | {"data.yaml": text}))


@pytest.mark.parametrize("names", ["a,,b", ",", "../../pwn", "a\x00b", ",".join(map(str, range(1001)))])
def test_names_of_the_form(tmp_path: Path, names: str) -> None:
    refusal(write(tmp_path, yolo()), classes=names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (XML_BOMB + voc(voc_object(1, 1, 9, 9, "&c;")), "entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + voc(voc_object(1, 1, 9, 9, "&a;")), "XML"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + voc(voc_object(1, 1, 9, 9, "&x;")), "entities"),
        ("<annotation>" + "<object>" * 200_000, "deep"),
        ("<annotation><object>", "XML"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "XML"),
    ],
)
def test_xml(tmp_path: Path, text: str, words: str) -> None:
    files = pictures("a.jpg", "b.jpg") | {"a.xml": text, "b.xml": voc(voc_object(1, 1, 9, 9), name="b.jpg")}
    source = read_dataset(write(tmp_path / "voc", files))
    assert [item.image for item in source.items] == ["b.jpg"]
    [(_, file, _), *_] = finding_codes(source)
    assert file == "a.xml"
    inside = text.replace("annotation>", "annotations>").replace("<annotation/>", "<annotations/>")
    assert words in refusal(write(tmp_path / "cvat", pictures("a.jpg") | {"x.xml": inside}))


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
    "categories": [{"id": 1, "name": "cat"}],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(COCO).replace('"categories"', '"x": ' + "[" * 100_000 + "]" * 100_000 + ', "categories"'), "deep"),
        (json.dumps(COCO)[:-30], "JSON"),
        (json.dumps(COCO).replace("64", "9" * 5000), "can't be read"),
        (json.dumps(COCO).replace('cat"', '../../pwn"'), "../../pwn"),
        (json.dumps(COCO).encode("utf-16").decode("latin-1"), "No dataset"),
        (json.dumps(COCO).replace("a.jpg", "../../../etc/passwd"), "ZIP"),
    ],
)
def test_json(tmp_path: Path, text: str, words: str) -> None:
    message = refusal(write(tmp_path, pictures("a.jpg") | {"coco.json": text}))
    assert words in message or "can't be read" in message


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "9" * 400, '"x"', "null", "[]", "{}", "true"])
@pytest.mark.parametrize(
    "key", ["1, 1, 5, 5", "64", '"image_id": 1', '"category_id": 1', '"id": 1', '"a.jpg"', '"cat"']
)
def test_any_value_anywhere(tmp_path: Path, key: str, value: str) -> None:
    start, colon, _ = key.rpartition(": ")
    text = json.dumps(COCO).replace(key, f"{start}{colon}{value}")
    folder = write(tmp_path, pictures("a.jpg") | {"coco.json": text})
    attempt(folder)


def attempt(folder: Path, **options: str) -> None:
    """Reading ends with a dataset or a refusal."""
    chosen = Options(**options)  # type: ignore[arg-type]
    try:
        source = read(folder, choose(detect(folder, chosen.task), chosen), chosen)
    except InvalidInput:
        return
    for item in source.items:
        assert (folder / item.image).resolve().is_relative_to(folder.resolve())
        assert ".." not in item.name.split("/")
        for row in item.rows or []:
            assert all(0 <= float(value) <= 1 for value in row.text.split()[1:])


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6) | st.sampled_from(["a.jpg", "cat"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "image_id",
                    "file_name",
                    "bbox",
                    "category_id",
                    "name",
                    "segmentation",
                    "keypoints",
                    "label",
                    "points",
                    "shape_type",
                    "image",
                    "coordinates",
                    "x",
                    "width",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


TOOLS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6) | st.sampled_from(["1.jpg", "car"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "bounding_box",
                    "polygon",
                    "paths",
                    "path",
                    "x",
                    "y",
                    "w",
                    "h",
                    "skeleton",
                    "nodes",
                    "raster_layer",
                    "dense_rle",
                    "ellipse",
                    "classTitle",
                    "geometryType",
                    "points",
                    "exterior",
                    "bitmap",
                    "data",
                    "origin",
                    "value",
                    "rectanglelabels",
                    "original_width",
                    "width",
                    "rle",
                    "type",
                    "bbox",
                    "label_id",
                    "group",
                    "counts",
                    "size",
                    "shape_attributes",
                    "region_attributes",
                    "all_points_x",
                    "all_points_y",
                    "left",
                    "top",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=16,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(["coco", "labelme", "createml"]))
def test_any_json(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    values = data.draw(st.lists(VALUES, max_size=3))
    document = {
        "coco": {
            "images": [*COCO["images"], *values],
            "annotations": [*COCO["annotations"], *values],
            "categories": [*COCO["categories"], *values],
        },
        "labelme": {"imagePath": "a.jpg", "shapes": values},
        "createml": [{"image": "a.jpg", "annotations": values}, *values],
    }[kind]
    attempt(write(tmp_path, pictures("a.jpg") | {"a.json": json.dumps(document)}))


@pytest.mark.parametrize("coordinate", ["1e300", "1.7e308", "-1e200", "1e12"])
def test_coordinates_out_of_all_bounds(tmp_path: Path, coordinate: str) -> None:
    outline = f'"bbox": [1, 1, 5, 5], "segmentation": [[1, 1, {coordinate}, 9, 9, {coordinate}]]'
    text = json.dumps(COCO).replace('"bbox": [1, 1, 5, 5]', outline)
    source = read_dataset(write(tmp_path, pictures("a.jpg") | {"coco.json": text}))
    assert (source.task, finding_codes(source)) == ("segment", [("object_no_number", "coco.json", 1)])


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = write(tmp_path, yolo())
    (folder / "images/train" / os.fsdecode(b"bad\xff.jpg")).write_bytes(b"x")
    assert len(read_dataset(folder).items) == 3


@pytest.mark.parametrize("lines", ["0 0.5 0.5 0.2 0.2\n;\n", "0;0.5;0.5;0.2;0.2\n;;;\n"])
def test_a_line_of_separators(tmp_path: Path, lines: str) -> None:
    """Nothing is left of it, so it has no class."""
    assert read_dataset(write(tmp_path, pictures("a.jpg") | {"a.txt": lines})).names == ["class_0"]


def test_links_and_paths_lead_nowhere(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", pictures("secret.jpg") | {"secret.txt": "0 0.5 0.5 0.5 0.5\n"})
    folder = write(
        tmp_path / "source",
        yolo()
        | {
            "data.yaml": f"path: {outside}\ntrain: {outside}/secret.jpg\nval: ../../..\nnames: [a]\n",
            "train.txt": f"{outside}/secret.jpg\n../outside/secret.jpg\n",
        },
    )
    os.symlink(outside / "secret.jpg", folder / "images/train/link.jpg")
    os.symlink(outside, folder / "labels/more")
    source = read_dataset(folder)
    assert {item.image for item in source.items} == {"images/train/t0.jpg", "images/train/t1.jpg", "images/val/v0.jpg"}
    for text in ("../../outside/secret.jpg", "/etc/passwd", "C:\\x\\..\\..\\secret.jpg", "..", "", "\0"):
        assert ".." not in named(text)
    body = cvat(f'<image name="{outside}/secret.jpg" width="1" height="1"/><image name="../outside/secret.jpg"/>')
    refusal(write(tmp_path / "cvat", pictures("a.jpg") | {"annotations.xml": body}))


GOOD = {"1.jpg": [("car", 1, 1, 9, 9)], "2.jpg": [("dog", 5, 5, 20, 20)]}
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("tool", WRITERS)
@pytest.mark.parametrize("harm", ["cut", "deep", "numbers", "bytes", "utf16"])
def test_files_of_tools_that_are_damaged(tmp_path: Path, tool: str, harm: str) -> None:
    """Truncated, nested without end, with numbers of thousands of digits, with bytes of no encoding: never a
    traceback.
    """
    files = WRITERS[tool][1](GOOD)
    for name, content in files.items():
        text = content if isinstance(content, str) else content.decode()
        damaged: bytes | str = {
            "cut": text[: len(text) * 2 // 3],
            "deep": text.replace("1", DEEP, 1),
            "numbers": re.sub(r"\b9\b", "9" * 5000, text),
            "bytes": text.encode()[:40] + b"\xff\x00\xfe" + text.encode()[43:],
            "utf16": text.encode("utf-16"),
        }[harm]
        files[name] = damaged
    attempt(write(tmp_path, pictures("pics/1.jpg", "pics/2.jpg") | files))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.data(), st.sampled_from(["darwin", "supervisely", "label-studio", "via", "datumaro", "labelbox", "ultralytics"])
)
def test_any_json_of_tools(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    values = data.draw(st.lists(TOOLS, min_size=1, max_size=3))
    documents: dict[str, tuple[str, Any]] = {
        "darwin": ("1.json", {"item": {"name": "1.jpg", "slots": values}, "annotations": values}),
        "supervisely": (
            "ann/1.jpg.json",
            {"size": {"width": 64, "height": 48}, "objects": [{"classTitle": "car"}, *values]},
        ),
        "label-studio": ("p.json", [{"data": {"image": "1.jpg"}, "annotations": [{"result": values}]}, *values]),
        "via": (
            "v.json",
            {"a": {"filename": "1.jpg", "regions": values}, "b": {"filename": "1.jpg", "regions": {"0": values[0]}}},
        ),
        "datumaro": (
            "d.json",
            {
                "categories": {"label": {"labels": [{"name": "car"}, *values]}},
                "items": [{"id": "1", "annotations": values, "image": values[0]}],
            },
        ),
        "labelbox": (
            "l.ndjson",
            {
                "data_row": {"external_id": "1.jpg"},
                "projects": {"p": {"labels": [{"annotations": {"objects": values}}]}},
            },
        ),
        "ultralytics": (
            "u.ndjson",
            {"type": "dataset", "task": "detect", "class_names": {"0": "car"}, "kpt_shape": values},
        ),
    }
    name, document = documents[kind]
    text = json.dumps(document)
    if kind == "ultralytics":
        text += "\n" + json.dumps(
            {"type": "image", "file": "1.jpg", "annotations": {"boxes": values, "pose": [values]}}
        )
    attempt(write(tmp_path, pictures("1.jpg") | {name: text}))


def mask_file(**more: Any) -> dict[str, bytes | str]:
    """LabelMe's file of 1.jpg with one mask."""
    shape = {"label": "car", "shape_type": "mask", "points": [[1, 1], [9, 9]]} | more
    return labelme_file("1.jpg", [shape])


def packed_png(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    return file.getvalue()


def test_masks_that_are_bombs(tmp_path: Path) -> None:
    """Huge images in a few bytes, zlib in zlib, runs without end: each object is a finding, in little memory."""
    huge = packed_png((20_000, 20_000))
    source = read_dataset(write(tmp_path / "1", pictures("1.jpg") | mask_file(mask=base64.b64encode(huge).decode())))
    assert [row.text for row in source.items[0].rows or []], "its corners still say where it is"
    bitmap = base64.b64encode(zlib.compress(b"\0" * 100_000_000)).decode()
    objects = [
        {"classTitle": "car", "geometryType": "bitmap", "bitmap": {"data": text, "origin": [0, 0]}}
        for text in (bitmap, base64.b64encode(zlib.compress(huge)).decode())
    ]
    files = supervisely_project(
        {
            "1.jpg": [
                *objects,
                {"classTitle": "car", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [9, 9]]}},
            ]
        }
    )
    source = read_dataset(write(tmp_path / "2", pictures("ds/img/1.jpg") | files))
    assert [code for code, *_ in finding_codes(source)] == ["mask_unreadable"] * 2
    runs: list[Any] = [[10**18], [5] * 100_000, ["x"], [-1, 5], [1e400]]
    marks = [{"type": "mask", "label_id": 0, "rle": {"counts": run, "size": [48, 64]}} for run in runs]
    marks += [
        {"type": "mask", "label_id": 0, "rle": {"counts": text, "size": size}}
        for text, size in (("~" * 1000, [48, 64]), ("o" * 1000, [48, 64]), ("1", [10**9, 10**9]), ("é", [4, 4]))
    ]
    source = read_dataset(
        write(
            tmp_path / "3",
            pictures("1.jpg")
            | datumaro_file(
                {
                    "1.jpg": [
                        *marks,
                        {"type": "bbox", "bbox": [1, 1, 5, 5], "label_id": 0},
                    ]
                }
            ),
        )
    )
    assert [code for code, *_ in finding_codes(source)] == ["mask_unreadable"] * len(marks)
    lines = [
        '<mask label="car" rle="99999999999" left="0" top="0" width="9" height="9"/>',
        '<mask label="car" rle="1,2" left="0" top="0" width="1000000" height="1000000"/>',
        '<mask label="car" rle="a" left="0" top="0" width="9" height="9"/>',
        '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/>',
    ]
    source = read_dataset(write(tmp_path / "4", pictures("1.jpg") | cvat_images({"1.jpg": lines})))
    assert [code for code, *_ in finding_codes(source)] == ["mask_unreadable"] * 3


def test_tracks_that_fill_a_year(tmp_path: Path) -> None:
    """Frames far apart fill only the existing images; invalid frame numbers are ignored."""
    shape = '<box frame="{}" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    frames = "".join(shape.format(frame) for frame in (0, 999_999_999, "9" * 5000, -1, "x"))
    files = {"annotations.xml": cvat_xml(f'<track label="car">{frames}</track>' * 3)}
    source = read_dataset(write(tmp_path, pictures(*(f"frame_{n:06}.jpg" for n in range(4))) | files))
    assert [len(item.rows or []) for item in source.items] == [3] * 4


def test_tables_that_mean_harm(tmp_path: Path) -> None:
    header = "image,xmin,ymin,xmax,ymax,label\n"
    row = "1.jpg,1,1,9,9,car\n"
    cases = {
        "wide": header + row + "1.jpg," + "9," * 200_000 + "\n",
        "long": header + row + '1.jpg,"' + "9" * 9_000_000,
        "nul": header + row + "1.jpg\0,1,1,9,9,ca\0r\n",
        "formula": header + row.replace("car", "=cmd|'/c calc'!A0"),
        "up": header + row + "../../../etc/passwd,1,1,9,9,car\n",
        "quotes": header + row + '"' * 99_999,
    }
    for name, text in cases.items():
        attempt(write(tmp_path / name, pictures("1.jpg") | {"boxes.csv": text}))
    missing = "".join(f"gone{n}.jpg,1,1,9,9,car\n" for n in range(5000))
    source = read_dataset(write(tmp_path / "missing", pictures("1.jpg") | {"boxes.csv": header + row + missing}))
    assert len(source.findings) == 51, "fifty by name, and how many more there are"
