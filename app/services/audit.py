"""The audit log: who did what, when, from where, with which result; a line of JSON each, in append-only files.

Files, not a table: what is refused while the database is locked is recorded as well, and no request waits for it.
"""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from app.extensions import socketio
from app.inputs import faults

logger = logging.getLogger("yolo.audit")

NAME = "audit.jsonl"
FILE_BYTES = 2_000_000  # about 6,000 entries
MOST_FILES = 100
TEXTS = ("time", "name", "role", "via", "address", "action", "method", "path", "result")
NUMBERS = ("account_id", "status")

Entry = dict[str, Any]


class AuditLog:
    """
    Args:
        folder: of the files; the newest is NAME, others have the time of their last entry in their names.
        file_bytes: how large one gets.
        most_files: how many older ones are kept.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, most_files: int = MOST_FILES) -> None:
        self.folder, self.file_bytes, self.most_files = folder, file_bytes, most_files
        self.lock = threading.Lock()
        self.last = 0

    def write(self, **entry: Any) -> None:
        """Add an entry. A disk that is full costs the entry and no request."""
        with self.lock:
            self.last = max(time.time_ns(), self.last + 1)
            moment = datetime.fromtimestamp(self.last / 1e9, UTC).isoformat(timespec="milliseconds")
            line = json.dumps({"id": str(self.last), "time": moment.replace("+00:00", "Z")} | entry)  # ASCII: one line
            try:
                self.make_room()
                with open(self.folder / NAME, "ab+") as file:
                    file.write(ending(file) + line.encode("ascii") + b"\n")
            except OSError as error:
                logger.error("an entry of the audit log is lost: %s", error)

    def make_room(self) -> None:
        """Begin a new file when this one is full, and remove the oldest ones."""
        newest = self.folder / NAME
        if not newest.exists() or newest.stat().st_size < self.file_bytes:
            return
        newest.rename(self.folder / f"audit-{self.last}.jsonl")
        for path in self.older()[self.most_files :]:
            path.unlink(missing_ok=True)

    def older(self) -> list[Path]:
        """Files that are full, the newest first; their names are of one length until the year 2286."""
        return sorted(self.folder.glob("audit-*.jsonl"), reverse=True)

    def entries(self) -> Iterator[Entry]:
        """All of them, the newest first."""
        for path in (self.folder / NAME, *self.older()):
            try:
                lines = path.read_text("utf-8", "replace").splitlines()
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.error("a file of the audit log cannot be read: %s", error)
                continue
            socketio.sleep(0)  # others go on between two files
            for line in reversed(lines):
                if (entry := parsed(line)) is not None:
                    yield entry

    def newest(self, limit: int, before: str | None = None, **wanted: str) -> tuple[list[Entry], str | None]:
        """A page of entries, the newest first, and the id to go on before; None: there are no more.

        Args:
            before: an entry's id: only older ones.
            wanted: what fields must be equal to.
        """
        fitting = (
            entry
            for entry in self.entries()
            if (before is None or int(entry["id"]) < int(before))
            and all(entry.get(name) == value for name, value in wanted.items())
        )
        found = list(islice(fitting, limit + 1))
        return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


def ending(file: IO[bytes]) -> bytes:
    """What ends the last line, where a crash has cut it: the next entry is none of it."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def parsed(line: str) -> Entry | None:
    """An entry; None: a line that a crash or a hand has damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and is_entry(entry) and not next(faults(entry), None) else None


def is_entry(found: Entry) -> bool:
    """Whether each field has a value of its kind; those of later versions may have any."""
    created = found.get("created", {})
    return (
        re.fullmatch(r"[0-9]{1,20}", str(found.get("id"))) is not None
        and all(isinstance(found.get(name), str | None) for name in TEXTS)
        and all(type(found.get(name)) in {int, type(None)} for name in NUMBERS)
        and isinstance(created, dict)
        and all(type(value) is int for value in created.values())
    )
