"""Supported layouts of YOLO, their names and splits, and several datasets in one source."""

from pathlib import Path

import pytest

from tests.worker.formats.helpers import codes, finding_codes, pictures, read_dataset, refusal, write

ROW = "0 0.5 0.5 0.5 0.5\n"
POSE = "0 0.5 0.5 0.5 0.5 0.25 0.25 2 0.75 0.25 1\n"


def yolo(root: str = "", train: int = 2, val: int = 1, row: str = ROW) -> dict[str, bytes | str]:
    """images/ and labels/ with splits."""
    files: dict[str, bytes | str] = {}
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            files |= pictures(f"{root}images/{split}/{split[0]}{number}.jpg")
            files[f"{root}labels/{split}/{split[0]}{number}.txt"] = row
    return files


LAYOUTS = {
    "ultralytics": (["images/train/a.jpg", "labels/train/a.txt", "images/val/b.jpg", "labels/val/b.txt"], "yolo", ""),
    "roboflow": (["train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg", "valid/labels/b.txt"], "yolo", ""),
    "years": (
        ["x/images/train2017/a.jpg", "x/labels/train2017/a.txt", "x/images/val2017/b.jpg", "x/labels/val2017/b.txt"],
        "yolo",
        "x",
    ),
    "Portuguese": (
        ["images/treino/a.jpg", "labels/treino/a.txt", "images/validação/b.jpg", "labels/validação/b.txt"],
        "yolo",
        "",
    ),
    "labels without split": (["images/train/a.jpg", "labels/a.txt", "images/val/b.jpg", "labels/b.txt"], "yolo", ""),
    "beside, by split": (["set/train/a.jpg", "set/train/a.txt", "set/val/b.jpg", "set/val/b.txt"], "yolo", "set"),
    "beside, in images": (
        ["images/train/a.jpg", "images/train/a.txt", "images/val/b.jpg", "images/val/b.txt"],
        "yolo",
        "",
    ),
    "roboflow darknet": (
        ["train/a.jpg", "train/a.txt", "train/_darknet.labels", "valid/b.jpg", "valid/b.txt", "valid/_darknet.labels"],
        "darknet",
        "",
    ),
    "cvat": (
        [
            "obj.data",
            "obj.names",
            "obj_train_data/a.jpg",
            "obj_train_data/a.txt",
            "obj_Validation_data/b.jpg",
            "obj_Validation_data/b.txt",
        ],
        "cvat-yolo",
        "",
    ),
}


@pytest.mark.parametrize("case", LAYOUTS)
@pytest.mark.parametrize("wrapper", ["", "my set/"])
def test_layouts_with_a_split(tmp_path: Path, case: str, wrapper: str) -> None:
    names, form, root = LAYOUTS[case]
    files: dict[str, bytes | str] = {}
    for name in names:
        files |= pictures(wrapper + name) if name.endswith(".jpg") else {wrapper + name: text_of(name)}
    source = read_dataset(write(tmp_path, files))
    assert source.format == form
    assert source.root == "/".join(filter(None, [wrapper.rstrip("/"), root]))
    labels = {item.name: (item.split, item.label and item.label.rpartition("/")[2]) for item in source.items}
    assert labels == {"a.jpg": ("train", "a.txt"), "b.jpg": ("val", "b.txt")}


def text_of(name: str) -> str:
    return {"names": "one\ntwo\n", "labels": "one\ntwo\n", "data": "classes = 2\n"}.get(name.rpartition(".")[2], ROW)


@pytest.mark.parametrize(
    "files",
    [
        {"images/a.jpg": "labels/a.txt", "images/b.jpg": "labels/b.txt"},
        {"a.jpg": "a.txt", "b.jpg": "b.txt"},
        {"deep/in/a.jpg": "deep/in/a.txt", "deep/in/b.jpg": "deep/in/b.txt"},
        {"cam1/a.jpg": "cam1/a.txt", "cam2/b.jpg": "cam2/b.txt"},
    ],
)
def test_layouts_without_a_split(tmp_path: Path, files: dict[str, str]) -> None:
    source = read_dataset(write(tmp_path, pictures(*files) | dict.fromkeys(files.values(), ROW)))
    assert {(item.image, item.label) for item in source.items} == set(files.items())
    assert {item.split for item in source.items} == {None}
    assert (source.names, codes(source)) == (["class_0"], ["classes_unnamed"])


def test_darknet_lists_define_the_split(tmp_path: Path) -> None:
    files = pictures("data/obj/a.jpg", "data/obj/b.jpg", "data/obj/c.jpg") | {
        "data/obj/a.txt": ROW,
        "data/obj/b.txt": ROW,
        "data/obj/c.txt": ROW,
        "data/obj.names": "one\ntwo\n",
        "data/obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/test.txt\nnames = data/obj.names\n",
        "data/train.txt": "data/obj/a.jpg\n/home/me/darknet/data/obj/gone.jpg\n../../etc/passwd\n",
        "data/test.txt": "C:\\darknet\\data\\obj\\b.jpg\n",
    }
    source = read_dataset(write(tmp_path, files))
    assert (source.format, source.root, source.names) == ("darknet", "data", ["one", "two"])
    assert {item.name: item.split for item in source.items} == {"a.jpg": "train", "b.jpg": "val"}
    assert finding_codes(source) == [
        ("image_missing", "data/train.txt", 2),
        ("image_missing", "data/train.txt", 3),
        ("image_unlisted", "data/obj/c.jpg", None),
    ]
    assert next(item for item in source.decisions if item["code"] == "lists_used")["data"]["left_out"] == 1


def test_data_yaml_names_lists_and_folders(tmp_path: Path) -> None:
    files = yolo() | {
        "data.yaml": "train: train.txt\nval: val.txt\nnames: [one]\n",
        "train.txt": "./images/train/t0.jpg\n",
    }
    assert len(read_dataset(write(tmp_path / "lists", files)).items) == 3, "folders say more than lists"
    files = pictures("images/north/a.jpg", "images/south/b.jpg") | {
        "labels/north/a.txt": ROW,
        "labels/south/b.txt": ROW,
        "data.yaml": "train: ../images/north\nval: images/south\n",
    }
    source = read_dataset(write(tmp_path / "folders", files))
    assert {item.name: item.split for item in source.items} == {"north/a.jpg": "train", "south/b.jpg": "val"}
    assert "yaml_folders" in codes(source)


@pytest.mark.parametrize("name", ["classes.txt", "labels/classes.txt", "obj.names", "data/my.names"])
def test_names_files(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, yolo() | {name: "one\n two \n\n"})
    source = read_dataset(folder)
    assert (source.names, codes(source)) == (["one", "two"], ["names_from_file"])
    assert source.outside == []
    assert codes(read_dataset(folder, classes="x,y")) == ["form_names_ignored_list", "names_from_file"]


def test_names_of_yaml_and_form(tmp_path: Path) -> None:
    folder = write(tmp_path, yolo())
    assert read_dataset(folder, classes=" a , b ").names == ["a", "b"]
    write(tmp_path, {"data.yaml": "names: {1: b, 0: a}\ndownload: rm -rf /\n", "classes.txt": "x\n"})
    source = read_dataset(folder, classes="c")
    assert (source.names, codes(source)) == (["a", "b"], ["download_ignored", "form_names_ignored"])


def test_several_datasets(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {}
    for root, count in (("small/", 3), ("large/", 5), ("deep/er/", 9)):
        files |= yolo(root, count) | {f"{root}data.yaml": f"names: [{root[:1]}, thing]\n"}
    files |= pictures("broken/images/train/z.jpg")
    folder = write(tmp_path, files)
    source = read_dataset(folder)
    assert (source.root, len(source.items), source.names) == ("large", 6, ["l", "thing"])
    [decision] = [item for item in source.decisions if item["code"] == "root_chosen"]
    assert decision["data"] == {"root": "large", "others": "small, deep/er, broken"}
    assert decision["change"] == {"parameter": "root", "options": ["large", "small", "deep/er", "broken"]}
    assert len(source.outside) == 2 * (4 + 10) + 1
    assert read_dataset(folder, root="deep/er").names == ["d", "thing"]
    assert "nowhere" in refusal(folder, root="nowhere")

    merged = read_dataset(folder, merge=True)
    assert merged.names == ["l", "thing", "s", "d"]
    assert len(merged.items) == 6 + 4 + 10
    by_name = {item.name: item for item in merged.items}
    assert by_name["large/t0.jpg"].label == "large/labels/train/t0.txt", "rows that mean the same stay as they came"
    [row] = by_name["deep/er/t0.jpg"].rows or []
    assert (row.text, row.file, row.line) == ("3 0.5 0.5 0.5 0.5", "deep/er/labels/train/t0.txt", 1)
    assert "merged" in codes(merged)


def test_formats_beside_each_other(tmp_path: Path) -> None:
    xml = (
        "<annotation><size><width>64</width><height>48</height></size><object><name>x</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    folder = write(tmp_path, yolo() | {"Annotations/t0.xml": xml, "Annotations/t1.xml": xml})
    source = read_dataset(folder)
    assert source.format == "yolo"
    [decision] = [item for item in source.decisions if item["code"] == "format_chosen"]
    assert decision["data"] == {"format": "yolo", "others": "voc"}
    assert decision["change"] == {"parameter": "format", "options": ["yolo", "voc"]}
    assert read_dataset(folder, root="voc:").names == read_dataset(folder, format="voc").names == ["x"]
    assert "Annotations" in refusal(folder, root="voc:Annotations")


def test_equal_names_in_two_splits(tmp_path: Path) -> None:
    files = pictures("images/train/a.jpg", "images/val/A.png", "images/train/b.jpg", "images/train/b.png")
    files |= {"labels/train/a.txt": ROW, "labels/val/A.txt": ROW, "labels/train/b.txt": ROW}
    source = read_dataset(write(tmp_path, files))
    assert {item.image: item.name for item in source.items} == {
        "images/train/a.jpg": "a.jpg",
        "images/val/A.png": "A_val.png",
        "images/train/b.jpg": "b.jpg",
        "images/train/b.png": "b.png",
    }
    assert "names_changed" in codes(source)


def test_collisions_are_refused(tmp_path: Path) -> None:
    assert "same path" in refusal(
        write(tmp_path, yolo() | pictures("train/images/t0.jpg") | {"train/labels/t0.txt": ROW})
    )


def test_inner_folders(tmp_path: Path) -> None:
    files = yolo() | pictures("images/train/y/images/x.jpg") | {"labels/train/y/images/x.txt": ROW}
    source = read_dataset(write(tmp_path, files))
    [item] = [item for item in source.items if item.name.endswith("x.jpg")]
    assert (item.name, item.label) == ("y/images_/x.jpg", "labels/train/y/images/x.txt")


def test_orphans_and_texts_that_are_no_labels(tmp_path: Path) -> None:
    files = yolo() | {"labels/train/lost.txt": ROW, "README.txt": "hello", "train.cache": "x"}
    source = read_dataset(write(tmp_path, files))
    assert finding_codes(source) == [("label_orphan", "labels/train/lost.txt", None)]
    assert source.outside == ["README.txt"]


def test_keypoints_are_detected_in_the_rows(tmp_path: Path) -> None:
    source = read_dataset(write(tmp_path / "rows", yolo(row=POSE)))
    assert (source.task, source.keypoints, "keypoints_found" in codes(source)) == ("pose", {"kpt_shape": [2, 3]}, True)
    files = yolo(row=POSE) | {"data.yaml": "names: [a]\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n"}
    assert read_dataset(write(tmp_path / "yaml", files)).keypoints == {"kpt_shape": [2, 3], "flip_idx": [1, 0]}
    polygon = yolo(row="0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.2 0.2\n")
    assert read_dataset(write(tmp_path / "polygon", polygon)).task is None
    assert "kpt_shape" in refusal(tmp_path / "polygon", task="pose")


def test_classes_of_folders(tmp_path: Path) -> None:
    names = ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "val/oval/2.jpg"]
    source = read_dataset(write(tmp_path / "split", pictures(*names)), classes="x,y")
    assert (source.task, source.names, codes(source)) == ("classify", ["cat", "dog"], ["folder_names", "task_folders"])
    assert "have no labels" in refusal(tmp_path / "split", task="detect")
    assert "No dataset" in refusal(write(tmp_path / "boxes", yolo()), task="classify"), "train and val are no classes"
    assert "two class folders" in refusal(write(tmp_path / "one", pictures("train/cat/1.jpg")), task="classify")


def test_folders_side_by_side(tmp_path: Path) -> None:
    """As in torchvision's ImageFolder; images that may lack their labels are not taken for classes."""
    pets = pictures(*(f"pets/{kind}/{number}.jpg" for kind in ("Cat", "Dog") for number in range(2)))
    source = read_dataset(write(tmp_path / "pets", pets | {"README.txt": "Pets"}))
    assert (source.task, source.names, codes(source)) == ("classify", ["Cat", "Dog"], ["task_plain_folders"])
    assert {item.split for item in source.items} == {None}
    digits = pictures(*(f"{kind}/{number}.png" for kind in range(3) for number in range(2)))
    assert read_dataset(write(tmp_path / "digits", digits)).names == ["0", "1", "2"]


@pytest.mark.parametrize(
    "files",
    [
        pictures("video_1/a.jpg", "video_1/b.jpg", "video_2/a.jpg", "video_2/b.jpg"),
        pictures("cat/1.jpg", "dog/2.jpg"),
        pictures("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg", "3.jpg"),
        pictures("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg", "more/dog/1.jpg", "more/dog/2.jpg"),
        pictures("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg") | {"truth/9.txt": ROW},
        pictures("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg") | {"labels.json": "{}"},
    ],
)
def test_ambiguous_folders_are_refused(tmp_path: Path, files: dict[str, bytes | str]) -> None:
    folder = write(tmp_path, files)
    message = refusal(folder)
    assert "No dataset" in message or "have no labels" in message
    assert len(read_dataset(folder, task="classify").names) > 1, "it is asked for"


@pytest.mark.parametrize(
    "files", [{}, {"data.yaml": "names: [a]"}, {"labels/train/a.txt": ROW}, pictures("images/a.jpg")]
)
def test_no_dataset(tmp_path: Path, files: dict[str, bytes | str]) -> None:
    assert "images/train" in refusal(write(tmp_path, files))


def test_photographs_alone_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    """Not with a list of formats: there are no labels, and the next step."""
    for number, extra in enumerate(({}, {"README.txt": "My holidays"}, {"notes/list.txt": "a b c"})):
        files = pictures("a.jpg", "trip/b.jpg", "trip/c.jpg") | extra
        text = refusal(write(tmp_path / str(number), files))
        assert "no labels (images: 3" in text
        assert "annotation tool" in text
        assert "LabelMe" not in text
    named = refusal(write(tmp_path / "named", pictures("a.jpg") | {"labels/a.txt": "what is it"}))
    assert "no labels" not in named, "a text with the image's name may be meant as its labels"
