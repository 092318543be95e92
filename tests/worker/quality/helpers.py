"""Small datasets on disk, and the quality check's findings for them."""

import io
import json
import random
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from app.worker.quality import Entry, Examination, Report, ScanSpec, examine, near_duplicates, scan

GOOD = "0 0.5 0.5 0.5 0.5\n"
POLYGON = "1 0.1 0.1 0.9 0.1 0.5 0.9\n"
NAMES = ["a", "b", "c"]
Files = dict[str, bytes | str]


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def pair(name: str, label: bytes | str, image: bytes | None = None, split: str = "train") -> Files:
    """An image and its label; a unique image by default."""
    return {f"images/{split}/{name}.jpg": image or picture(name), f"labels/{split}/{name}.txt": label}


def picture(name: str, form: str = "JPEG", size: tuple[int, int] = (64, 64)) -> bytes:
    """Stripes and blocks that depend on the name, so that no two are alike."""
    rng = random.Random(name)
    small = Image.frombytes("RGB", (8, 8), rng.randbytes(192)).resize(size, Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    small.save(buffer, form)
    return buffer.getvalue()


@cache
def costly_image(side: int = 2000) -> bytes:
    """A JPEG 2000 of (by default) 4 megapixels of noise, intact and allowed: seconds of work for every decoder."""
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGB").save(buffer, "JPEG2000")
    return buffer.getvalue()


def entries_of(folder: Path, thumbnails: Path | None = None, classify: bool = False) -> list[Entry]:
    """The entries of a dataset in the layout of a revision."""
    paths = sorted(path for path in folder.glob("images/*/**/*") if path.is_file())
    pictures = list(scan(paths, ScanSpec(64_000_000, thumbnails, workers=2)))
    groups = {
        index: number
        for number, members in enumerate(near_duplicates([item.phash for item in pictures]))
        for index in members
    }
    entries = []
    for index, (path, picture) in enumerate(zip(paths, pictures, strict=True)):
        split, name = path.relative_to(folder / "images").as_posix().split("/", 1)
        label = folder / "labels" / split / f"{name.rpartition('.')[0]}.txt"
        entry = Entry(name, split, path, picture, label if label.exists() else None, group=groups.get(index))
        entry.class_name = name.split("/")[0] if classify else None
        entries.append(entry)
    return entries


def judged(folder: Path, entries: Iterable[Entry] | None = None, **spec: Any) -> tuple[Report, list[dict[str, Any]]]:
    """The report of a dataset, and its findings."""
    index = folder / "index.sqlite"
    options = {"names": NAMES} | spec
    report = examine(entries_of(folder) if entries is None else entries, Examination(**options), index)
    return report, rows(index, "SELECT * FROM finding ORDER BY id")


def rows(index: Path, statement: str) -> list[dict[str, Any]]:
    with sqlite3.connect(index) as connection:
        connection.row_factory = sqlite3.Row
        records = [dict(row) for row in connection.execute(statement)]
    return [row | ({"data": json.loads(row["data"])} if "data" in row else {}) for row in records]


def codes(findings: list[dict[str, Any]], *excluded: str) -> list[str]:
    """The codes, without those that concern classes: tiny datasets have few of everything."""
    return sorted(
        item["code"]
        for item in findings
        if not item["code"].startswith(("class_few", "class_missing")) and item["code"] not in excluded
    )
