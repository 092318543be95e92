"""The files of an evaluation, written by its program and read by the services. Standard library only.

`outcomes.sqlite`: table `image`, each with its `pack`ed result, which never changes. `view-C-I.sqlite`: the outcomes at
a confidence C and an IoU I: table `image` with the counts of each kind, table `item` with every object and detection.
`label-errors.sqlite`: table `suspect`, likely label errors, the most suspicious first.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

from app.core.label_errors import KINDS as SUSPECTS
from app.core.label_errors import suspects
from app.core.outcomes import CORRECT, KINDS, SIZES, ImageResult, Outcome, of_classification, outcomes, size_of, unpack

OUTCOMES, CURVES, LABEL_ERRORS = "outcomes.sqlite", "curves.json", "label-errors.sqlite"
MATCHES = "matches.npz"  # see app/worker/matches.py; not for classification
TABLES = "CREATE TABLE image (id INTEGER PRIMARY KEY, file TEXT, width INTEGER, height INTEGER, seen BLOB)"
COUNTS = ", ".join(f'"{kind}" INTEGER' for kind in KINDS)
VIEW = f"""
CREATE TABLE image (id INTEGER PRIMARY KEY, file TEXT, errors INTEGER, {COUNTS});
CREATE TABLE item (image_id INTEGER, kind INTEGER, actual INTEGER, predicted INTEGER, size INTEGER, confidence REAL,
    iou REAL);
"""
INDEXES = "CREATE INDEX item_kind ON item (kind, actual, predicted); CREATE INDEX item_image ON item (image_id);"

Picture = tuple[int, str, int, int, bytes]  # a row of the table `image`


class SizeRecall(TypedDict):
    """Objects of one size, and how many of them are detected correctly."""

    objects: int
    correct: int
    recall: float | None


def view_name(confidence: float, iou: float) -> str:
    return f"view-{confidence:.3f}-{iou:.2f}.sqlite"


def write_outcomes(path: Path, pictures: Iterable[Picture]) -> None:
    """Write the complete file, or raise."""
    with closing(connect(path)) as connection, connection:
        connection.execute(TABLES)
        connection.executemany("INSERT INTO image VALUES (?, ?, ?, ?, ?)", pictures)


def write_view(path: Path, pictures: Iterable[Picture], confidence: float, iou: float) -> None:
    """Match every image at these thresholds, and write the outcomes."""
    with closing(connect(path)) as connection, connection:
        connection.executescript(VIEW)
        marks = ", ".join("?" * (3 + len(KINDS)))
        for number, file, _width, _height, data in pictures:
            image = unpack(data)
            rows = list(items(image, outcomes_of(image, confidence, iou)))
            counts = [sum(row[0] == kind for row in rows) for kind in range(len(KINDS))]
            errors = sum(counts[:-1])
            connection.execute(f"INSERT INTO image VALUES ({marks})", (number, file, errors, *counts))  # noqa: S608
            connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?)", [(number, *row) for row in rows])
        connection.executescript(INDEXES)


def write_label_errors(path: Path, pictures: Iterable[Picture]) -> None:
    """Rank likely label errors, and write them."""
    ranked = suspects((number, unpack(data)) for number, _file, _width, _height, data in pictures)
    rows = ((SUSPECTS.index(item.kind), item.score, item.image, item.object, item.detection) for item in ranked)
    with closing(connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE suspect (id INTEGER PRIMARY KEY, kind INTEGER, score REAL, image_id INTEGER, object INTEGER, "
            "detection INTEGER)"
        )
        insert = "INSERT INTO suspect (kind, score, image_id, object, detection) VALUES (?, ?, ?, ?, ?)"
        connection.executemany(insert, rows)


def outcomes_of(image: ImageResult, confidence: float, iou: float) -> list[Outcome]:
    """The outcomes of an image, whatever the task."""
    classification = bool(image.objects) and not image.object_corners[0]
    return of_classification(image) if classification else outcomes(image, confidence, iou)


def items(image: ImageResult, outcomes: Iterable[Outcome]) -> Iterator[tuple[Any, ...]]:
    """Rows of the table `item` without their image: indexes of kinds and sizes, None for missing values."""
    for outcome in outcomes:
        there, detected = outcome.object >= 0, outcome.detection >= 0
        corners = image.object_corners[outcome.object] if there else image.detection_corners[outcome.detection]
        size = size_of(corners)
        yield (
            KINDS.index(outcome.kind),
            image.objects[outcome.object] if there else None,
            image.detections[outcome.detection] if detected else None,
            None if size is None else SIZES.index(size),
            image.confidences[outcome.detection] if detected else None,
            outcome.iou,
        )


def read_pictures(path: Path) -> Iterator[Picture]:
    """Every image of `outcomes.sqlite`, by its number."""
    with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
        yield from connection.execute("SELECT id, file, width, height, seen FROM image ORDER BY id")


def sizes_in(view: Path) -> dict[str, SizeRecall] | None:
    """By size: objects, how many are detected correctly, and their share; None without boxes."""
    counted = (
        "SELECT size, COUNT(*), SUM(kind = ?) FROM item WHERE actual IS NOT NULL AND size IS NOT NULL GROUP BY size"
    )
    with closing(connect(view)) as connection:
        rows = {
            SIZES[size]: (total, right) for size, total, right in connection.execute(counted, [KINDS.index(CORRECT)])
        }
        if not rows and connection.execute("SELECT 1 FROM item WHERE size IS NULL").fetchone():
            return None
    return {
        size: {"objects": total, "correct": right, "recall": round(right / total, 5) if total else None}
        for size, (total, right) in ((size, rows.get(size, (0, 0))) for size in SIZES)
    }


def read_only(path: Path) -> str:
    """The URI of a complete file that does not change; a missing one is not created."""
    return f"file:{quote(str(path))}?mode=ro&immutable=1"


def connect(path: Path) -> sqlite3.Connection:
    """For a draft that no other process has open, and that is recreated if incomplete."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")  # synced by the caller that moves it into place
    return connection
