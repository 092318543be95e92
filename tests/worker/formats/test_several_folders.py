"""Datasets whose parts are in several folders, or whose names differ only in their encoding: nothing is lost."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from app.worker.formats.paths import safe_name
from tests.worker.formats.helpers import boxes, codes, finding_codes, pictures, read_dataset, write

ROW = "0 0.5 0.5 0.5 0.5\n"


def labelled(*stems: str, images: str = "images", labels: str = "labels") -> dict[str, bytes | str]:
    """Images and labels in two folders beside each other."""
    files: dict[str, bytes | str] = {}
    for stem in stems:
        folder, _, name = stem.rpartition("/")
        files |= pictures(f"{folder}/{images}/{name}.jpg".strip("/"))
        files[f"{folder}/{labels}/{name}.txt".strip("/")] = ROW
    return files


@pytest.mark.parametrize("labels", ["labels", "annotations"])
def test_folders_whose_names_differ_by_the_split(tmp_path: Path, labels: str) -> None:
    """VisDrone's, extracted side by side: both are one dataset, with its split."""
    files = labelled("Drone2019-DET-train/a", "Drone2019-DET-train/b", "Drone2019-DET-val/a", labels=labels)
    source = read_dataset(write(tmp_path, files | {"data.yaml": "names: [car]\n"}))
    assert {item.image: (item.split, item.label) for item in source.items} == {
        f"Drone2019-DET-{split}/images/{name}.jpg": (split, f"Drone2019-DET-{split}/{labels}/{name}.txt")
        for split, name in (("train", "a"), ("train", "b"), ("val", "a"))
    }
    assert "folders_united" in codes(source)


@pytest.mark.parametrize("start", ["", "../", "D:\\work\\street\\", "/home/ana/street/", "/content/drive/street/"])
def test_folders_that_data_yaml_names(tmp_path: Path, start: str) -> None:
    files = labelled("day/a", "day/b", "night/c", "night/d", "old/e")
    slash = "\\" if "\\" in start else "/"
    yaml = f"train: {start}day{slash}images\nval: {start}night{slash}images\nnames: [car]\n"
    source = read_dataset(write(tmp_path, files | {"data.yaml": yaml}))
    assert {item.name: (item.split, item.label) for item in source.items} == {
        "day/a.jpg": ("train", "day/labels/a.txt"),
        "day/b.jpg": ("train", "day/labels/b.txt"),
        "night/c.jpg": ("val", "night/labels/c.txt"),
        "night/d.jpg": ("val", "night/labels/d.txt"),
    }
    assert codes(source) == ["folders_united", "root_chosen", "yaml_folders"]
    assert not finding_codes(source)


def test_labels_beside_images_in_folders_of_both_kinds(tmp_path: Path) -> None:
    files = labelled("c/5", "c/6") | pictures("a/1.jpg", "a/2.jpg", "b/images/3.jpg", "b/images/4.jpg", "empty/7.jpg")
    files |= {f"{name}.txt": ROW for name in ("a/1", "a/2", "b/images/3", "b/images/4")}
    files["dataset.yaml"] = "path: .\ntrain: [a, b, c/images, empty]\nval: a\nnames: [car]\n"
    source = read_dataset(write(tmp_path, files))
    assert [(item.name, item.label) for item in source.items] == [
        ("a/1.jpg", "a/1.txt"),
        ("a/2.jpg", "a/2.txt"),
        ("b/3.jpg", "b/images/3.txt"),
        ("b/4.jpg", "b/images/4.txt"),
        ("c/5.jpg", "c/labels/5.txt"),
        ("c/6.jpg", "c/labels/6.txt"),
        ("empty/7.jpg", None),
    ]
    assert {item.split for item in source.items} == {None}, "val is a part of train: it says nothing"


def test_lists_over_several_folders(tmp_path: Path) -> None:
    files = labelled("day/a", "day/b", "night/a", "night/b")
    files |= {
        "street.yaml": "train: D:\\data\\street_train.txt\nval: D:\\data\\street_val.txt\nnames: [car]\n",
        "street_train.txt": "D:\\data\\day\\images\\a.jpg\nD:\\data\\night\\images\\a.jpg\n",
        "street_val.txt": "D:\\data\\day\\images\\b.jpg\nD:\\data\\night\\images\\b.jpg\n",
    }
    source = read_dataset(write(tmp_path, files))
    assert {item.name: item.split for item in source.items} == {
        "day/a.jpg": "train",
        "day/b.jpg": "val",
        "night/a.jpg": "train",
        "night/b.jpg": "val",
    }


def test_folders_side_by_side_below_one_list_of_classes(tmp_path: Path) -> None:
    files = labelled("day/a", "day/b", "night/c", "night/d")
    source = read_dataset(write(tmp_path / "one", files | {"classes.txt": "car\n"}))
    assert sorted(item.name for item in source.items) == ["day/a.jpg", "day/b.jpg", "night/c.jpg", "night/d.jpg"]
    lists = {"day/classes.txt": "car\n", "night/classes.txt": "dog\n"}
    source = read_dataset(write(tmp_path / "two", files | lists | {"classes.txt": "cat\n"}))
    assert len(source.items) == 2, "datasets with classes of their own are not one"
    assert "root_chosen" in codes(source)


NAMES = ["Capture d'écran 1", "câmera (2)", "50% off", "фото", "画像" * 14, "a b"]


@pytest.mark.parametrize("safe", ["", "!'()*"])
@pytest.mark.parametrize("coded_side", ["images", "labels", "beside"])
def test_names_with_percent_codes(tmp_path: Path, coded_side: str, safe: str) -> None:
    """Of the image or of the label; also if the code makes the name too long, so that it is shortened."""
    files: dict[str, bytes | str] = pictures("images/twin%20x.jpg", "images/plain.jpg")
    files |= {"labels/plain.txt": ROW, "classes.txt": "car\n", "labels/twin%20x.txt": ROW}
    for name in NAMES:
        coded = quote(name, safe=safe)
        image, label = (coded, name) if coded_side == "images" else (name, coded)
        folder = "images" if coded_side == "beside" else "labels"
        files |= pictures(f"images/{safe_name(f'{image}.jpg')}")
        files[f"{folder}/{safe_name(f'{label}.txt')}"] = ROW
    source = read_dataset(write(tmp_path, files))
    assert [item.image for item in source.items if item.label is None] == []
    assert len({item.label for item in source.items}) == len(NAMES) + 2
    assert not finding_codes(source)
    [decision] = [item for item in source.decisions if item["code"] == "names_percent"]
    assert decision["data"]["count"] == len(NAMES)


def test_a_label_with_percent_codes_whose_image_is_there_too(tmp_path: Path) -> None:
    files = pictures("images/a b.jpg", "images/a%20b.jpg") | {"labels/a%20b.txt": ROW, "classes.txt": "car\n"}
    source = read_dataset(write(tmp_path, files))
    assert {item.image: item.label for item in source.items} == {
        "images/a b.jpg": None,
        "images/a%20b.jpg": "labels/a%20b.txt",
    }


def coco_file(objects: list[tuple[str, str, list[int]]], names: tuple[str, ...] = ("a", "b")) -> str:
    """A COCO file about these images: (image, class, box) of each object."""
    kinds = sorted({kind for _, kind, _ in objects})
    return json.dumps(
        {
            "images": [
                {"id": n, "file_name": f"{name}.jpg", "width": 64, "height": 48} for n, name in enumerate(names)
            ],
            "categories": [{"id": 1 + n, "name": kind} for n, kind in enumerate(kinds)],
            "annotations": [
                {"id": n, "image_id": names.index(image), "category_id": 1 + kinds.index(kind), "bbox": box}
                for n, (image, kind, box) in enumerate(objects)
            ],
        }
    )


def test_coco_files_about_the_same_images_are_merged(tmp_path: Path) -> None:
    files = pictures("images/a.jpg", "images/b.jpg") | {
        "annotations/car.json": coco_file([("a", "car", [1, 1, 10, 10]), ("b", "car", [5, 5, 10, 10])]),
        "annotations/more.json": coco_file([("a", "car", [1, 1, 10, 10]), ("b", "car", [30, 5, 10, 10])]),
        "annotations/person.json": coco_file([("a", "person", [1, 1, 10, 10]), ("a", "person", [1, 1, 10, 10])]),
    }
    folder = write(tmp_path, files)
    source = read_dataset(folder)
    assert boxes(folder, source) == {
        "a": [(0, 1, 1, 11, 11), (1, 1, 1, 11, 11), (1, 1, 1, 11, 11)],
        "b": [(0, 5, 5, 15, 15), (0, 30, 5, 40, 15)],
    }, "one that two files have is there once; one that a file has twice is a finding of the check"
    [decision] = [item for item in source.decisions if item["code"] == "files_united"]
    assert (decision["data"]["count"], decision["data"]["twice"]) == (2, 1)
    assert not finding_codes(source)


def test_coco_files_of_splits_beside_one_of_all(tmp_path: Path) -> None:
    one, second = ("a", "car", [1, 1, 10, 10]), ("b", "car", [5, 5, 10, 10])
    files = pictures("a.jpg", "b.jpg") | {
        "all.json": coco_file([one, second]),
        "train.json": coco_file([one], ("a",)),
        "val.json": coco_file([second], ("b",)),
    }
    folder = write(tmp_path, files)
    source = read_dataset(folder)
    assert {item.name: item.split for item in source.items} == {"a.jpg": "train", "b.jpg": "val"}
    assert [len(rows_) for rows_ in boxes(folder, source).values()] == [1, 1]
