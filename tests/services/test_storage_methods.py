"""The methods of StorageService in the specification."""

import io
import os
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.core.imports import ArchiveLimits
from app.errors import Unprocessable
from app.services.storage import unpack
from tests.data import yolo_zip, zip_bytes


def test_save_dataset(idle_app: APIFlask) -> None:
    storage = idle_app.extensions["services"].storage
    content = yolo_zip()
    with idle_app.test_request_context():
        stored = storage.save_dataset(io.BytesIO(content), 7, ArchiveLimits(min_free=0))
    folder = Path(idle_app.config["DATASETS_DIR"]) / "7"
    assert stored.size_bytes == sum(path.stat().st_size for path in (folder / "source").rglob("*") if path.is_file())
    assert stored.size_bytes > 0
    assert (folder / "original.zip").read_bytes() == content
    assert list(storage.tmp.iterdir()) == []


def test_two_may_remove_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starting server, and a request that the one before it had answered: the second one finds files missing."""
    folder = tmp_path / "old"
    (folder / "images").mkdir(parents=True)
    for number in range(3):
        (folder / "images" / f"{number}.jpg").write_bytes(b"x")
    monkeypatch.setattr(unpack, "Pacer", lambda: lambda: os.path.exists(folder) and unpack.shutil.rmtree(folder))
    unpack.remove_tree(folder)
    assert not folder.exists()


def test_save_dataset_leaves_nothing_of_what_it_refuses(idle_app: APIFlask) -> None:
    storage = idle_app.extensions["services"].storage
    with idle_app.test_request_context(), pytest.raises(Unprocessable):
        storage.save_dataset(io.BytesIO(zip_bytes({"../a.jpg": b"x"})), 7, ArchiveLimits(min_free=0))
    assert not (Path(idle_app.config["DATASETS_DIR"]) / "7").exists()
    assert list(storage.tmp.iterdir()) == []
