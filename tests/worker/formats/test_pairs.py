"""Images and label files that pair one to one under any names; and those that must not be paired."""

import time
from pathlib import Path
from typing import cast

import pytest

from app.worker.formats.layout import Layout, LocatedImage
from app.worker.formats.pairs import pair
from app.worker.formats.tree import Tree
from tests.worker.formats.helpers import boxes, codes, pictures, read_dataset, refusal, rows, write

WORDS = ("ab", "cd", "eh", "xy")
ROWS = "0 0.5 0.5 0.25 0.5\n"
SPLITS = {  # images, labels: {split} and {n} are filled in; the same images must be in the same splits
    "suffix in the name": ("{split}/images/a{n}.jpg", "{split}/labels/a{n}.jpg.txt"),
    "suffix in the name, upper": ("images/{split}/a{n}.JPG", "labels/{split}/a{n}.JPG.txt"),
    "train_images": ("{split}_images/a{n}.jpg", "{split}_labels/a{n}.txt"),
    "images_train": ("images_{split}/a{n}.jpg", "labels_{split}/a{n}.txt"),
    "singular": ("image/{split}/a{n}.jpg", "label/{split}/a{n}.txt"),
    "jpg and txt": ("data/{split}/jpg/a{n}.jpg", "data/{split}/txt/a{n}.txt"),
    "annotations": ("images/{split}/a{n}.png", "annotations/{split}/a{n}.txt"),
    "other words": ("{split}/frames/a{n}.jpg", "{split}/bboxes/a{n}.txt"),
    "case of names": ("images/{split}/IMG_{n}.JPG", "labels/{split}/img_{n}.txt"),
    "case of folders": ("Images/{split}/a{n}.jpg", "LABELS/{split}/a{n}.txt"),
    "in Portuguese": ("imagens/{split}/a{n}.jpg", "rotulos/{split}/a{n}.txt"),
    "one stem in every split": ("{split}_images/{n}.jpg", "{split}_labels/{n}.txt"),
}
LOOSE = {
    "beside, with the suffix": ("a{n}.jpg", "a{n}.jpg.txt"),
    "in a folder beside, with the suffix": ("pics/a{n}.jpg", "pics/labels/a{n}.jpg.txt"),
    "darknet": ("VOCdevkit/VOC2007/JPEGImages/{n:06}.jpg", "VOCdevkit/VOC2007/labels/{n:06}.txt"),
    "annotations": ("images/a{n}.jpg", "annotations/a{n}.txt"),
    "words of no language": ("xx/a{n}.jpg", "yy/a{n}.txt"),
    "names that are foreign": ("数据/图片/车{n}.jpg", "数据/标注/车{n}.txt"),
}


@pytest.mark.parametrize("case", SPLITS)
def test_pairs_with_a_split(tmp_path: Path, case: str) -> None:
    image, label = SPLITS[case]
    for split, count in (("train", 4), ("val", 2)):
        for n in range(count):
            write(tmp_path, pictures(image.format(split=split, n=n)))
            write(tmp_path, {label.format(split=split, n=n): f"{int(split == 'val')} 0.5 0.5 0.25 0.5\n"})
    source = read_dataset(tmp_path, classes="car,bus")
    assert sorted(item.split or "" for item in source.items) == ["train"] * 4 + ["val"] * 2
    pairs = {
        (item.split, kind)
        for item in source.items
        for kind, *_ in boxes(tmp_path, source)[item.name.rpartition("/")[2].rpartition(".")[0]]
    }
    assert pairs == {("train", 0), ("val", 1)}, "each image has the label of its own split"


@pytest.mark.parametrize("case", LOOSE)
def test_pairs_without_a_split(tmp_path: Path, case: str) -> None:
    image, label = LOOSE[case]
    for n in range(3):
        write(tmp_path, pictures(image.format(n=n)) | {label.format(n=n): ROWS})
    source = read_dataset(tmp_path, classes="car")
    assert len(source.items) == 3
    assert all(rows_ == [(0, 24.0, 12.0, 40.0, 36.0)] for rows_ in boxes(tmp_path, source).values())
    assert "labels_paired" in codes(source)
    assert not source.findings


def test_lists_above_the_images_define_the_split(tmp_path: Path) -> None:
    """As written by darknet's voc_label.py."""
    folder = "VOCdevkit/VOC2007"
    for n in range(5):
        write(tmp_path, pictures(f"{folder}/JPEGImages/{n:06}.jpg") | {f"{folder}/labels/{n:06}.txt": ROWS})
    path = "/home/user/darknet/VOCdevkit/VOC2007/JPEGImages"
    lists = {"2007_train.txt": range(3), "2007_val.txt": range(3, 5)}
    write(tmp_path, {name: "".join(f"{path}/{n:06}.jpg\n" for n in numbers) for name, numbers in lists.items()})
    write(tmp_path, {"cfg/voc.data": "classes = 1\ntrain = /home/user/2007_train.txt\nnames = data/voc.names\n"})
    write(tmp_path, {"data/voc.names": "car\n"})
    source = read_dataset(tmp_path)
    assert [item.split for item in source.items] == ["train"] * 3 + ["val"] * 2
    assert source.names == ["car"]


def test_only_unpaired_files_are_paired(tmp_path: Path) -> None:
    """Predictions of an earlier run have the images' names, and are no labels of images that have some."""
    for n in range(3):
        write(tmp_path, pictures(f"images/train/a{n}.jpg") | {f"labels/train/a{n}.txt": ROWS})
        write(tmp_path, {f"runs/detect/labels_old/a{n}.txt": "0 0.1 0.1 0.1 0.1\n"})
    source = read_dataset(tmp_path, classes="car")
    assert {item.label for item in source.items} == {f"labels/train/a{n}.txt" for n in range(3)}
    assert "labels_paired" not in codes(source)


def test_texts_that_are_no_rows_are_no_labels(tmp_path: Path) -> None:
    write(tmp_path, pictures("photos/a.jpg", "photos/b.jpg"))
    write(tmp_path, {"captions/a.txt": "a red car\n", "captions/b.txt": "two people at a bus stop today\n"})
    assert "No dataset found" in refusal(tmp_path)


def test_two_images_of_one_stem_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, pictures("photos/a.jpg", "photos/a.png", "photos/b.jpg", "photos/c.jpg"))
    write(tmp_path, dict.fromkeys(("marks/a.txt", "marks/b.txt", "marks/c.txt"), ROWS))
    source = read_dataset(tmp_path, classes="car")
    assert {item.image for item in source.items if item.label} == {"photos/b.jpg", "photos/c.jpg"}


def test_coco_ids_that_are_numbers_here_and_texts_there(tmp_path: Path) -> None:
    """VIA 2's COCO export, whose outline is one flat list."""
    body = (
        '{"images": [{"id": 0, "file_name": "a.jpg", "width": 64, "height": 48}],'
        ' "categories": [{"id": "1", "name": "car"}], "annotations": [{"id": 0, "image_id": "0", "category_id": 1,'
        ' "segmentation": [24, 12, 40, 12, 40, 36, 24, 36], "bbox": [24, 12, 16, 24]}]}'
    )
    write(tmp_path, pictures("a.jpg") | {"via.json": body})
    source = read_dataset(tmp_path)
    assert boxes(tmp_path, source) == {"a": [(0, 24.0, 12.0, 40.0, 36.0)]}
    assert source.task == "detect"
    assert "ids_as_text" in codes(source)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("pic_{0}", "label_pic_{0}"),
        ("pic_{0}", "pic_{0}_annotation"),
        ("img_{1:03}", "lbl_{1:03}"),
        ("{0} x", "{0}_x"),
        ("{0} x", "{0}+x"),
        ("pic_{0}", "{1:08x}-pic_{0}"),
        ("pic_{0}", "pic_{0}_jpg"),
        ("img{1}", "{1:04}"),
        ("pic_{0}", "pic_{0}_jpg.rf.{1:032x}"),
        ("pic_{0}_png.rf.{1:032x}", "pic_{0}"),
    ],
)
def test_names_with_more_than_those_of_their_images(tmp_path: Path, image: str, label: str) -> None:
    names = [
        (image.format(word, number), label.format(word, number)) for number, word in enumerate(("ab", "cd", "eh", "xy"))
    ]
    files = pictures(*(f"images/{name}.jpg" for name, _ in names)) | {
        f"labels/{stem}.txt": f"0 0.5 0.5 0.25 {0.1 * (number + 1):.1f}\n" for number, (_, stem) in enumerate(names)
    }
    source = read_dataset(write(tmp_path, files))
    heights = {item.image.rpartition("/")[2]: rows(tmp_path, item)[0][4] for item in source.items}
    assert heights == {f"{name}.jpg": pytest.approx(0.1 * (number + 1)) for number, (name, _) in enumerate(names)}
    assert "labels_paired" in codes(source)


def test_different_numbers_pair_with_nobody(tmp_path: Path) -> None:
    """Frames of one video beside labels of another, longer one."""
    files = pictures(*(f"images/street_{number}.jpg" for number in range(4)))
    files |= {f"labels/harbour_{number}.txt": "0 0.5 0.5 0.25 0.5\n" for number in range(4)}
    assert "street_0.jpg" in refusal(write(tmp_path, files))


def test_numbers_that_restart_in_each_split(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 3)):
        for number in range(1, count + 1):
            write(tmp_path, pictures(f"{split}/images/img{number}.jpg"))
            write(tmp_path, {f"{split}/labels/{number:05}.txt": f"{int(split == 'val')} 0.5 0.5 0.25 {number / 10}\n"})
    source = read_dataset(tmp_path, classes="car,bus")
    columns = {item.image: rows(tmp_path, item)[0][::4] for item in source.items}
    train = {f"train/images/img{number}.jpg": [0, number / 10] for number in range(1, 5)}
    assert columns == train | {f"val/images/img{number}.jpg": [1, number / 10] for number in range(1, 4)}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("2021_{0:04}", "2022_{0:04}"),
        ("img1_{0:04}", "lbl2_{0:04}"),
        ("1_{0:04}", "2_{0:04}"),
        ("кошка_{0}", "собака_{0}"),
        ("20230101-12000{0}", "20230102-12000{0}"),
        ("img{0}", "1000{0}"),
        ("pic{0}_jpg.rf.{0:032x}", "pic{0}_jpg.rf.1{0:031x}"),
    ],
)
def test_labels_of_another_series_pair_with_nobody(tmp_path: Path, image: str, label: str) -> None:
    """Other years, cameras, animals, days, numbers; two copies of Roboflow's."""
    files = pictures(*(f"images/{image.format(number)}.jpg" for number in range(4)))
    files |= {f"labels/{label.format(number)}.txt": ROWS for number in range(4)}
    message = refusal(write(tmp_path, files), classes="car")
    assert f"{image.format(0)}.jpg" in message, "the reason shows the names that differ"
    assert f"{label.format(0)}.txt" in message


@pytest.mark.parametrize(("image", "label"), [("img1_{0:04}", "lbl1_{0:04}"), ("{0:08x}-pic{0}", "pic{0}")])
def test_labels_of_the_same_series_pair(tmp_path: Path, image: str, label: str) -> None:
    files = pictures(*(f"images/{image.format(number)}.jpg" for number in range(4)))
    files |= {f"labels/{label.format(number)}.txt": ROWS for number in range(4)}
    source = read_dataset(write(tmp_path, files), classes="car")
    assert all(item.label or item.rows for item in source.items)


@pytest.mark.parametrize(
    ("label", "image"),
    [
        ("train/labels/005.txt", "val/images/005.jpg"),
        ("train_labels/a b.txt", "val_images/a_b.jpg"),
        ("train/labels/005.jpg.txt", "val/images/005.jpg"),
    ],
)
def test_labels_of_one_split_are_not_for_images_of_another(tmp_path: Path, label: str, image: str) -> None:
    files = pictures("train/images/001.jpg", image) | {"train/labels/001.txt": ROWS, label: ROWS}
    source = read_dataset(write(tmp_path, files), classes="car")
    assert [item.image for item in source.items if item.label or item.rows] == ["train/images/001.jpg"]


def test_pairing_grows_with_the_number_of_files_only() -> None:
    """30,000 of each kind: searching each pair among all others would take minutes."""
    names = [f"a{number}.jpg" for number in range(30_000)]
    here = {"image": [f"train_images/{name}" for name in names], "text": [f"train_labels/{name}.txt" for name in names]}
    layout = Layout(
        {"train_images": [LocatedImage(path, "train_images", None, path) for path in here["image"]]}, {}, set()
    )
    layout.labels["elsewhere"] = list(here["text"])
    began = time.process_time()
    [pairing] = pair(cast(Tree, here), layout)
    assert time.process_time() - began < 5
    assert (pairing.count, [*layout.images], layout.labels) == (30_000, [""], {"elsewhere": [], "": here["text"]})


def test_dota_in_its_splits(tmp_path: Path) -> None:
    """Two lines about the image precede the rows."""
    row = "imagesource:GoogleEarth\ngsd:0.14\n8.0 6.0 40.0 6.0 40.0 30.0 8.0 30.0 small-vehicle 0\n"
    names = [f"{split}/images/{split}{number}.png" for split in ("train", "val") for number in range(2)]
    labels = {name.replace("images", "labelTxt").replace(".png", ".txt"): row for name in names}
    source = read_dataset(write(tmp_path, pictures(*names) | labels))
    assert source.names == ["small-vehicle"]
    assert {item.image: item.split for item in source.items} == {name: name.split("/")[0] for name in names}
    assert all(len(item.rows or ()) == 1 for item in source.items)
