"""Reading an index written by the quality check: every filter gives the same result as counting by hand."""

import itertools
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from app.services.datasets.index import Index
from app.worker.quality import Entry, Examination, ImageRecord, examine

pytestmark = pytest.mark.usefixtures("socketio_initialized")

IMAGES = 400


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 images in three splits with up to six objects of five classes; the folder's name must be quoted."""
    rng = random.Random(4)
    entries = []
    for number in range(IMAGES):
        rows = [
            f"{rng.randrange(5)} 0.5 0.5 {rng.uniform(0.01, 0.5):.4f} {rng.uniform(0.01, 0.5):.4f}"
            for _ in range(rng.randrange(7))
        ]
        if rng.random() < 0.1:
            rows.append("0 nan 1 1 1")
        split = rng.choice(["train", "train", "val", "test"])
        record = ImageRecord(f"{number:064x}", 1000 + number, 640, 480, "JPEG", sharpness=rng.random(), thumbnail=True)
        if rng.random() < 0.2:
            record.add("warning", "image_blurred", sharpness=0.1, limit=0.3)
        text = "".join(f"{row}\n" for row in rows)
        entries.append(Entry(f"100%_{number % 7}/im{number:03}.jpg", split, Path("x.jpg"), record, text=text))
    index = tmp_path_factory.mktemp("with ? and #") / "index.sqlite"
    examine(entries, Examination(list("abcde")), index)
    return index


def query_images(path: Path, **query: Any) -> tuple[list[dict[str, Any]], int]:
    with Index(path) as index:
        return index.images({"page": 1, "per_page": 1000, "sort": "id"} | query)


def everything(path: Path) -> list[dict[str, Any]]:
    images = query_images(path)[0]
    for image in images:
        image["sizes"] = [
            (item["class"], (item["box"][2] * 640 * item["box"][3] * 480) ** 0.5) for item in image["objects"]
        ]
    return images


def fits(image: dict[str, Any], query: dict[str, Any]) -> bool:
    """The same by hand."""
    mine = [size for number, size in image["sizes"] if query.get("class") in (None, number)]
    inside = [size for size in mine if query.get("min_size", 0) <= size <= query.get("max_size", 1e9)]
    return (
        query.get("split") in (None, image["split"])
        and ("class" not in query or bool(mine))
        and ("finding" not in query or query["finding"] in image["codes"])
        and query.get("min_objects", 0) <= len(image["objects"]) <= query.get("max_objects", 99)
        and (not {"min_size", "max_size"} & query.keys() or bool(inside))
        and query.get("search", "") in image["file"]
    )


CHOICES: dict[str, list[Any]] = {
    "split": ["val"],
    "class": [0, 4],
    "finding": ["image_blurred", "label_nan"],
    "min_objects": [3],
    "max_objects": [4],
    "min_size": [40, 120],
    "max_size": [60, 150],
    "search": ["100%_3", "im07"],
}


def test_every_pair_of_filters(path: Path) -> None:
    images = everything(path)
    assert len(images) == IMAGES
    queries = [{}] + [
        {one: first, second_name: second}
        for one, second_name in itertools.combinations(CHOICES, 2)
        for first in CHOICES[one]
        for second in CHOICES[second_name]
    ]
    queries += [{"class": 2, "min_size": low, "max_size": low + 20, "split": "train"} for low in (20, 60, 100)]
    tried = 0
    for query in queries:
        page, total = query_images(path, **query)
        expected = [image["id"] for image in images if fits(image, query)]
        assert [image["id"] for image in page] == expected, query
        assert total == len(expected)
        tried += bool(expected)
    assert tried > len(queries) * 0.8, "most give something"


def value(image: dict[str, Any], name: str) -> Any:
    field = len(image["objects"]) if name == "objects" else image[name]
    return -1 if field is None else field


@pytest.mark.parametrize("name", ["id", "file", "objects", "smallest", "largest", "bytes", "sharpness"])
def test_sorting_and_pages(path: Path, name: str) -> None:
    images = everything(path)
    for sign, query in itertools.product(("", "-"), ({}, {"class": 1}, {"finding": "image_blurred"})):
        ids: list[int] = []
        page = 1
        while batch := query_images(path, page=page, per_page=37, sort=sign + name, **query)[0]:
            ids += [image["id"] for image in batch]
            page += 1
        chosen = [image for image in images if fits(image, query)]
        key = {image["id"]: (value(image, name), image["id"]) for image in chosen}
        assert ids == sorted(key, key=lambda number: key[number], reverse=bool(sign))


def test_findings_by_filter(path: Path) -> None:
    def query_findings(**query: Any) -> tuple[list[dict[str, Any]], int]:
        with Index(path) as index:
            return index.findings({"page": 1, "per_page": 1000} | query)

    rows, total = query_findings()
    ranks = ["error", "warning", "info"]
    assert total == len(rows)
    assert [row["severity"] for row in rows] == sorted((row["severity"] for row in rows), key=ranks.index)
    for query in (
        {"severity": "error"},
        {"code": "image_blurred"},
        {"split": "val"},
        {"fixable": True},
        {"search": "im01"},
        {"fixable": False, "split": "train"},
    ):
        chosen = [
            row
            for row in rows
            if all(
                query["search"] in (row["file"] or "") if name == "search" else row[name] == value
                for name, value in query.items()
            )
        ]
        assert query_findings(**query) == (chosen, len(chosen))
        assert chosen


def test_it_is_only_read(path: Path) -> None:
    with Index(path) as index, pytest.raises(sqlite3.OperationalError, match="readonly"):
        index.connection.execute("DELETE FROM image")
    assert [item.name for item in path.parent.iterdir()] == ["index.sqlite"], "no journal beside it"
    with pytest.raises(FileNotFoundError):
        Index(path.with_name("none.sqlite"))
    with Index(path) as index:
        assert index.image(IMAGES + 1) is None
        assert index.statistics()["summary"]["total"] == IMAGES
