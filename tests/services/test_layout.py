"""Layouts that are understood, where each file goes, class names, and the split."""

import io
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from app import create_app
from app.errors import Unprocessable
from app.services.storage import Limits, Staged, StorageService
from app.services.storage.names import names_from_form, names_of, read_yaml
from scripts.local_server import settings_for
from tests.data import image_bytes, yolo_files, zip_bytes

ROOMY = Limits(min_free=0)
ROW = "0 0.5 0.5 0.5 0.5\n"


@pytest.fixture(scope="module", autouse=True)
def bound(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Socket.IO in threading mode, whose `sleep` the storage uses."""
    create_app("cli", settings_for(tmp_path_factory.mktemp("app"), SOCKETIO_ASYNC_MODE="threading"))


@pytest.fixture
def storage(tmp_path: Path) -> StorageService:
    return StorageService(tmp_path / "data")


def save(storage: StorageService, files: Mapping[str, bytes | str], classes: str = "") -> tuple[Staged, set[str]]:
    """What the import says, and the files that it stored."""
    staged = storage.save_dataset(io.BytesIO(zip_bytes(files)), 1, classes, ROOMY)
    folder = storage.dataset_dir(1)
    return staged, {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


STORED = {
    "images/train/a.jpg", "images/train/b.png", "images/val/c.jpg", "images/test/d.jpg",
    "labels/train/a.txt", "labels/train/b.txt", "labels/val/c.txt", "labels/test/d.txt",
}  # fmt: skip


@pytest.mark.parametrize("wrapper", ["", "my dataset/", "a/b/c/", "images/"])
@pytest.mark.parametrize("valid", ["val", "valid", "Validation"])
@pytest.mark.parametrize("pattern", ["{kind}/{split}/", "{split}/{kind}/"])
def test_split_layouts(storage: StorageService, wrapper: str, valid: str, pattern: str) -> None:
    files: dict[str, bytes | str] = {f"{wrapper}data.yaml": "names: [thing]\n"}
    for split, name in (("train", "a.jpg"), ("train", "b.png"), (valid, "c.jpg"), ("test", "d.jpg")):
        files[wrapper + pattern.format(kind="images", split=split) + name] = image_bytes()
        files[wrapper + pattern.format(kind="labels", split=split) + name[:-3] + "txt"] = ROW
    staged, stored = save(storage, files)
    assert stored == STORED
    assert (staged.names, staged.images) == (["thing"], {"train": 2, "val": 1, "test": 1})
    assert staged.decisions == []


def test_without_a_split(storage: StorageService) -> None:
    files: dict[str, bytes | str] = {f"x/images/{number}.jpg": image_bytes() for number in range(10)}
    files |= {f"x/labels/{number}.txt": ROW for number in range(10)}
    staged, stored = save(storage, files)
    assert staged.images == {"train": 8, "val": 2, "test": 0}
    assert staged.decisions == [{"code": "val_split", "data": {"moved": 2, "percent": 20}}]
    images = {name.replace("images", "labels").replace(".jpg", ".txt") for name in stored if name.endswith(".jpg")}
    assert images == {name for name in stored if name.endswith(".txt")}, "labels go with their images"


def test_the_split_is_the_same_each_time_and_whatever_the_order(storage: StorageService) -> None:
    files = yolo_files(23, 0)
    shuffled = list(files.items())
    random.Random(1).shuffle(shuffled)
    _, first = save(storage, files)
    _, second = save(storage, dict(shuffled))
    assert first == second
    assert sum(name.startswith("images/val") for name in first) == 5


@pytest.mark.parametrize("count", [2, 3, 4])
def test_both_sides_of_a_split_have_images(storage: StorageService, count: int) -> None:
    staged, _ = save(storage, yolo_files(count, 0))
    assert staged.images == {"train": count - 1, "val": 1, "test": 0}


def test_images_that_share_a_label_stay_together(storage: StorageService) -> None:
    files: dict[str, bytes | str] = {}
    for number in range(10):
        files |= {f"images/{number}.jpg": image_bytes(), f"images/{number}.png": image_bytes(form="PNG")}
        files[f"labels/{number}.txt"] = ROW
    staged, stored = save(storage, files)
    assert staged.images == {"train": 16, "val": 4, "test": 0}
    assert all(name.replace(".jpg", ".png") in stored for name in stored if name.endswith(".jpg"))


def test_inner_folders_are_kept(storage: StorageService) -> None:
    files = yolo_files(2, 1) | {
        "images/train/camera 1/x.jpg": image_bytes(), "labels/train/camera 1/x.txt": ROW,
        "images/train/y/images/x.jpg": image_bytes(), "labels/train/y/images/x.txt": ROW,
    }  # fmt: skip
    _, stored = save(storage, files)
    assert {"images/train/camera 1/x.jpg", "labels/train/camera 1/x.txt"} < stored
    assert {"images/train/y/images_/x.jpg", "labels/train/y/images_/x.txt"} < stored, "ultralytics would look elsewhere"


def test_of_several_datasets_the_outermost_largest(storage: StorageService) -> None:
    files: dict[str, bytes | str] = {}
    for root, count in (("small", 3), ("large", 5), ("deep/er", 9)):
        files |= {f"{root}/{name}": content for name, content in yolo_files(count, 1).items()}
    files["broken/images/train/z.jpg"] = image_bytes()
    staged, _ = save(storage, files)
    assert staged.images == {"train": 5, "val": 1, "test": 0}
    assert staged.decisions[0]["code"] == "root_chosen"
    assert staged.decisions[0]["data"] == {"root": "large", "others": "small, deep/er, broken"}
    assert staged.skipped["kinds"]["outside"] == 2 * (4 + 10) + 1


def test_names_come_from_yaml_then_from_the_form(storage: StorageService) -> None:
    files = yolo_files(2, 1)
    staged, _ = save(storage, files, "other")
    assert staged.names == ["thing"]
    assert staged.decisions == [{"code": "form_names_ignored", "data": {}}]
    del files["data.yaml"]
    staged, _ = save(storage, files, " one , two ")
    assert staged.names == ["one", "two"]
    staged, _ = save(storage, files)
    assert staged.names == []


def test_the_stored_yaml_reads_back(storage: StorageService) -> None:
    names = ["<img src=x onerror=alert(1)>", "=cmd|'/c calc'!A0", "car/truck", "no", "1", "ção: #", "😀", '"', "'"]
    text = yaml.safe_dump({"names": names, "nc": len(names)}, allow_unicode=True)
    staged, _ = save(storage, yolo_files(2, 1) | {"data.yaml": text})
    assert staged.names == names
    storage.write_dataset_yaml(1, staged.names)
    ours = yaml.safe_load(storage.dataset_yaml(1).read_text(encoding="utf-8"))
    assert ours["names"] == dict(enumerate(names))
    assert ours["path"] == str(storage.dataset_dir(1))
    assert storage.yaml_is_current(1)
    assert storage.validate_dataset_structure(storage.dataset_dir(1)) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, b]", ["a", "b"]),
        ("names:\n  1: b\n  0: a\nnc: 2\nroboflow: {workspace: x, version: 3}", ["a", "b"]),
        ("names: ['0', no, 1.5]", ["0", "no", "1.5"]),
        ("\ufeffnames:\n- a\n", ["a"]),
        ("nc: 3", ["class_0", "class_1", "class_2"]),
        ("train: x", None),
        ("", None),
    ],
)
def test_yaml_names(text: str, names: list[str] | None) -> None:
    assert names_of(read_yaml(text.encode(), lambda: None), 1000) == names


@pytest.mark.parametrize("text", ["a,,b", ",", "../../pwn", "a\x00b", ",".join(map(str, range(1001)))])
def test_form_names_that_cannot_be(text: str) -> None:
    with pytest.raises(Unprocessable):
        names_from_form(text, 1000)
