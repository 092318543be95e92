"""The methods of StorageService that the specification names."""

import io
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.core.imports import ArchiveLimits
from app.errors import Unprocessable
from tests.data import yolo_zip, zip_bytes


def test_save_dataset(idle_app: APIFlask) -> None:
    storage = idle_app.extensions["services"].storage
    content = yolo_zip()
    with idle_app.test_request_context():
        made = storage.save_dataset(io.BytesIO(content), 7, ArchiveLimits(min_free=0))
    folder = Path(idle_app.config["DATASETS_DIR"]) / "7"
    assert made.size_bytes == sum(path.stat().st_size for path in (folder / "source").rglob("*") if path.is_file())
    assert made.size_bytes > 0
    assert (folder / "original.zip").read_bytes() == content
    assert list(storage.tmp.iterdir()) == []


def test_save_dataset_leaves_nothing_of_what_it_refuses(idle_app: APIFlask) -> None:
    storage = idle_app.extensions["services"].storage
    with idle_app.test_request_context(), pytest.raises(Unprocessable):
        storage.save_dataset(io.BytesIO(zip_bytes({"../a.jpg": b"x"})), 7, ArchiveLimits(min_free=0))
    assert not (Path(idle_app.config["DATASETS_DIR"]) / "7").exists()
    assert list(storage.tmp.iterdir()) == []
