"""Datasets as written by the tools (tests/fixtures/datasets), and the two real ones beside the checkout."""

from pathlib import Path

import pytest
import yaml

from tests.worker.formats.helpers import FIXTURES, boxes, codes, finding_codes, read_dataset, rows, unpacked

TRUTH = {
    "a": [(0, 8, 6, 40, 30), (1, 20, 10, 60, 44)],
    "b": [(1, 0, 0, 64, 48)],
    "c": [(0, 1, 2, 30, 40)],
    "d": [],
}
SPLITS = {"a": "train", "b": "train", "d": "train", "c": "val"}
CASES = {  # fixture: format, task, whether it has a split
    "datumaro-yolo": ("yolo", None, True),
    "datumaro-darknet": ("cvat-yolo", None, True),
    "datumaro-coco": ("coco", "detect", True),
    "datumaro-coco-polygons": ("coco", "segment", True),
    "datumaro-voc": ("voc", "detect", True),
    "datumaro-labelme-xml": ("voc", "segment", True),
    "datumaro-cvat": ("cvat", "detect", True),
    "datumaro-cvat-polygons": ("cvat", "segment", True),
    "supervision-yolo": ("yolo", None, True),
    "supervision-coco": ("coco", "detect", True),
    "supervision-voc": ("voc", "detect", True),
    "supervision-createml": ("createml", "detect", True),
    "supervision-labelme": ("labelme", "detect", True),
    "globox-yolo": ("yolo", None, False),
    "globox-voc": ("voc", "detect", False),
    "globox-cvat": ("cvat", "detect", False),
    "labelme-polygons": ("labelme", "segment", False),
}


@pytest.mark.parametrize("name", CASES)
def test_the_dataset_of_each_tool(name: str, tmp_path: Path) -> None:
    folder = unpacked(tmp_path, FIXTURES / f"{name}.zip")
    source = read_dataset(folder)
    form, task, split = CASES[name]
    assert (source.format, source.task, source.names) == (form, task, ["cat", "dog"])
    by_image = boxes(folder, source)
    assert set(by_image) == set(TRUTH)
    for key, expected in TRUTH.items():
        assert len(by_image[key]) == len(expected)
        for got, row in zip(by_image[key], expected, strict=True):
            assert got == pytest.approx(row, abs=0.01)
    splits = {item.name[0]: item.split for item in source.items}
    assert splits == (SPLITS if split else dict.fromkeys(SPLITS))
    assert source.findings == []
    assert source.outside == []


def test_every_fixture_is_read_here() -> None:
    elsewhere = {"datumaro-coco-keypoints", "datumaro-classes", "pycocotools-rle"}
    assert {path.stem for path in FIXTURES.glob("*.zip")} == CASES.keys() | elsewhere


def test_keypoints(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, FIXTURES / "datumaro-coco-keypoints.zip")
    source = read_dataset(folder)
    assert (source.task, source.keypoints) == ("pose", {"kpt_shape": [2, 3], "flip_idx": [1, 0]})
    first = next(item for item in source.items if item.name == "a.jpg")
    assert rows(folder, first)[0] == pytest.approx(
        [0, 24 / 64, 18 / 48, 0.5, 0.5, 8 / 64, 18 / 48, 2, 40 / 64, 18 / 48, 1]
    )
    detection = read_dataset(folder, task="detect")
    assert detection.keypoints is None
    assert boxes(folder, detection)["b"] == [(1, 0, 0, 64, 48)]


def test_run_length_masks_and_crowds_are_reported(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, FIXTURES / "pycocotools-rle.zip")
    source = read_dataset(folder)
    assert source.task == "segment"
    for variant in (source, read_dataset(folder, task="detect")):
        assert boxes(folder, variant) == TRUTH | {"b": []}, "outlines go along the edges of the mask's pixels"
        assert finding_codes(variant) == [("object_crowd", "result.json", 3)]


def test_folders_of_classes(tmp_path: Path) -> None:
    source = read_dataset(unpacked(tmp_path, FIXTURES / "datumaro-classes.zip"))
    assert (source.format, source.task, source.names) == ("folders", "classify", ["cat", "dog"])
    assert [(item.name, item.split, item.class_name) for item in source.items] == [
        ("cat/a.jpg", "train", "cat"),
        ("dog/b.jpg", "train", "dog"),
        ("cat/c.jpg", "val", "cat"),
    ]
    assert codes(source) == ["task_folders"]


def test_bccd_yolo(bccd_yolo: Path, tmp_path: Path) -> None:
    folder = unpacked(tmp_path, bccd_yolo)
    source = read_dataset(folder)
    assert (source.format, source.names) == ("yolo", ["Platelets", "RBC", "WBC"])
    counts = [sum(item.split == split for item in source.items) for split in ("train", "val", "test")]
    assert counts == [205, 87, 72]
    assert all(item.label for item in source.items)
    assert source.decisions == source.findings == source.outside == []
    assert yaml.safe_load((folder / "data.yaml").read_text())["names"] == dict(enumerate(source.names))


def test_bccd_voc(bccd_voc: Path, tmp_path: Path) -> None:
    source = read_dataset(unpacked(tmp_path, bccd_voc))
    assert (source.format, source.root, source.task) == ("voc", "BCCD", "detect")
    assert source.names == ["Platelets", "RBC", "WBC"]
    assert [sum(item.split == split for item in source.items) for split in ("train", "val")] == [50, 24]
    assert finding_codes(source) == [
        ("object_degenerate", "BCCD/Annotations/BloodImage_00338.xml", 13),
        ("object_degenerate", "BCCD/Annotations/BloodImage_00343.xml", 4),
    ]


def test_bccd_is_the_same_in_both_formats(bccd_yolo: Path, bccd_voc: Path, tmp_path: Path) -> None:
    one, second = unpacked(tmp_path / "yolo", bccd_yolo), unpacked(tmp_path / "voc", bccd_voc)
    rows_ = {item.name: rows(one, item) for item in read_dataset(one).items}
    count = 0
    for item in read_dataset(second).items:
        for row in rows(second, item):
            assert any(row == pytest.approx(same, abs=1e-5) for same in rows_[item.name]), (item.name, row)
            count += 1
    assert count == 969
