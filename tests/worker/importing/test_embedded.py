"""LabelMe's JSON files with their images inside, and no image file."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from app.core.imports import ArchiveLimits
from app.errors import Unprocessable
from app.services.datasets.texts import DECISIONS, message_of
from tests.data import image_bytes, zip_bytes
from tests.worker.formats.helpers import boxes, read_dataset
from tests.worker.importing.archives import bring, stored


def labelme(image: str | None, **more: Any) -> str:
    shapes = [{"label": "cat", "shape_type": "rectangle", "points": [[8, 6], [40, 30]]}]
    document = {"version": "5.4.1", "shapes": shapes, "imagePath": "..\\raw\\x.png", "imageData": image}
    return json.dumps(document | {"imageWidth": 64, "imageHeight": 48} | more)


def text(image: bytes, prefix: str = "") -> str:
    return prefix + base64.b64encode(image).decode()


def test_they_become_files_of_their_format(tmp_path: Path) -> None:
    first, second = image_bytes(), image_bytes(form="PNG")
    files = {"a.json": labelme(text(first)), "json/b.json": labelme(text(second, "data:image/png;base64,"))}
    staged = bring(tmp_path / "1", zip_bytes(files))
    assert stored(tmp_path / "1") == ["a.jpg", "a.json", "json/b.json", "json/b.png"]
    assert (tmp_path / "1/source/json/b.png").read_bytes() == second
    assert [note["code"] for note in staged.notes] == ["images_embedded"]
    assert "2 images" in message_of(DECISIONS, **staged.notes[0])
    source = read_dataset(tmp_path / "1/source")
    assert boxes(tmp_path / "1/source", source) == {"a": [(0, 8, 6, 40, 30)], "b": [(0, 8, 6, 40, 30)]}


def test_an_existing_image_is_not_extracted_again(tmp_path: Path) -> None:
    image = image_bytes()
    staged = bring(tmp_path / "1", zip_bytes({"jpgs/a.JPG": image, "jsons/a.json": labelme(text(image))}))
    assert (stored(tmp_path / "1"), staged.notes) == (["jpgs/a.JPG", "jsons/a.json"], [])


@pytest.mark.parametrize("inside", [None, "", "no base64!", text(b"<html>"), 7])
def test_what_is_no_image_stays_inside(tmp_path: Path, inside: Any) -> None:
    bring(tmp_path / "1", zip_bytes({"a.json": labelme(inside), "b.json": "[]", "c.json": '{"imageData": "/9j/"}'}))
    assert stored(tmp_path / "1") == ["a.json", "b.json", "c.json"]


def test_they_count_towards_the_limit_of_an_upload(tmp_path: Path) -> None:
    files = {f"{n}.json": labelme(text(image_bytes())) for n in range(3)}
    limit = sum(len(content) for content in files.values()) + 1000
    with pytest.raises(Unprocessable) as caught:
        bring(tmp_path / "1", zip_bytes(files), ArchiveLimits(min_free=0, max_expanded=limit))
    assert "MAX_EXPANDED_SIZE" in str(caught.value.detail)
