"""Class names in any file, form and encoding; U+FFFD never appears."""

import json
from pathlib import Path

import pytest

from app.worker.classes import ungarble
from tests.worker.formats.helpers import codes, pictures, read_dataset, write

ROWS = "0 0.5 0.5 0.25 0.5\n1 0.5 0.5 0.25 0.5\n"
EXPECTED = ["caminhão", "pessoa"]
YAML = "train: images/train\nval: images/val\nnames:\n  0: caminhão\n  1: pessoa\n"
ARGS = "task: detect\nmode: train\nmodel: yolov8n.pt\ndata: traffic.yaml\n"


def dataset(folder: Path, root: str = "") -> Path:
    for split in ("train", "val"):
        for n in range(2):
            write(folder, pictures(f"{root}images/{split}/{split}{n}.jpg"))
            write(folder, {f"{root}labels/{split}/{split}{n}.txt": ROWS})
    return folder


LOCATIONS = {
    "beside another YAML": {"args.yaml": ARGS, "traffic.yaml": YAML},
    "in a folder below": {"config/traffic.yaml": YAML},
    "deeper": {"cfg/data/v2/traffic.yml": YAML},
    "a YAML without names first": {"data.yaml": "train: images/train\nval: images/val\n", "cfg/all.yaml": YAML},
    "only a number in data.yaml": {"data.yaml": "nc: 2\n", "names.txt": "caminhão\npessoa\n"},
    "a file that data.yaml calls": {"data.yaml": "names: ../cfg/voc.names\n", "x/voc.names": "caminhão\npessoa\n"},
    "printed by Python": {"classes.txt": "['caminhão', 'pessoa']\n"},
    "under another key": {"data.yaml": "classes: [caminhão, pessoa]\n"},
    "broken YAML beside": {"a.yaml": "{[", "z.yaml": YAML},
    "darknet far away": {"x/y/obj.names": "caminhão\npessoa\n"},
    "told by .data": {"cfg/a.data": "names = /home/me/data/voc.txt\n", "data/voc.txt": "caminhão\npessoa\n"},
    "class list": {"meta/class_names.txt": "caminhão\npessoa\n"},
    "voc_classes": {"voc_classes.txt": "caminhão\npessoa\n"},
    "notes.json": {
        "notes.json": json.dumps({"categories": [{"id": 1, "name": "pessoa"}, {"id": 0, "name": "caminhão"}]})
    },
    "index": {"classes.json": json.dumps({"0": "caminhão", "1": "pessoa"})},
    "index the other way": {"class_to_idx.json": json.dumps({"pessoa": 1, "caminhão": 0})},
    "list": {"labels.json": json.dumps(EXPECTED)},
    "label map": {"label_map.pbtxt": "item {\n id: 2\n name: 'pessoa'\n}\nitem {\n id: 1\n name: \"caminhão\"\n}\n"},
}


@pytest.mark.parametrize("case", LOCATIONS)
@pytest.mark.parametrize("root", ["", "traffic/"])
def test_names_are_read_from_any_folder(tmp_path: Path, case: str, root: str) -> None:
    source = read_dataset(write(dataset(tmp_path, root), LOCATIONS[case]))
    assert source.names == EXPECTED
    assert "classes_unnamed" not in codes(source)


def test_the_nearest_names_win(tmp_path: Path) -> None:
    write(dataset(tmp_path), {"data.yaml": YAML, "old/data.yaml": "names: [a, b]\n", "classes.txt": "x\ny\n"})
    assert read_dataset(tmp_path).names == EXPECTED


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-8-sig", "cp850"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "caminhão\npessoa\n"),
        ("obj.names", "caminhão\r\npessoa\r\n"),
        ("data.yaml", YAML),
        (
            "notes.json",
            json.dumps(
                {"categories": [{"id": 0, "name": "caminhão"}, {"id": 1, "name": "pessoa"}]}, ensure_ascii=False
            ),
        ),
        ("label_map.pbtxt", "item { id: 1 name: 'caminhão' } item { id: 2 name: 'pessoa' }"),
    ],
)
def test_names_in_any_encoding(tmp_path: Path, encoding: str, name: str, text: str) -> None:
    source = read_dataset(write(dataset(tmp_path), {name: text.encode(encoding)}))
    assert source.names == EXPECTED
    assert ("names_encoding" in codes(source)) == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp950", ["汽車", "行人"]),
        ("gbk", ["汽车", "行人"]),
        ("cp932", ["くるま", "歩行者"]),
        ("cp1251", ["машина", "человек"]),
        ("cp949", ["자동차", "사람"]),
        ("cp1250", ["człowiek", "łódź"]),
    ],
)
def test_names_of_many_languages(tmp_path: Path, encoding: str, names: list[str]) -> None:
    write(dataset(tmp_path), {"classes.txt": "\n".join(names).encode(encoding)})
    assert read_dataset(tmp_path).names == names


def test_prose_is_no_list_of_names(tmp_path: Path) -> None:
    write(dataset(tmp_path), {"classes of this set.txt": "There are two kinds.\n\nCars and people.\n"})
    assert read_dataset(tmp_path).names == ["class_0", "class_1"]


def test_a_close_call_is_a_question_with_options(tmp_path: Path) -> None:
    """é and the Polish letters have the same code points: ł in cp1250 is ³ elsewhere, but ę is ê."""
    write(dataset(tmp_path), {"classes.txt": "rêka\nnoga\n".encode("cp1252")})
    decision = next(item for item in read_dataset(tmp_path).decisions if item["code"] == "reading_cp1252")
    assert decision["change"]["options"][:2] == ["cp1252", "cp1250"]
    assert not decision["confirmed"]
    source = read_dataset(tmp_path, reading=("cp1250",))
    assert source.names == ["ręka", "noga"]
    assert next(item for item in source.decisions if item["code"] == "reading_cp1250")["confirmed"]


def test_garbled_names_are_reported_and_never_stored(tmp_path: Path) -> None:
    write(dataset(tmp_path), {"classes.txt": "cami\ufffdo\ncami_o\n"})
    source = read_dataset(tmp_path)
    ungarble(source, tmp_path)
    assert source.names == ["cami_o2", "cami_o"]
    assert "names_garbled" in codes(source)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "0 car\n1 traffic light\n2 pig\n"),
        ("classes.txt", "0: car\n1: traffic light\n2: pig"),
        ("classes.txt", "car, traffic light, pig"),
        ("labels.txt", "car 0\ntraffic light 1\npig 2\n"),
        ("classes.csv", "id,name\n0,car\n1,traffic light\n2,pig\n"),
    ],
)
def test_names_with_their_numbers(tmp_path: Path, file: str, text: str) -> None:
    files = pictures("images/a.jpg", "images/b.jpg") | dict.fromkeys(
        ("labels/a.txt", "labels/b.txt"), "2 0.5 0.5 0.2 0.2\n"
    )
    assert read_dataset(write(tmp_path, files | {file: text})).names == ["car", "traffic light", "pig"]


def test_numbers_that_are_part_of_names_stay(tmp_path: Path) -> None:
    files = pictures("images/a.jpg", "images/b.jpg") | dict.fromkeys(
        ("labels/a.txt", "labels/b.txt"), "1 0.5 0.5 0.2 0.2\n"
    )
    assert read_dataset(write(tmp_path, files | {"classes.txt": "1 real\n2 reais\n5 reais\n"})).names == [
        "1 real",
        "2 reais",
        "5 reais",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("001_label.txt", "0,0.5,0.5,0.2,0.3\n"),
        ("train_labels.csv", "a.jpg,0\nb.jpg,1\n"),
        ("class_counts.csv", "0,120\n1,45\n"),
    ],
)
def test_rows_images_and_counts_are_no_names(tmp_path: Path, file: str, text: str) -> None:
    folder = write(tmp_path, pictures("images/a.jpg", "images/b.jpg"))
    write(folder, {"labels/a.txt": "0 0.5 0.5 0.2 0.3\n", "labels/b.txt": "1 0.5 0.5 0.2 0.3\n", f"extra/{file}": text})
    assert read_dataset(folder).names == ["class_0", "class_1"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names:\n\t- cat\n\t- dog\n", ["cat", "dog"]),
        ("nc: 2\nnames: cat, dog\n", ["cat", "dog"]),
        ("names:\n- size: big\n- dog\n", ["size: big", "dog"]),
    ],
)
def test_data_yaml_as_people_type_it(tmp_path: Path, text: str, names: list[str]) -> None:
    files = pictures("images/a.jpg", "images/b.jpg") | {"data.yaml": text}
    files |= dict.fromkeys(("labels/a.txt", "labels/b.txt"), "1 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.5 0.5\n")
    assert read_dataset(write(tmp_path, files)).names == names
