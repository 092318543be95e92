"""File names from archives, made into names that every system can hold. Pure: no files."""

import hashlib
import re
import unicodedata

from flask_babel import gettext as _

from app.errors import Unprocessable

MAX_DEPTH = 10
DEEPEST = 100  # folders: nobody's home path is longer
MAX_NAME_BYTES = 200
LONGEST_SUFFIX = 5  # .jpeg, .tiff: what a stem leaves free, so that an image and its label are shortened alike

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff]')


def shown(name: str) -> str:
    """A name for a message: short, and without characters that would break its line."""
    visible = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name[:200])
    return visible + ("…" if len(name) > 200 else "")


def safe_parts(name: str) -> tuple[str, ...]:
    """The parts of an archive member's name, each fit to be a file name.

    Backslashes separate, as old Windows tools write them. An image and its label keep equal stems.

    Raises:
        Unprocessable: the name leads out of its folder, is absolute, or is nested too deeply.
    """
    path = name.replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path) or "\0" in path or ".." in (part.strip() for part in parts):
        raise Unprocessable(_("The ZIP has an unsafe path: %(name)s. Create it again from a regular folder.",
                              name=shown(name)))  # fmt: skip
    kept = tuple(part for part in parts if part not in {"", "."})
    if len(kept) > DEEPEST:
        raise Unprocessable(_("%(name)s is in a folder nested too deeply (limit: %(limit)s).", name=shown(name),
                              limit=DEEPEST))  # fmt: skip
    return tuple(safe_name(part) for part in kept)


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
