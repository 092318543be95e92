"""Tails the application's log, by level and by text."""

import logging
import re
from pathlib import Path

from app.schemas.system import LogEntryOutValues, LogTailOutValues

READ = 512 * 1024  # bytes from the end of the file
MOST = 8000  # characters per entry: a traceback of some hundred lines
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ENTRY = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) \[(\w+)\] ([\w.]+): (.*)$")  # logs.FORMAT


def tail(path: Path, level: str, search: str, most: int) -> LogTailOutValues:
    """The newest entries of at least this level that contain the text, oldest first; an entry includes its continuation
    lines.

    Returns:
        entries: time (as the log has it, in the server's zone), level, logger and message; complete: whether the whole
        file was read.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ))
            text = file.read(READ).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return {"entries": [], "complete": True}
    least = logging.getLevelName(level)
    entries = [
        entry
        for entry in parse_entries(text)
        if logging.getLevelNamesMapping().get(entry["level"], 0) >= least
        and search.lower() in f"{entry['logger']} {entry['message']}".lower()
    ]
    return {"entries": entries[-most:], "complete": size <= READ}


def parse_entries(text: str) -> list[LogEntryOutValues]:
    """The entries; lines before the first one belong to an entry outside the text."""
    entries: list[LogEntryOutValues] = []
    for line in text.removesuffix("\n").split("\n"):  # not splitlines(): other separators are escaped, see app/logs.py
        match = ENTRY.match(line)
        if match:
            time, level, logger, message = match.groups()
            entries.append({"time": time, "level": level, "logger": logger, "message": message[:MOST]})
        elif entries and len(entries[-1]["message"]) < MOST:
            entries[-1]["message"] += "\n" + line
    return entries
