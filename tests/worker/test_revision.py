"""The revision of a dataset: the same for the same content, another for anything that affects a training."""

import os
import shutil
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.worker import revision
from app.worker.revision import CACHE, dataset_revision
from tests.data import write_dataset


def test_the_same_content_elsewhere_and_later(tmp_path: Path) -> None:
    here = write_dataset(tmp_path / "a")
    first = dataset_revision(here)
    assert len(first) == 64
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / CACHE).unlink()
    there = tmp_path / "b" / "dataset.yaml"
    there.write_text(there.read_text().replace(str(tmp_path / "a"), str(tmp_path / "b")))
    for path in (tmp_path / "b").rglob("*.*"):
        os.utime(path, (1, 1))
    (tmp_path / "b" / "labels" / "train.cache").write_bytes(b"what ultralytics leaves")
    assert dataset_revision(there) == first


@pytest.mark.parametrize("change", ["image", "label", "class", "split", "added", "removed", "renamed"])
def test_every_change_shows(tmp_path: Path, change: str) -> None:
    data = write_dataset(tmp_path)
    first = dataset_revision(data)
    image, label = tmp_path / "images/train/000.jpg", tmp_path / "labels/train/000.txt"
    if change == "image":
        before = image.stat()
        image.write_bytes(image.read_bytes()[:-1] + b"\0")
        # same size, same modification time: the inode's change time differs
        os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "label":
        label.write_text("0 0.5 0.5 0.25 0.25\n")
    elif change == "class":
        data.write_text(data.read_text().replace("thing", "item"))
    elif change == "split":
        image.rename(tmp_path / "images/val/100.jpg")
        label.rename(tmp_path / "labels/val/100.txt")
    elif change == "added":
        (tmp_path / "labels/train/extra.txt").write_text("")
    elif change == "removed":
        label.unlink()
    else:
        image.rename(image.with_name("001x.jpg"))
    assert dataset_revision(data) != first


def test_nothing_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_dataset(tmp_path)
    first = dataset_revision(data)
    monkeypatch.setattr(revision, "content_hash", lambda *_: pytest.fail("read again"))
    assert dataset_revision(data) == first
    (tmp_path / CACHE).write_text("{broken")
    monkeypatch.undo()
    assert dataset_revision(data) == first


def test_folders_by_class(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split / "cat").mkdir(parents=True)
        (tmp_path / split / "cat" / "1.jpg").write_bytes(split.encode())
    first = dataset_revision(tmp_path)
    (tmp_path / "val" / "dog").mkdir()
    (tmp_path / "val" / "cat" / "1.jpg").rename(tmp_path / "val" / "dog" / "1.jpg")
    assert dataset_revision(tmp_path) != first


def test_the_web_process_asks_a_job(app: APIFlask, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "dataset")
    revisions = app.extensions["services"].trainer.reruns.revisions
    with app.app_context():
        assert revisions.current(1, data) == dataset_revision(data)
        assert revisions.current(1, tmp_path / "missing.yaml") is None
