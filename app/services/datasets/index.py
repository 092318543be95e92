"""Reads index.sqlite of a version: pages of images and findings, statistics. Standard library only; see
app/worker/quality/index.py for its tables.

A complete index never changes, so it is opened without locks, and counts are cached.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from flask_babel import gettext as _

from app.core.dataset_statistics import IndexStatistics
from app.core.shapes import LabelledObject
from app.errors import Conflict
from app.extensions import socketio
from app.schemas.dataset_contents import FindingQueryValues, ImageQueryValues
from app.services.datasets.read_models import FixCost, Row
from app.services.storage.damaged import set_file_aside

STEPS = 20_000  # of SQLite's virtual machine, a millisecond or two, between two yields
BATCH = 500
COUNTS = 1000  # cached counts
SORTS = ("id", "file", "objects", "smallest", "largest", "bytes", "sharpness", "brightness")
IMAGE = (
    "id, file, split, width, height, bytes, sha256, objects, smallest, largest, group_id, usable, thumbnail, "
    "stored, sharpness, brightness, contrast, codes"
)

NO_ORIGIN = {"original": None, "source": None}
FINDING = "SELECT finding.*, (SELECT file FROM image WHERE image.id = finding.image_id) AS image FROM finding"

_counts: dict[tuple[Any, ...], int] = {}


def yield_to_loop() -> int:
    """SQLite's progress handler: yields in the middle of a query; 0: continue it."""
    socketio.sleep(0)
    return 0


class Conditions:
    """Conditions of a WHERE clause with their values."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.values: list[Any] = []

    def add(self, part: str, *values: Any) -> None:
        self.parts.append(part)
        self.values += values

    @property
    def where(self) -> str:
        return f" WHERE {' AND '.join(self.parts)}" if self.parts else ""


def image_conditions(query: ImageQueryValues) -> tuple[str, Conditions]:
    """The tables and conditions of a query for images; `query` as in schemas.ImageQuery."""
    tables, conditions, sized = "image", Conditions(), "image"
    if (number := query.get("class")) is not None:
        tables, sized = "image_class AS held CROSS JOIN image ON image.id = held.image_id", "held"
        conditions.add("held.class = ?", number)
    if query.get("finding"):
        if sized == "image":  # start from the images with this finding, which are usually few
            tables = "image_finding AS marked CROSS JOIN image ON image.id = marked.image_id"
            conditions.add("marked.code = ?", query["finding"])
        else:
            mine = "SELECT 1 FROM image_finding WHERE code = ? AND image_id = image.id"
            conditions.add(f"EXISTS ({mine})", query["finding"])
    if query.get("split"):
        conditions.add("image.split = ?", query["split"])
    if query.get("min_objects") is not None:
        conditions.add("image.objects >= ?", query["min_objects"])
    if query.get("max_objects") is not None:
        conditions.add("image.objects <= ?", query["max_objects"])
    add_sizes(query, conditions, sized)
    if query.get("search"):
        conditions.add("image.file LIKE ? ESCAPE '!'", f"%{escape_like(query['search'])}%")
    return tables, conditions


def add_sizes(query: ImageQueryValues, conditions: Conditions, sized: str) -> None:
    """Restrict to images with an object (of the class, if any) of a size within the bounds. An image's smallest and
    largest object decide, unless one is below and the other above the bounds.
    """
    low, high = query.get("min_size"), query.get("max_size")
    if low is not None:
        conditions.add(f"{sized}.largest >= ?", low)
    if high is not None:
        conditions.add(f"{sized}.smallest <= ?", high)
    if low is not None and high is not None:
        mine = " AND object.class = held.class" if sized == "held" else ""
        inside = f"SELECT 1 FROM object WHERE object.image_id = image.id AND object.size BETWEEN ? AND ?{mine}"  # noqa: S608
        conditions.add(f"({sized}.smallest >= ? OR {sized}.largest <= ? OR EXISTS ({inside}))", low, high, low, high)


def finding_conditions(query: FindingQueryValues) -> Conditions:
    """The conditions of a query as in schemas.FindingQuery."""
    conditions = Conditions()
    for name, value in (
        ("severity", query.get("severity")),
        ("code", query.get("code")),
        ("split", query.get("split")),
    ):
        if value:
            conditions.add(f"{name} = ?", value)
    if query.get("fixable") is not None:
        conditions.add("fixable = ?", int(query["fixable"]))
    if query.get("search"):
        pattern = f"%{escape_like(query['search'])}%"
        # a finding of an annotation file may be about many images
        mine = "image_id IN (SELECT id FROM image WHERE file LIKE ? ESCAPE '!')"
        conditions.add(f"(file LIKE ? ESCAPE '!' OR {mine})", pattern, pattern)
    return conditions


def escape_like(text: str) -> str:
    """The text for LIKE, with its wildcards escaped."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


class DamagedIndex(Conflict):
    """An index cannot be read, and is not being rebuilt; a new version of the dataset gets a new one."""

    def __init__(self, text: str = "", members: Mapping[str, object] | None = None) -> None:
        text = text or _(
            "The index of this version of the dataset is damaged and was moved away. Its images and labels "
            "are not affected. Create a new version of the dataset to get a new index."
        )
        super().__init__(text, members=members)

    @classmethod
    def rebuilt_by(cls, job_id: int) -> "DamagedIndex":
        """The error while a job rebuilds the index."""
        text = _(
            "The index of this version of the dataset was damaged and is being created again. Its images and labels "
            "are not affected. Wait a moment, then try again."
        )
        return cls(text, {"job_id": job_id})


def shows_damage(error: BaseException) -> bool:
    """Whether an error means a damaged file, and not a fault of the disk, the memory or the query."""
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return True
    signs = ("malformed", "not a database", "no such table", "no such column", "encrypted", "could not decode")
    return isinstance(error, sqlite3.DatabaseError) and any(sign in str(error).lower() for sign in signs)


class Index:
    """The index of one version. Open it where it is used, since a connection belongs to its thread.

    Args:
        on_damage: the exception for a damaged index, called once it was set aside.

    Raises:
        FileNotFoundError: there is no index.
    """

    def __init__(self, path: Path, on_damage: Callable[[], DamagedIndex] = DamagedIndex) -> None:
        self.path, self.on_damage = path, on_damage
        self.version = (str(path), path.stat().st_mtime_ns)
        try:
            self.connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:  # removed meanwhile
            raise FileNotFoundError(str(path)) from error
        self.connection.row_factory = sqlite3.Row
        self.connection.set_progress_handler(yield_to_loop, STEPS)

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Close the index; set it aside if it could not be read.

        Raises:
            Damaged: its contents could not be read.
        """
        self.connection.close()
        if error is not None and shows_damage(error):
            set_file_aside(self.path, error)
            raise self.on_damage() from error

    def rows(self, statement: str, values: Any = ()) -> list[Row]:
        with closing(self.connection.execute(statement, values)) as cursor:
            return [dict(row) for row in cursor]

    def count(self, tables: str, conditions: Conditions) -> int:
        """The number of rows, cached by query."""
        statement = f"SELECT COUNT(*) AS count FROM {tables}{conditions.where}"  # noqa: S608 (our own parts)
        key = (self.version, statement, tuple(conditions.values))
        if key not in _counts:
            if len(_counts) >= COUNTS:
                _counts.clear()
            _counts[key] = int(self.rows(statement, conditions.values)[0]["count"])
        return _counts[key]

    def images(self, query: ImageQueryValues) -> tuple[list[Row], int]:
        """A page of images with their objects, and their total number; `query` as in schemas.ImageQuery."""
        tables, conditions = image_conditions(query)
        total = self.count(tables, conditions)
        name = query["sort"].lstrip("-")
        way = "DESC" if query["sort"].startswith("-") else "ASC"
        column = {"id": "held.image_id" if "held" in tables else "image.id", "file": "image.split"}.get(
            name, f"image.{name}"
        )
        # Image ids are in natural order of names within a split: image2 before image10.
        order = f"{column} {way}" if name == "id" else f"{column} {way}, image.id {way}"
        page = f"SELECT image.id FROM {tables}{conditions.where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        per_page = query["per_page"]
        ids = [row["id"] for row in self.rows(page, [*conditions.values, per_page, (query["page"] - 1) * per_page])]
        return self.images_by_id(ids), total

    def images_by_id(self, ids: list[int]) -> list[Row]:
        """These images, in this order, each with `objects` and `codes`."""
        marks = ",".join("?" * len(ids))
        rows = self.rows(f"SELECT {IMAGE} FROM image WHERE id IN ({marks})", ids)  # noqa: S608
        objects: dict[int, list[LabelledObject]] = {number: [] for number in ids}
        columns = "image_id, class, kind, x, y, w, h, points, line"
        query = f"SELECT {columns} FROM object WHERE image_id IN ({marks}) ORDER BY id"  # noqa: S608
        for row in self.rows(query, ids):
            objects[row["image_id"]].append(labelled_object(row))
        origins = self.origins(marks, ids)
        images = {
            row["id"]: row
            | origins.get(row["id"], NO_ORIGIN)
            | {"objects": objects[row["id"]], "codes": row["codes"].split()}
            for row in rows
        }
        return [images[number] for number in ids]

    def origins(self, marks: str, ids: list[int]) -> dict[int, Row]:
        """The original names of images in the upload, and their sources; None in versions built by older releases."""
        try:
            rows = self.rows(f"SELECT image_id, original, source FROM origin WHERE image_id IN ({marks})", ids)  # noqa: S608
        except sqlite3.OperationalError:
            return {}
        return {row.pop("image_id"): row for row in rows}

    def image(self, image_id: int) -> Row | None:
        """One image; None: there is none with this id."""
        exists = self.rows("SELECT id FROM image WHERE id = ?", [image_id])
        return self.images_by_id([image_id])[0] if exists else None

    def findings_of(self, image_id: int) -> list[Row]:
        rows = self.rows(f"{FINDING} WHERE image_id = ? ORDER BY rank, id LIMIT 200", [image_id])
        return [row | {"data": json.loads(row["data"])} for row in rows]

    def twins(self, findings: Sequence[Row]) -> dict[str, Row]:
        """The images that findings about duplicates and leaks refer to, by file."""
        twin_files = sorted({row["data"]["other"] for row in findings if isinstance(row["data"].get("other"), str)})
        marks = ",".join("?" * len(twin_files))
        ids = [row["id"] for row in self.rows(f"SELECT id FROM image WHERE file IN ({marks})", twin_files)]  # noqa: S608
        return {row["file"]: row for row in self.images_by_id(ids)} if ids else {}

    def findings(self, query: FindingQueryValues) -> tuple[list[Row], int]:
        """A page of findings, errors first; `query` as in schemas.FindingQuery."""
        conditions, per_page = finding_conditions(query), query["per_page"]
        page = f"{FINDING}{conditions.where} ORDER BY rank, id LIMIT ? OFFSET ?"
        rows = self.rows(page, [*conditions.values, per_page, (query["page"] - 1) * per_page])
        return [row | {"data": json.loads(row["data"])} for row in rows], self.count("finding", conditions)

    def every_finding(self) -> Iterator[Row]:
        """All findings, errors first; yields to other requests between batches."""
        with closing(self.connection.execute(f"{FINDING} ORDER BY rank, id")) as cursor:
            while batch := cursor.fetchmany(BATCH):
                yield from (dict(row) | {"data": json.loads(row["data"])} for row in batch)
                socketio.sleep(0)

    def codes(self) -> list[Row]:
        """Each code with its severity and its numbers of findings, fixable findings and images; most severe first."""
        rank = "CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END"
        images = "(SELECT COUNT(*) FROM image_finding WHERE image_finding.code = code.code)"
        return self.rows(f"SELECT *, {images} AS images FROM code ORDER BY {rank}, count DESC, code")  # noqa: S608

    def costs(self) -> dict[str, FixCost]:
        """Rows and images that the fix of a code would remove; unknown in an index of a release before 0.1."""
        rows = self.rows("SELECT value FROM statistics WHERE name = 'costs'")
        return json.loads(rows[0]["value"]) if rows else {}

    def statistics(self) -> IndexStatistics:
        """The child's statistics, by name."""
        values = {row["name"]: json.loads(row["value"]) for row in self.rows("SELECT * FROM statistics")}
        return cast(IndexStatistics, values)


def labelled_object(row: Row) -> LabelledObject:
    """An object for drawing: a box [center x, center y, width, height], a polygon, or a box with keypoints."""
    view: LabelledObject = {"class": row["class"], "kind": row["kind"], "line": row["line"]}
    if row["kind"] in {"box", "keypoints"}:
        view["box"] = [row["x"], row["y"], row["w"], row["h"]]
    if row["points"]:
        view["points"] = json.loads(row["points"])
    return view
