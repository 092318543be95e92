"""The audit log: who did what, when, from where, with which result; one line of JSON each, in append-only files.

Actions of admins, actions of others, refusals of authenticated people and refusals of strangers are in separate files,
each with a budget: a million refusals displace no action, and trainers displace no entry about an admin. If a budget
removes entries before their retention ends, an entry records that.

Files rather than a table: refusals while the database is locked are recorded too, and no request waits for it.
"""

import heapq
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from app.core.roles import Role
from app.extensions import socketio
from app.inputs import faults
from app.schemas.audit import AuditEntryValues
from app.threads import run_blocking

logger = logging.getLogger("yolo.audit")

COMPLETED, ADMINS, REFUSED, STRANGERS = "audit", "audit_admins", "audit_refused", "audit_strangers"  # names of files
KINDS = (COMPLETED, ADMINS, REFUSED, STRANGERS)
FILE_BYTES = 2_000_000  # about 6,000 entries
MOST_BYTES = 200_000_000  # per kind
OF_STRANGERS = 10  # divides the budget of strangers
FILES = 10  # per budget at least: one file is removed at a time
PARTS = 30  # per retention: entries are removed with their file, at most one part late
PAUSE_S = 3600.0  # between two checks for old files
DAY_NS = 86_400 * 10**9
ROTATED = "audit.make_room"
SERVER = "server"  # the origin of entries without a request
LONGEST_LINE = 64 * 1024  # bytes
NAME = f"{COMPLETED}.jsonl"
TEXTS = ("time", "name", "role", "via", "address", "action", "method", "path", "result", "reason")
NUMBERS = ("account_id", "status")

Entry = AuditEntryValues


class AuditLog:
    """The audit log, in files of JSON lines that are never rewritten.

    Args:
        folder: of the files; the newest file of a kind has the plain name, others also the time of their last entry.
        most_bytes: of the older files of a kind; of strangers, a tenth.
        days: retention; 0: limited by size alone.
        file_bytes: size of a file, at most a tenth of its kind's budget.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, days: int = 0, file_bytes: int = FILE_BYTES) -> None:
        self.folder, self.most_bytes, self.days, self.file_bytes = folder, most_bytes, days, file_bytes
        self.lock = threading.Lock()
        self.last = 0
        self.checked_at: float | None = None  # last check for old files, by the monotonic clock

    def write(self, **entry: Any) -> None:
        """Add an entry. On a full disk the entry is lost, but no request fails."""
        with self.lock:
            try:
                self.remove_old()
                for path in self.rotate(kind_of(entry)):
                    self.append(rotation_entry(path))
                self.append(entry)
            except OSError as error:
                logger.error("an entry of the audit log is lost: %s", error)

    def append(self, entry: Mapping[str, object]) -> None:
        moment = datetime.fromtimestamp(self.tick() / 1e9, UTC).isoformat(timespec="milliseconds")
        # ASCII: a single line
        line = json.dumps({"id": str(self.last), "time": moment.replace("+00:00", "Z"), **entry})
        with open(self.newest_file(kind_of(entry)), "ab+") as file:
            file.write(ending(file) + line.encode("ascii") + b"\n")

    def tick(self) -> int:
        """A unique, increasing time in nanoseconds."""
        self.last = max(time.time_ns(), self.last + 1)
        return self.last

    def newest_file(self, kind: str) -> Path:
        return self.folder / f"{kind}.jsonl"

    def budget(self, kind: str) -> int:
        return self.most_bytes // OF_STRANGERS if kind == STRANGERS else self.most_bytes

    def rotate(self, kind: str) -> list[Path]:
        """Start a new file if this one is full.

        Returns:
            The oldest files, if the budget was exceeded: they were removed.
        """
        try:
            full = self.newest_file(kind).stat().st_size >= min(self.file_bytes, self.budget(kind) // FILES)
        except FileNotFoundError:
            return []
        if not full:
            return []
        self.set_aside(kind)
        removed, budget = [], self.budget(kind)
        for path in self.older(kind):
            with suppress(OSError):  # another process has removed it, or it is not ours
                budget -= path.stat().st_size
                if budget < 0:
                    path.unlink()
                    removed.append(path)
        return removed

    def set_aside(self, kind: str) -> None:
        """Rename the newest file to one of the older ones."""
        with suppress(FileNotFoundError):  # another process was first
            self.newest_file(kind).rename(self.folder / f"{kind}-{self.tick()}.jsonl")

    def remove_old(self) -> None:
        """Remove files with only expired entries, once an hour. A file that has been written to for long is set aside
        first, so that its entries can expire.
        """
        moment = time.monotonic()
        if not self.days or (self.checked_at is not None and moment < self.checked_at + PAUSE_S):
            return
        self.checked_at, oldest = moment, self.retention_start()
        part = max(DAY_NS, self.days * DAY_NS // PARTS)
        for kind in KINDS:
            began = first_of(self.newest_file(kind))
            if began is not None and began < time.time_ns() - part:
                self.set_aside(kind)
            for path in self.older(kind):
                if last_entry_ns(path) < oldest:
                    with suppress(OSError):  # another process was first
                        path.unlink()

    def retention_start(self) -> int:
        """The time of the oldest retained entry, in nanoseconds."""
        return time.time_ns() - self.days * DAY_NS if self.days else 0

    def older(self, kind: str) -> list[Path]:
        """The older files of a kind, newest first."""
        return sorted(self.folder.glob(f"{kind}-*.jsonl"), key=last_entry_ns, reverse=True)

    def entries(self, **filters: str) -> Iterator[Entry]:
        """All entries, or those whose fields have these values, newest first."""
        oldest = self.retention_start()
        kinds = (self.of_kind(kind, filters) for kind in KINDS)
        merged = heapq.merge(*kinds, key=lambda entry: int(entry["id"]), reverse=True)
        return (entry for entry in merged if int(entry["id"]) > oldest)

    def of_kind(self, kind: str, filters: dict[str, str]) -> Iterator[Entry]:
        for path in (self.newest_file(kind), *self.older(kind)):
            matches = run_blocking(matching_entries, path, filters)  # parsing a large file takes a tenth of a second
            socketio.sleep(0)
            yield from matches

    def newest(self, limit: int, before: str | None = None, **filters: str) -> tuple[list[Entry], str | None]:
        """A page of entries, newest first, and the id for the next page; None: there are no more.

        Args:
            before: an entry's id: only older entries.
            filters: required values of fields.
        """
        older = (entry for entry in self.entries(**filters) if before is None or int(entry["id"]) < int(before))
        matches = list(islice(older, limit + 1))
        return matches[:limit], matches[limit - 1]["id"] if len(matches) > limit else None


def ending(file: IO[bytes]) -> bytes:
    """The line end that a crash has cut off, so that the next entry starts a new line."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def kind_of(entry: Mapping[str, object]) -> str:
    """The kind of file, and budget, of an entry."""
    if "via" in entry and entry["via"] is None:
        return STRANGERS
    if entry.get("result") == "refused":
        return REFUSED
    return ADMINS if entry.get("role") == Role.ADMIN else COMPLETED


def rotation_entry(path: Path) -> dict[str, object]:
    """The entry about the removal of an old file."""
    return {
        "account_id": None,
        "name": None,
        "role": str(Role.ADMIN),
        "via": SERVER,
        "address": None,
        "action": ROTATED,
        "method": "DELETE",
        "path": path.name,
        "status": 200,
        "result": "done",
        "reason": None,
        "created": {},
    }


def last_entry_ns(path: Path) -> int:
    """The time of the last entry of an older file, in nanoseconds."""
    digits = path.stem.rpartition("-")[2]
    return int(digits) if re.fullmatch(r"[0-9]{1,20}", digits) else 0


def first_of(path: Path) -> int | None:
    """The time of a file's first entry, in nanoseconds; None: it has none."""
    try:
        with open(path, "rb") as file:
            entry = parse_entry(file.readline(LONGEST_LINE).decode("utf-8", "replace"))
    except OSError:
        return None
    return None if entry is None else int(entry["id"])


def matching_entries(path: Path, filters: dict[str, str]) -> list[Entry]:
    """The entries of a file whose fields have these values, newest first. Most lines need not be parsed."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        logger.error("a file of the audit log cannot be read: %s", error)
        return []
    parts = [json.dumps(value) for value in filters.values()]
    likely = (entry for line in reversed(lines) if all(part in line for part in parts) and (entry := parse_entry(line)))
    return [entry for entry in likely if all(entry.get(name) == value for name, value in filters.items())]


def parse_entry(line: str) -> Entry | None:
    """An entry; None: a damaged line."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    valid = isinstance(entry, dict) and is_entry(entry) and not next(faults(entry), None)
    return cast(Entry, entry) if valid else None


def is_entry(document: Mapping[str, object]) -> bool:
    """Whether each field has a value of its type; unknown fields may have any."""
    created = document.get("created", {})
    return (
        re.fullmatch(r"[0-9]{1,20}", str(document.get("id"))) is not None
        and all(isinstance(document.get(name), str | None) for name in TEXTS)
        and all(type(document.get(name)) in {int, type(None)} for name in NUMBERS)
        and isinstance(created, dict)
        and all(type(value) is int for value in created.values())
    )
