"""Sources of datasets for the readers, and their contents in pixels."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.services.datasets.converted_texts import CONVERTED
from app.services.datasets.finding_texts import TEXTS, text_of
from app.services.datasets.texts import DECISIONS, REASONS, message_of
from app.worker.formats import InvalidInput, Options, Source, choose, detect, read
from app.worker.formats.model import Item
from tests.data import image_bytes

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "datasets"
SIZE = (64, 48)


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write these files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def unpacked(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder


def read_dataset(folder: Path, **options: Any) -> Source:
    """Read the dataset in a folder. Every code in it must have a text that its data fills."""
    chosen = Options(**options)
    source = read(folder, choose(detect(folder, chosen.task), chosen), chosen)
    for item in source.decisions:
        assert item["code"] in DECISIONS
        assert "%(" not in message_of(DECISIONS, item["code"], item["data"])
    for item in source.findings:
        assert item["code"] in TEXTS or item["code"] in CONVERTED
        assert str(text_of(item["code"]).message) % item["data"]
    names = [item.name.casefold() for item in source.items]
    assert len(set(names)) == len(names)
    return source


def refusal(folder: Path, **options: Any) -> str:
    """The refusal of an unreadable source, as shown to the user."""
    chosen = Options(**options)
    with pytest.raises(InvalidInput) as caught:
        read(folder, choose(detect(folder, chosen.task), chosen), chosen)
    error = caught.value
    assert error.code in REASONS
    return message_of(REASONS, error.code, error.data)


def rows(folder: Path, item: Item) -> list[list[float]]:
    """The numbers of an image's rows."""
    if item.rows is not None:
        lines = [row.text for row in item.rows]
    else:
        lines = (folder / item.label).read_text().splitlines() if item.label else []
    return [[float(value) for value in line.split()] for line in lines if line.strip()]


def boxes(folder: Path, source: Source) -> dict[str, list[tuple[float, ...]]]:
    """By image name without suffix: class, left, top, right, bottom in pixels of SIZE, of boxes or outlines."""
    by_image = {}
    for item in source.items:
        boxes_ = []
        for kind, *values in rows(folder, item):
            if len(values) == 4:
                x, y, width, height = values
                sides = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            else:
                sides = [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]
            boxes_.append((kind, *(round(value * SIZE[index % 2], 3) for index, value in enumerate(sides))))
        by_image[item.name.rpartition("/")[2].rpartition(".")[0]] = boxes_
    return by_image


def codes(source: Source) -> list[str]:
    return sorted(item["code"] for item in source.decisions)


def finding_codes(source: Source) -> list[tuple[str, str | None, int | None]]:
    return [(item["code"], item["file"], item["line"]) for item in source.findings]


def pictures(*names: str) -> dict[str, bytes | str]:
    """Images of SIZE."""
    content = image_bytes(SIZE)
    return dict.fromkeys(names, content)
