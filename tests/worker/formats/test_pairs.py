"""Images and label files that pair one to one under any names; and what must not be paired."""

from pathlib import Path

import pytest

from tests.worker.formats.helpers import boxes, codes, pictures, refusal, taken, write

ROWS = "0 0.5 0.5 0.25 0.5\n"
SPLITS = {  # images, labels: {split} and {n} are filled in; with them the same images must come out in the same splits
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
    "annotations": ("images/a{n}.jpg", "annotations/a{n}.txt"), "words of no language": ("xx/a{n}.jpg", "yy/a{n}.txt"),
    "names that are foreign": ("数据/图片/车{n}.jpg", "数据/标注/车{n}.txt"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPLITS)
def test_pairs_with_a_split(tmp_path: Path, case: str) -> None:
    image, label = SPLITS[case]
    for split, count in (("train", 4), ("val", 2)):
        for n in range(count):
            write(tmp_path, pictures(image.format(split=split, n=n)))
            write(tmp_path, {label.format(split=split, n=n): f"{int(split == 'val')} 0.5 0.5 0.25 0.5\n"})
    source = taken(tmp_path, classes="car,bus")
    assert sorted(item.split or "" for item in source.items) == ["train"] * 4 + ["val"] * 2
    found = {(item.split, kind) for item in source.items
             for kind, *_ in boxes(tmp_path, source)[item.name.rpartition("/")[2].rpartition(".")[0]]}  # fmt: skip
    assert found == {("train", 0), ("val", 1)}, "each image has the label of its own split"


@pytest.mark.parametrize("case", LOOSE)
def test_pairs_without_a_split(tmp_path: Path, case: str) -> None:
    image, label = LOOSE[case]
    for n in range(3):
        write(tmp_path, pictures(image.format(n=n)) | {label.format(n=n): ROWS})
    source = taken(tmp_path, classes="car")
    assert len(source.items) == 3
    assert all(found == [(0, 24.0, 12.0, 40.0, 36.0)] for found in boxes(tmp_path, source).values())
    assert "labels_paired" in codes(source)
    assert not source.findings


def test_lists_above_the_images_say_the_split(tmp_path: Path) -> None:
    """What darknet's voc_label.py leaves."""
    folder = "VOCdevkit/VOC2007"
    for n in range(5):
        write(tmp_path, pictures(f"{folder}/JPEGImages/{n:06}.jpg") | {f"{folder}/labels/{n:06}.txt": ROWS})
    path = "/home/user/darknet/VOCdevkit/VOC2007/JPEGImages"
    lists = {"2007_train.txt": range(3), "2007_val.txt": range(3, 5)}
    write(tmp_path, {name: "".join(f"{path}/{n:06}.jpg\n" for n in numbers) for name, numbers in lists.items()})
    write(tmp_path, {"cfg/voc.data": "classes = 1\ntrain = /home/user/2007_train.txt\nnames = data/voc.names\n"})
    write(tmp_path, {"data/voc.names": "car\n"})
    source = taken(tmp_path)
    assert [item.split for item in source.items] == ["train"] * 3 + ["val"] * 2
    assert source.names == ["car"]


def test_only_what_is_left_over_is_paired(tmp_path: Path) -> None:
    """Predictions of an earlier run carry the images' names, and are no labels of images that have some."""
    for n in range(3):
        write(tmp_path, pictures(f"images/train/a{n}.jpg") | {f"labels/train/a{n}.txt": ROWS})
        write(tmp_path, {f"runs/detect/labels_old/a{n}.txt": "0 0.1 0.1 0.1 0.1\n"})
    source = taken(tmp_path, classes="car")
    assert {item.label for item in source.items} == {f"labels/train/a{n}.txt" for n in range(3)}
    assert "labels_paired" not in codes(source)


def test_texts_that_are_no_rows_are_no_labels(tmp_path: Path) -> None:
    write(tmp_path, pictures("photos/a.jpg", "photos/b.jpg"))
    write(tmp_path, {"captions/a.txt": "a red car\n", "captions/b.txt": "two people at a bus stop today\n"})
    assert "No dataset found" in refusal(tmp_path)


def test_two_images_of_one_stem_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, pictures("photos/a.jpg", "photos/a.png", "photos/b.jpg", "photos/c.jpg"))
    write(tmp_path, dict.fromkeys(("marks/a.txt", "marks/b.txt", "marks/c.txt"), ROWS))
    source = taken(tmp_path, classes="car")
    assert {item.image for item in source.items if item.label} == {"photos/b.jpg", "photos/c.jpg"}


def test_coco_ids_that_are_numbers_here_and_texts_there(tmp_path: Path) -> None:
    """VIA 2's COCO export, whose outline is one flat list."""
    body = (
        '{"images": [{"id": 0, "file_name": "a.jpg", "width": 64, "height": 48}],'
        ' "categories": [{"id": "1", "name": "car"}], "annotations": [{"id": 0, "image_id": "0", "category_id": 1,'
        ' "segmentation": [24, 12, 40, 12, 40, 36, 24, 36], "bbox": [24, 12, 16, 24]}]}'
    )
    write(tmp_path, pictures("a.jpg") | {"via.json": body})
    source = taken(tmp_path)
    assert boxes(tmp_path, source) == {"a": [(0, 24.0, 12.0, 40.0, 36.0)]}
    assert source.task == "detect"
    assert "ids_as_text" in codes(source)
