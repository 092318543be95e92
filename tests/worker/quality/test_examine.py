"""Findings that concern a revision as a whole, and the contents of its index."""

import json
from pathlib import Path

import pytest

from app.worker.quality import Entry, Examination, ImageRecord, examine
from tests.worker.quality.helpers import GOOD, POLYGON, codes, entries_of, judged, pair, picture, rows, write


def test_repeated_images_and_leaks(tmp_path: Path) -> None:
    write(tmp_path, pair("a", GOOD, picture("a")) | pair("b", GOOD, picture("a")))
    write(tmp_path, pair("c", GOOD, picture("c")) | pair("d", "1 0.5 0.5 0.5 0.5\n", picture("c")))
    write(tmp_path, pair("e", GOOD, picture("a"), "val"))
    write(tmp_path, pair("f", GOOD, picture("f")) | pair("g", GOOD, picture("f", "PNG"), "test"))
    write(tmp_path, pair("h", GOOD, picture("h")) | pair("i", GOOD, picture("h", "PNG")))
    _report, findings = judged(tmp_path)
    pairs = {(item["file"], item["code"], item["data"].get("other")) for item in findings if item["data"].get("other")}
    assert pairs == {
        ("images/train/b.jpg", "duplicate_image", "images/train/a.jpg"),
        ("images/train/d.jpg", "duplicate_conflict", "images/train/c.jpg"),
        ("images/val/e.jpg", "leak_exact", "images/train/a.jpg"),
        ("images/test/g.jpg", "leak", "images/train/f.jpg"),
        ("images/train/i.jpg", "near_duplicate", "images/train/h.jpg"),
    }
    severities = {item["code"]: item["severity"] for item in findings}
    assert severities["leak"] == severities["leak_exact"] == severities["duplicate_conflict"] == "warning"


def test_classes_with_too_few_examples(tmp_path: Path) -> None:
    many = "".join(f"0 0.{number:02} 0.5 0.1 0.1\n" for number in range(10, 70))
    write(tmp_path, pair("a", many + "1 0.5 0.5 0.5 0.5\n") | pair("v", "1 0.5 0.5 0.5 0.5\n", split="val"))
    _report, findings = judged(tmp_path)
    about = {(item["data"]["name"], item["severity"], item["code"]) for item in findings if "name" in item["data"]}
    assert about == {
        ("a", "warning", "class_missing_val"),
        ("b", "warning", "class_few"),
        ("c", "warning", "class_missing_train"),
    }


@pytest.mark.parametrize(("side", "size", "expected"), [(0.1, 640, []), (0.01, 640, ["small_boxes"]), (0.01, 1280, [])])
def test_small_boxes_at_the_image_size(tmp_path: Path, side: float, size: int, expected: list[str]) -> None:
    """At 640 a hundredth of the image is 6.4 pixels, at 1280 it is 12.8."""
    write(tmp_path, pair("a", f"0 0.5 0.5 0.5 {side}\n" + GOOD))
    _report, findings = judged(tmp_path, image_size=size)
    assert codes(findings) == expected
    if expected:
        assert findings[0]["line"] == 1
        assert findings[0]["data"] == {"count": 1, "size": 640, "limit": 8, "smallest": 6.4}


def test_findings_name_the_annotation_that_rows_came_from(tmp_path: Path) -> None:
    write(tmp_path, {"images/train/a.jpg": picture("a")})
    (entry,) = entries_of(tmp_path)
    entry.text = GOOD + "7 0.5 0.5 0.1 0.1\n"
    entry.origins = [("Annotations/a.xml", 1), ("Annotations/a.xml", 4)]
    _report, findings = judged(tmp_path, [entry])
    wrong = next(item for item in findings if item["code"] == "class_out_of_range")
    assert (wrong["file"], wrong["line"]) == ("Annotations/a.xml", 4)


def test_the_task_that_labels_show(tmp_path: Path) -> None:
    corners = "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n"
    for expected, labels in (
        ("detect", [GOOD]),
        ("segment", [POLYGON, corners]),
        ("obb", [corners]),
        ("detect", [GOOD, POLYGON]),
        ("detect", [""]),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for number, text in enumerate(labels):
            write(folder, pair(f"{number}", text))
        assert judged(folder)[0].task == expected


def test_a_classification(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/3", "x/4"):
        write(tmp_path, {f"images/train/{name}.jpg": picture(name)})
    report, findings = judged(tmp_path, entries_of(tmp_path, classify=True), names=["a", "b"], task="classify")
    assert (report.boxes, report.usable["train"]) == ({0: 2, 1: 1}, 3)
    assert codes(findings) == ["class_unknown"]
    assert [row["class"] for row in rows(tmp_path / "index.sqlite", "SELECT class FROM image_class")] == [0, 0, 1]


def test_the_index(tmp_path: Path) -> None:
    write(tmp_path, pair("b", GOOD + "2 0.25 0.25 0.25 0.5\n", picture("b", size=(200, 100))))
    write(tmp_path, pair("a", POLYGON + "0 0 0 1 0 nan 1\n", split="val"))
    report, _findings = judged(tmp_path)
    index = tmp_path / "index.sqlite"
    train, val = rows(index, "SELECT * FROM image")
    assert (train["id"], train["file"], train["split"]) == (1, "images/train/b.jpg", "train")
    assert (train["objects"], train["usable"], train["stored"], train["codes"]) == (2, 1, 1, "")
    assert (train["smallest"], train["largest"]) == (50.0, pytest.approx(70.711))
    assert (val["objects"], val["usable"], val["codes"]) == (1, 0, "label_nan")
    drawn = rows(index, "SELECT * FROM object")
    assert [(item["class"], item["kind"], item["line"]) for item in drawn] == [
        (0, "box", 1),
        (2, "box", 2),
        (1, "polygon", 1),
    ]
    assert json.loads(drawn[2]["points"]) == [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
    counted = {row["name"]: json.loads(row["value"]) for row in rows(index, "SELECT * FROM statistics")}
    assert counted["summary"] == {"used": 1, "total": 2, "left_out": {"label_nan": 1}}
    assert counted["classes"][2] == {
        "class": 2,
        "name": "c",
        "images": {"train": 1, "val": 0, "test": 0},
        "objects": {"train": 1, "val": 0, "test": 0},
    }
    assert counted["splits"]["val"] == {"images": 1, "used": 0, "objects": 0, "background": 0}
    assert counted["image_sizes"] == [{"width": 200, "height": 100, "count": 1}]
    assert sum(counted["box_sizes"]["counts"]) == sum(counted["heatmap"]["cells"]) == 2
    assert len(counted["box_sizes"]["edges"]) == len(counted["box_sizes"]["counts"]) + 1
    assert counted["co_occurrence"] == {"classes": [0, 2], "cells": [[1, 1], [1, 1]]}
    assert report.images == {"train": 1, "val": 1, "test": 0}


def test_a_failure_leaves_no_index(tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    missing = Entry("a.jpg", "train", tmp_path / "a.jpg", ImageRecord(), label=tmp_path / "gone.txt")
    with pytest.raises(FileNotFoundError):
        examine([missing], Examination(["a"]), index)
    assert list(tmp_path.iterdir()) == []
    examine([], Examination(["a"]), index)
    assert [path.name for path in tmp_path.iterdir()] == ["index.sqlite"]
