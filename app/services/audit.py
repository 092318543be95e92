"""The audit log: who did what, when, from where, with which result; a line of JSON each, in append-only files.

What was done, what was refused to people whom we know, and what strangers tried have files of their own, each with a
budget: whoever is refused a million times pushes nothing out of what was done.

Files, not a table: what is refused while the database is locked is recorded as well, and no request waits for it.
"""

import heapq
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from app.extensions import socketio
from app.inputs import faults
from app.schemas.audit import AuditEntryValues
from app.threads import run_blocking

logger = logging.getLogger("yolo.audit")

DONE, REFUSED, STRANGERS = "audit", "audit_refused", "audit_strangers"  # names of files
FILE_BYTES = 2_000_000  # about 6,000 entries
MOST_FILES = 100  # older ones of each kind
MOST_OF_STRANGERS = 10
NAME = f"{DONE}.jsonl"
TEXTS = ("time", "name", "role", "via", "address", "action", "method", "path", "result")
NUMBERS = ("account_id", "status")

Entry = AuditEntryValues


class AuditLog:
    """Who changed what, in files of JSON lines that are never rewritten.

    Args:
        folder: of the files; the newest of a kind has its name alone, others the time of their last entry, too.
        file_bytes: how large one gets.
        most_files: how many older ones of a kind are kept.
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
                kind = kind_of(entry)
                self.make_room(kind)
                with open(self.folder / f"{kind}.jsonl", "ab+") as file:
                    file.write(ending(file) + line.encode("ascii") + b"\n")
            except OSError as error:
                logger.error("an entry of the audit log is lost: %s", error)

    def make_room(self, kind: str) -> None:
        """Begin a new file when this one is full, and remove the oldest ones."""
        newest = self.folder / f"{kind}.jsonl"
        if not newest.exists() or newest.stat().st_size < self.file_bytes:
            return
        newest.rename(self.folder / f"{kind}-{self.last}.jsonl")
        most = min(self.most_files, MOST_OF_STRANGERS) if kind == STRANGERS else self.most_files
        for path in self.older(kind)[most:]:
            path.unlink(missing_ok=True)

    def older(self, kind: str) -> list[Path]:
        """Files that are full, the newest first; their names are of one length until the year 2286."""
        return sorted(self.folder.glob(f"{kind}-*.jsonl"), reverse=True)

    def entries(self, **wanted: str) -> Iterator[Entry]:
        """All of them, or those whose fields have these values, the newest first."""
        kinds = (self.of_kind(kind, wanted) for kind in (DONE, REFUSED, STRANGERS))
        return heapq.merge(*kinds, key=lambda entry: int(entry["id"]), reverse=True)

    def of_kind(self, kind: str, wanted: dict[str, str]) -> Iterator[Entry]:
        for path in (self.folder / f"{kind}.jsonl", *self.older(kind)):
            found = run_blocking(fitting, path, wanted)  # a whole file takes a tenth of a second
            socketio.sleep(0)
            yield from found

    def newest(self, limit: int, before: str | None = None, **wanted: str) -> tuple[list[Entry], str | None]:
        """A page of entries, the newest first, and the id to go on before; None: there are no more.

        Args:
            before: an entry's id: only older ones.
            wanted: what fields must be equal to.
        """
        older = (entry for entry in self.entries(**wanted) if before is None or int(entry["id"]) < int(before))
        found = list(islice(older, limit + 1))
        return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


def ending(file: IO[bytes]) -> bytes:
    """What ends the last line, where a crash has cut it: the next entry is none of it."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def kind_of(entry: Mapping[str, object]) -> str:
    """Whose budget an entry counts for."""
    if "via" in entry and entry["via"] is None:
        return STRANGERS
    return REFUSED if entry.get("result") == "refused" else DONE


def fitting(path: Path, wanted: dict[str, str]) -> list[Entry]:
    """The entries of a file whose fields have these values, the newest first. Most lines are not parsed for that."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        logger.error("a file of the audit log cannot be read: %s", error)
        return []
    parts = [json.dumps(value) for value in wanted.values()]
    likely = (entry for line in reversed(lines) if all(part in line for part in parts) and (entry := parsed(line)))
    return [entry for entry in likely if all(entry.get(name) == value for name, value in wanted.items())]


def parsed(line: str) -> Entry | None:
    """An entry; None: a line that a crash or a hand has damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and is_entry(entry) and not next(faults(entry), None)
    return cast(Entry, entry) if whole else None


def is_entry(found: Mapping[str, Any]) -> bool:
    """Whether each field has a value of its kind; those of later versions may have any."""
    created = found.get("created", {})
    return (
        re.fullmatch(r"[0-9]{1,20}", str(found.get("id"))) is not None
        and all(isinstance(found.get(name), str | None) for name in TEXTS)
        and all(type(found.get(name)) in {int, type(None)} for name in NUMBERS)
        and isinstance(created, dict)
        and all(type(value) is int for value in created.values())
    )
