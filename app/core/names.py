"""Makes file names valid on every system, and names printable in messages. Pure: no file access."""

import hashlib
import re
import unicodedata
from typing import Any

MAX_NAME_BYTES = 200  # file systems accept 255; the rest is for longer names of drafts
LONGEST_SUFFIX = 5  # .jpeg, .tiff: reserved in a stem, so that an image and its label are shortened alike

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff]')
LONGEST_PRINTED = 200  # characters
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # prefixes that a spreadsheet evaluates


def printable_name(name: str) -> str:
    """A name for a message: short, and without control characters that would break its line."""
    visible = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name[:LONGEST_PRINTED])
    return visible + ("…" if len(name) > LONGEST_PRINTED else "")


def safe_name(name: str) -> str:
    """One component of a path, renamed if a common system could not store it or would interpret it."""
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
    """The text of a table cell that no spreadsheet evaluates as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
