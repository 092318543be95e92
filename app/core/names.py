"""Makes file names valid on every system, and names printable in messages. Pure: no files."""

import hashlib
import re
import unicodedata
from typing import Any

MAX_NAME_BYTES = 200  # file systems take 255; drafts are named longer than what they become
LONGEST_SUFFIX = 5  # .jpeg, .tiff: what a stem leaves free, so that an image and its label are shortened alike

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff]')
LONGEST_PRINTED = 200  # characters
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def printable_name(name: str) -> str:
    """A name for a message: short, and without characters that would break its line."""
    visible = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name[:LONGEST_PRINTED])
    return visible + ("…" if len(name) > LONGEST_PRINTED else "")


def safe_name(name: str) -> str:
    """One part of a path, renamed where a common system could not hold it or would read it as something else."""
    name = unicodedata.normalize("NFC", UNFIT.sub("_", name)).rstrip(". ") or "_"
    if RESERVED.fullmatch(name):
        name = "_" + name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) >= LONGEST_SUFFIX:
        stem, suffix = name, ""
    stem = stem.rstrip(". ") or "_"
    if len(stem.encode()) > MAX_NAME_BYTES - LONGEST_SUFFIX:
        mark = hashlib.sha256(stem.encode()).hexdigest()[:12]
        stem = stem.encode()[: MAX_NAME_BYTES - LONGEST_SUFFIX - 13].decode("utf-8", "ignore") + "-" + mark
    return f"{stem}.{suffix}" if suffix else stem


def defused(cell: Any) -> Any:
    """Text of a table's cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
