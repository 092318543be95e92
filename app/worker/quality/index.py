"""index.sqlite of a version: written once by the child, then only read (app/services/datasets/index.py).

Tables: `image` (`stored`: whether the version has the file), `object` (rows of finite numbers, also of images that
training excludes), `image_class` (the classes of each image), `finding`, `image_finding` (the codes of each image),
`code` (counts of all findings), `origin` (the uploaded name of an image stored under another name, and its source, see
app/worker/sources.py), and `statistics` (name, JSON). Sizes of objects: the square root of their box's area, in pixels
of the image.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.files import atomic_write
from app.worker.quality.model import Finding

RANKS = {"error": 0, "warning": 1, "info": 2}
BATCH = 2000  # buffered rows

TABLES = """
CREATE TABLE image (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, split TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, format TEXT NOT NULL, objects INTEGER NOT NULL, smallest REAL,
    largest REAL, group_id INTEGER, usable INTEGER NOT NULL, thumbnail INTEGER NOT NULL,
    stored INTEGER NOT NULL, sharpness REAL,
    brightness REAL, contrast REAL, codes TEXT NOT NULL
);
CREATE TABLE object (
    id INTEGER PRIMARY KEY, image_id INTEGER NOT NULL, class INTEGER NOT NULL, kind TEXT NOT NULL, x REAL NOT NULL,
    y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL, points TEXT, line INTEGER NOT NULL, size REAL NOT NULL
);
CREATE TABLE image_class (
    class INTEGER NOT NULL, image_id INTEGER NOT NULL, objects INTEGER NOT NULL, smallest REAL NOT NULL,
    largest REAL NOT NULL, PRIMARY KEY (class, image_id)
) WITHOUT ROWID;
CREATE TABLE finding (
    id INTEGER PRIMARY KEY, severity TEXT NOT NULL, rank INTEGER NOT NULL, code TEXT NOT NULL, file TEXT, line INTEGER,
    image_id INTEGER, split TEXT, fixable INTEGER NOT NULL, data TEXT NOT NULL
);
CREATE TABLE image_finding (
    code TEXT NOT NULL, image_id INTEGER NOT NULL, PRIMARY KEY (code, image_id)
) WITHOUT ROWID;
CREATE TABLE code (
    code TEXT PRIMARY KEY, severity TEXT NOT NULL, count INTEGER NOT NULL, fixable INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE origin (image_id INTEGER PRIMARY KEY, original TEXT, source TEXT);
CREATE TABLE statistics (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
INDICES = """
CREATE INDEX image_split ON image (split, id);
CREATE INDEX image_file ON image (file, id, split);
CREATE INDEX image_objects ON image (objects, id, split);
CREATE INDEX image_largest ON image (largest, smallest, id, split);
CREATE INDEX image_smallest ON image (smallest, largest, id, split);
CREATE INDEX image_bytes ON image (bytes, id, split);
CREATE INDEX image_sharpness ON image (sharpness, id, split);
CREATE INDEX image_brightness ON image (brightness, id, split);
CREATE INDEX object_image ON object (image_id, size, class);
CREATE INDEX finding_rank ON finding (rank, id);
CREATE INDEX finding_severity ON finding (severity, id);
CREATE INDEX finding_code ON finding (code, rank, id);
CREATE INDEX finding_split ON finding (split, rank, id);
CREATE INDEX finding_fixable ON finding (fixable, rank, id);
CREATE INDEX finding_image ON finding (image_id, rank, id);
ANALYZE;
"""


class IndexWriter:
    """Fills a new index; rows are written in batches."""

    def __init__(self, connection: sqlite3.Connection, max_findings: int) -> None:
        self.connection = connection
        self.max_findings = max_findings
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.codes: Counter[str] = Counter()
        self.fixable: Counter[str] = Counter()
        self.severities: Counter[str] = Counter()
        self.worst: dict[str, str] = {}  # severity by code
        self.stored: Counter[str] = Counter()  # by severity

    def add(self, table: str, *values: Any) -> None:
        rows = self.rows.setdefault(table, [])
        rows.append(values)
        if len(rows) >= BATCH:
            self.write(table)

    def write(self, table: str) -> None:
        rows = self.rows.pop(table, [])
        if rows:
            marks = ",".join("?" * len(rows[0]))
            statement = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"  # noqa: S608 (our own tables)
            self.connection.executemany(statement, rows)

    def find(self, finding: Finding, image_id: int | None, split: str | None, fixable: bool) -> None:
        """Count a finding, and store it below the limit of its severity."""
        code, severity = str(finding["code"]), str(finding["severity"])
        self.codes[code] += 1
        self.fixable[code] += fixable
        self.severities[severity] += 1
        if RANKS[severity] <= RANKS[self.worst.get(code, severity)]:
            self.worst[code] = severity
        if image_id is not None:
            self.add("image_finding", code, image_id)
        if self.stored[severity] < self.max_findings:
            self.stored[severity] += 1
            data = json.dumps(finding["data"], ensure_ascii=False)
            self.add(
                "finding",
                None,
                severity,
                RANKS[severity],
                code,
                finding["file"],
                finding["line"],
                image_id,
                split,
                int(fixable),
                data,
            )

    def close(self, statistics: Mapping[str, object]) -> None:
        for code, count in self.codes.items():
            self.add("code", code, self.worst[code], count, self.fixable[code])
        for name, value in statistics.items():
            self.add("statistics", name, json.dumps(value, ensure_ascii=False))
        for table in list(self.rows):
            self.write(table)
        self.connection.executescript(INDICES)


@contextmanager
def new_index(path: Path, max_findings: int) -> Iterator[IndexWriter]:
    """A writer of the index at `path`, which appears once the block has ended without an error.

    Raises:
        OSError: the disk is full.
        sqlite3.OperationalError: the same.
    """
    draft = path.with_name(f".{path.name}.writing")
    draft.unlink(missing_ok=True)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32000; BEGIN;")
        for statement in filter(str.strip, TABLES.split(";")):
            connection.execute(statement)
        yield IndexWriter(connection, max_findings)
        if connection.in_transaction:
            connection.execute("COMMIT")
        connection.close()
        atomic_write(path, lambda target: draft.replace(target))
    finally:
        connection.close()
        draft.unlink(missing_ok=True)
