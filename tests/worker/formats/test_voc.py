"""Pascal VOC as written by tools: outlines instead of boxes, corner and sides, one file for all images."""

from pathlib import Path

import pytest

from app.worker.formats import Options, choose, detect, read, voc
from tests.worker.formats.helpers import boxes, finding_codes, pictures, read_dataset, write

BOX = (0, 24.0, 12.0, 40.0, 36.0)
PARTS = {
    "roboflow": "<polygon><x1>24</x1><y1>12</y1><x2>40</x2><y2>12</y2><x3>40</x3><y3>36</y3></polygon>",
    "points": "<polygon><point><x>24</x><y>12</y></point><point><x>40</x><y>12</y></point>"
    "<point><x>40</x><y>36</y></point></polygon>",
    "attributes": '<polygon><pt x="24" y="12"/><pt x="40" y="12"/><pt x="40" y="36"/></polygon>',
    "labelme": "<polygon><username>me 12 34</username><pt><x>24</x><y>12</y><time>1 2</time></pt>"
    "<pt><x>40</x><y>12</y></pt><pt><x>40</x><y>36</y></pt></polygon>",
    "one text": "<segmentation>24,12,40,12,40,36</segmentation>",
    "FAIR1M": "<points><point>24.0,12.0</point><point>40.0,12.0</point><point>40.0,36.0</point>"
    "<point>24.0,12.0</point></points>",
    "corner and sides": "<bndbox><x>24</x><y>12</y><width>16</width><height>24</height></bndbox>",
    "x_min": "<bndbox><x_min>24</x_min><y_min>12</y_min><x_max>40</x_max><y_max>36</y_max></bndbox>",
}


def annotation(name: str, part: str) -> str:
    return f"<annotation><filename>{name}</filename><object><name>cat</name>{part}</object></annotation>"


@pytest.mark.parametrize("part", PARTS)
def test_positions_of_an_object(tmp_path: Path, part: str) -> None:
    source = read_dataset(write(tmp_path, pictures("a.jpg") | {"a.xml": annotation("a.jpg", PARTS[part])}))
    assert (boxes(tmp_path, source), source.findings) == ({"a": [BOX]}, [])


def test_corners_of_a_turned_box(tmp_path: Path) -> None:
    """DIOR-R."""
    corners = zip(
        ("left_top", "right_top", "right_bottom", "left_bottom"), ((24, 12), (40, 12), (40, 36), (24, 36)), strict=True
    )
    part = "".join(f"<x_{name}>{x}</x_{name}><y_{name}>{y}</y_{name}>" for name, (x, y) in corners)
    files = pictures("a.jpg") | {"a.xml": annotation("a.jpg", f"<robndbox>{part}</robndbox>")}
    source = read_dataset(write(tmp_path, files))
    assert (source.task, boxes(tmp_path, source)) == ("obb", {"a": [BOX]})


def closing(tags: str) -> str:
    return "".join(f"</{tag}>" for tag in reversed(tags.split("><")))


def test_a_long_text_is_no_outline(tmp_path: Path) -> None:
    """And it is not searched for hours."""
    part = f"<polygon>{'1' * 200_000}x</polygon>"
    source = read_dataset(
        write(
            tmp_path,
            pictures("a.jpg", "b.jpg")
            | {"a.xml": annotation("a.jpg", part)}
            | {"b.xml": annotation("b.jpg", PARTS["one text"])},
        )
    )
    assert boxes(tmp_path, source)["b"] == [BOX]


@pytest.mark.parametrize("limit", [voc.MAX_XML, 100])
@pytest.mark.parametrize("top", ["annotations", "dataset", "dataset><images"])
def test_one_file_for_all_images(tmp_path: Path, top: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any size: a large one is read as a stream."""
    monkeypatch.setattr(voc, "MAX_XML", limit)
    names = [f"images/{name}.jpg" for name in "abc"]
    box = "<bndbox><xmin>24</xmin><ymin>12</ymin><xmax>40</xmax><ymax>36</ymax></bndbox>"
    text = "".join(annotation(f"{name}.jpg", box) for name in "abcx")
    source = read_dataset(write(tmp_path, pictures(*names) | {"train.xml": f"<{top}>{text}{closing(top)}"}))
    assert boxes(tmp_path, source) == {name: [BOX] for name in "abc"}
    assert {item.split for item in source.items} == {"train"}
    assert finding_codes(source) == [("image_missing", "train.xml", None)]


def test_a_large_file_of_one_image_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voc, "MAX_XML", 300)
    files = pictures("a.jpg", "b.jpg") | {
        "a.xml": annotation("a.jpg", "<!-- large -->" * 30 + PARTS["one text"]),
        "b.xml": annotation("b.jpg", PARTS["one text"]),
    }
    write(tmp_path, files)
    source = read(tmp_path, choose(detect(tmp_path), Options()), Options())
    assert (boxes(tmp_path, source), finding_codes(source)[0]) == ({"b": [BOX]}, ("file_too_large", "a.xml", None))
