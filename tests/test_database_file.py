"""The SQLite file of a server, and its log."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.database_file import OWNER, DatabaseFile, file_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """It has the log open, as a server has."""
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("CREATE TABLE t (x)")
        opened.execute("INSERT INTO t VALUES (1)")
        opened.commit()
        yield opened


def claim_for_another(file: DatabaseFile) -> None:
    """Writes the record of an earlier server whose log had this inode: inodes are reused."""
    record = {"file": [1, 1], "log": file_id(file.log)}
    file.path.with_name(file.path.name + OWNER).write_text(json.dumps(record))


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as reader:
        return int(reader.execute("SELECT COUNT(*) FROM t").fetchone()[0])


def test_a_log_that_this_process_writes_stays(path: Path, connection: sqlite3.Connection) -> None:
    file = DatabaseFile(path)
    claim_for_another(file)
    file.sort_logs()
    assert not list(path.parent.glob("*aside*"))
    assert count(path) == 1
    code = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('INSERT INTO t VALUES (2)'); c.commit()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    connection.execute("INSERT INTO t VALUES (3)")
    connection.commit()
    assert count(path) == 3, "its locks still exist: the index of the log was not recreated"


def test_a_log_that_nobody_writes_is_set_aside(path: Path, connection: sqlite3.Connection) -> None:
    data = [(item, item.read_bytes()) for item in path.parent.iterdir()]
    connection.close()
    for item, content in data:
        item.write_bytes(content)
    file = DatabaseFile(path)
    claim_for_another(file)
    file.sort_logs()
    assert [item.name for item in path.parent.glob("*aside*")] == ["a.db-wal-aside-1-1"]
