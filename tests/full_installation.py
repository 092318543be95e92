"""An installation with all kinds of contents: a row in each table, and files of every kind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from sqlalchemy import Boolean, DateTime, Float, Integer, insert, select

from app import create_app
from app.config import settings
from app.database import upgrade_if_old
from app.extensions import db
from app.models import Dataset
from app.services.transfer.tables import raw_tables
from scripts.local_server import settings_for
from tests.data import valid_dataset

MOMENT = datetime(2026, 2, 28, 23, 59, 59, 123456, tzinfo=UTC)


def installation(folder: Path, **changes: str) -> APIFlask:
    """An application with empty tables, which starts nothing."""
    app = create_app("cli", settings_for(folder, SOCKETIO_ASYNC_MODE="threading", **changes))
    upgrade_if_old(app)
    return app


def engine_of(app: APIFlask) -> Any:
    with app.app_context():
        return db.engine


def fill(app: APIFlask) -> int:
    """A dataset with files, and a row in every other table; returns the dataset's id."""
    dataset_id = valid_dataset(app)
    with engine_of(app).connect() as connection, connection.execution_options(write=True).begin():
        for table in raw_tables():
            if table.name != Dataset.__tablename__:
                connection.execute(insert(table), [{item.name: value_for(item, dataset_id) for item in table.columns}])
    add_files(settings(app).DATA_ROOT, dataset_id)
    with app.app_context():
        app.extensions["installation"].examine()
    return dataset_id


def value_for(column: Any, dataset_id: int) -> Any:
    if column.name == "dataset_id":
        return dataset_id
    if column.name.endswith(("id", "number", "attempt", "revision")) and isinstance(column.type, Integer):
        return 1
    fixed = {"status": "completed", "runner": '{"host": "there", "pid": 1, "started": 0.0}', "uuid": "ab" * 16}
    if column.name in fixed:
        return fixed[column.name]
    for kind, value in ((Boolean, True), (Integer, 2), (Float, 0.1), (DateTime, MOMENT.replace(tzinfo=None))):
        if isinstance(column.type, kind):
            return value
    size = column.type.length or 40
    return '{"ação": [1.5, "日本"]}'[:size] if size > 30 else "ç" * size


def add_files(data: Path, dataset_id: int) -> None:
    """Files of the rows: an image with two names, links, an empty folder, and temporary work that is excluded from
    backups.
    """
    run, revision = data / "models" / "1", data / "datasets" / str(dataset_id) / "revisions" / "1"
    below = run / "run" / "weights", run / "attempts" / "1", data / "objects" / "ab", data / "tmp" / "x"
    for folder in (*below, revision):
        folder.mkdir(parents=True, exist_ok=True)
    (run / "run" / "weights" / "best.pt").write_bytes(os.urandom(300_000))
    (run / "attempts" / "1" / "events.jsonl").write_text('{"seq": 1}\n')
    (run / "empty").mkdir()
    (data / "objects" / "ab" / "cd").write_bytes(b"one image")
    os.link(data / "objects" / "ab" / "cd", revision / "image ç.jpg")
    os.symlink("revisions/1", data / "datasets" / str(dataset_id) / "current")
    for name in ("tests/1", "predictions/1"):
        (data / name).mkdir(parents=True, exist_ok=True)
        (data / name / "result").write_text(name)
    (data / "tmp" / "x" / "half").write_text("of a request that is going on")


def tree(data: Path) -> dict[str, Any]:
    """Contents of a data folder without temporary files: bytes, links, and link counts."""
    entries: dict[str, Any] = {}
    for path in data.rglob("*"):
        name = str(path.relative_to(data))
        if name.split("/")[0] == "tmp":
            continue
        if path.is_symlink():
            entries[name] = os.readlink(path)
        elif path.is_file():
            stat = path.stat()
            marks = 0 if name.endswith("installation.json") else stat.st_mtime_ns
            entries[name] = (path.read_bytes(), marks, stat.st_nlink)
        elif not any(path.iterdir()):
            entries[name] = None
    return entries


def rows(app: APIFlask) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with engine_of(app).connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in raw_tables()
        }


USES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM dataset").fetchall()
print("ready", flush=True)
input()
"""


@contextmanager
def used(file: Path, app: APIFlask | None = None) -> Iterator[None]:
    """Opens the database in another process, as a server does. The application's connections are closed."""
    if app is not None:
        engine_of(app).dispose()
    with subprocess.Popen(
        [sys.executable, "-c", USES, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            user.communicate("\n")
