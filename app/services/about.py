"""Writes about.json: a row's columns in its folder, from which the row can be restored without the database.

Written beside the files after the row was committed. If it is missing or damaged, only names and descriptions are lost.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import DateTime

from app.core.files import atomic_write_text
from app.core.json_object import JsonObject
from app.models import UTCDateTime
from app.services.storage.damaged import set_file_aside
from app.threads import run_blocking

logger = logging.getLogger("yolo.storage")

NAME = "about.json"
RUNNING = {"devices", "eta"}  # of a running process, hence not restored


class AboutDocument(TypedDict, total=False):
    """about.json of a row. `row`: its columns; `revisions`: those of a dataset's versions. They may be of another
    version, or damaged.
    """

    kind: str
    row: JsonObject
    revisions: list[JsonObject]


def snapshot(row: Any) -> dict[str, object]:
    """A row's columns as JSON values."""
    return {
        column.key: value.isoformat() if isinstance(value := getattr(row, column.key), datetime) else value
        for column in row.__table__.columns
        if column.key not in RUNNING
    }


def write(folder: Path, kind: str, row: Any, parts: Mapping[str, Iterable[Any]] | None = None) -> None:
    """Write a row, and named lists of rows that belong to it, to its folder. A failure to write is logged."""
    body: dict[str, object] = {"kind": kind, "row": snapshot(row)}
    body |= {name: [snapshot(part) for part in rows] for name, rows in (parts or {}).items()}
    try:
        if folder.is_dir():
            run_blocking(atomic_write_text, folder / NAME, json.dumps(body, ensure_ascii=False, indent=1))
    except OSError as error:
        logger.warning("%s/%s could not be written: %s", folder, NAME, error)


def read(folder: Path, kind: str) -> AboutDocument:
    """The document in a folder; empty if missing or unreadable."""
    path = folder / NAME
    try:
        body = json.loads(path.read_bytes())
        if body["kind"] != kind or not isinstance(body["row"]["id"], int):
            raise ValueError("not about this")
        document: AboutDocument = body
        return document
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        set_file_aside(path, error)
        return {}


def columns(model: Any, values: Any, *without: str) -> dict[str, object]:
    """The values of a snapshot for the columns of this version's table, for its constructor. Unknown ones are dropped.

    Raises:
        ValueError: a value is invalid for its column.
        TypeError: the same.
    """
    # An account's id from another database may be another person's here, so rows become the owner's.
    values_by_name: dict[str, object] = {"created_by": None} if "created_by" in model.__table__.columns else {}
    for column in model.__table__.columns:
        if column.key in without or column.key not in values or column.key in RUNNING or column.key in values_by_name:
            continue
        value = values[column.key]
        if value is None and not column.nullable:
            continue
        if isinstance(column.type, UTCDateTime | DateTime):
            value = value and datetime.fromisoformat(value)
        elif value is not None and column.type.python_type in (int, float, str, bool) and not fits(value, column):
            raise ValueError(f"{column.key} cannot be {value!r}")
        values_by_name[column.key] = value
    return values_by_name


def fits(value: Any, column: Any) -> bool:
    kind = column.type.python_type
    return isinstance(value, (int, float) if kind is float else dict | list | str if is_json(column) else kind)


def is_json(column: Any) -> bool:
    return type(column.type).__name__ == "JSONText"
