"""Annotation files that are not UTF-8: JSON, XML and CSV, with and without a declaration."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.worker.formats.file_encoding import encoding_of
from app.worker.formats.jsonstream import walk
from app.worker.formats.tree import Tree
from tests.worker.formats.helpers import SIZE, boxes, pictures, read_dataset, write
from tests.worker.formats.writers import table

WORDS = {"cp1252": "maçã vermelha", "gb18030": "汽车", "cp932": "車", "cp949": "자동차", "cp1251": "машина"}
WORDS |= {"utf-16": "maçã", "utf-16-le": "maçã", "utf-32": "maçã", "utf-8-sig": "maçã"}
BOX = [(0.0, 8.0, 6.0, 40.0, 30.0)]
Files = dict[str, bytes | str]


def coco(name: str) -> str:
    boxes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 6, 32, 24], "area": float("nan")}]
    image = {"id": 1, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}
    document = {"images": [image], "annotations": boxes, "categories": [{"id": 1, "name": name}]}
    return json.dumps(document, ensure_ascii=False)


def labelme(name: str) -> str:
    shape = {"label": name, "shape_type": "rectangle", "points": [[8, 6], [40, 30]]}
    return json.dumps({"shapes": [shape], "imagePath": "a.jpg"}, ensure_ascii=False)


def voc(name: str) -> str:
    box = "<bndbox><xmin>8</xmin><ymin>6</ymin><xmax>40</xmax><ymax>30</ymax></bndbox>"
    return f"<annotation><filename>a.jpg</filename><object><name>{name}</name>{box}</object></annotation>"


def cvat(name: str) -> str:
    box = f'<box label="{name}" xtl="8" ytl="6" xbr="40" ybr="30"/>'
    return f'<annotations><version>1.1</version><image id="0" name="a.jpg">{box}</image></annotations>'


def rows(name: str) -> str:
    return table(["filename", "class", "xmin", "ymin", "xmax", "ymax"], [["a.jpg", name, 8, 6, 40, 30]])


FORMATS: dict[str, tuple[str, Callable[[str], str]]] = {
    "coco": ("annotations.json", coco),
    "labelme": ("a.json", labelme),
    "voc": ("a.xml", voc),
    "cvat": ("annotations.xml", cvat),
    "csv": ("annotations.csv", rows),
}


@pytest.mark.parametrize("encoding", [*WORDS])
@pytest.mark.parametrize("form", [*FORMATS])
def test_names_come_back(tmp_path: Path, form: str, encoding: str) -> None:
    file, write_names = FORMATS[form]
    folder = write(tmp_path, pictures("a.jpg", "b.jpg") | {file: write_names(WORDS[encoding]).encode(encoding)})
    source = read_dataset(folder)
    assert (source.names, boxes(folder, source)["a"]) == ([WORDS[encoding]], BOX)


@pytest.mark.parametrize(("declared", "encoding"), [("GBK", "gb18030"), ("gb2312", "gb18030"), ("Shift_JIS", "cp932")])
@pytest.mark.parametrize("write_object", [voc, cvat])
def test_an_encoding_declared_in_xml(
    tmp_path: Path, write_object: Callable[[str], str], declared: str, encoding: str
) -> None:
    """Also encodings with several bytes per character, which expat does not know."""
    text = f'<?xml version="1.0" encoding="{declared}"?>\n{write_object(WORDS[encoding])}'
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg") | {"a.xml": text.encode(encoding)}))
    assert (source.names, [d["code"] for d in source.decisions if d["code"].startswith("reading_")]) == (
        [WORDS[encoding]],
        [],
    )


def test_another_encoding_is_one_choice_away(tmp_path: Path) -> None:
    folder = write(tmp_path, pictures("a.jpg", "b.jpg") | {"a.json": labelme("пчела").encode("cp1251")})
    [decision] = [item for item in read_dataset(folder).decisions if item["code"].startswith("reading_")]
    assert (decision["reading"], decision["change"]["parameter"]) == ("cp1251", "reading")
    source = read_dataset(folder, reading=("koi8_r",))
    [again] = [item for item in source.decisions if item["code"].startswith("reading_")]
    assert (again["confirmed"], source.names) == (True, ["пчела".encode("cp1251").decode("koi8_r")])


def test_an_ampersand_that_nobody_escaped(tmp_path: Path) -> None:
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg") | {"a.xml": voc("salt & pepper &lt;3")}))
    assert source.names == ["salt & pepper <3"]


def test_members_of_an_object_come_one_by_one(tmp_path: Path) -> None:
    """So that VIA's one object of all images may be of any size."""
    write(tmp_path, {"a.json": '{"x": {}, "big": {"a": 1, "b": {"c": 2}}, "y": [3], "z": 4}'})
    members = list(walk(Tree(tmp_path), "a.json", {"y"}, {"big", "x"}))
    assert members == [("big", {"a": 1}), ("big", {"b": {"c": 2}}), ("y", 3), ("z", 4)]


def test_a_picture_in_the_file_is_not_searched_as_text(tmp_path: Path) -> None:
    """2 MB of base64 without a delimiter: backtracking over it would take minutes."""
    text = json.dumps(json.loads(labelme("cão")) | {"imageData": "A" * 2 * 1024**2}, ensure_ascii=False)
    files = {"a.json": text.encode("cp1252"), "b.json": text.replace('"A', '"ç').encode("cp1252")}
    write(tmp_path, files)
    began = time.process_time()
    assert [encoding_of(tmp_path / name).name for name in files] == ["cp1252", "cp1252"]
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("declared", "name"), [("ISO-8859-1", "maçã vermelha"), ("gb2312", "汽车"), ("gb2312", "maçã"), ("GBK", "行人")]
)
@pytest.mark.parametrize("write_object", [voc, cvat])
def test_utf8_that_xml_declares_as_another_encoding(
    tmp_path: Path, write_object: Callable[[str], str], declared: str, name: str
) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>\n{write_object(name)}'
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg") | {"a.xml": text.encode()}))
    assert source.names == [name]


@pytest.mark.parametrize("write_object", [voc, cvat])
def test_the_xml_declaration_wins_where_it_reads_better(tmp_path: Path, write_object: Callable[[str], str]) -> None:
    """The two bytes of this cat in GBK are an è in UTF-8."""
    text = f'<?xml version="1.0" encoding="GBK"?>\n{write_object("猫")}'
    assert text.encode("gbk").decode()
    source = read_dataset(write(tmp_path, pictures("a.jpg", "b.jpg") | {"a.xml": text.encode("gbk")}))
    assert source.names == ["猫"]
