"""Makes file names from archives valid on every system. Pure: no file access."""

import re

from app.core.names import printable_name, safe_name
from app.worker.failures import InvalidInput

MAX_DEPTH = 10
DEEPEST = 100  # folders: no home path is longer


def safe_parts(name: str) -> tuple[str, ...]:
    """The parts of an archive member's name, each valid as a file name.

    Backslashes are separators, as in old Windows tools. An image and its label keep equal stems.

    Raises:
        InvalidInput: the name leads out of its folder, is absolute, or is nested too deeply.
    """
    path = name.replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path) or "\0" in path or ".." in (part.strip() for part in parts):
        raise InvalidInput("path_unsafe", name=printable_name(name))
    names = tuple(part for part in parts if part not in {"", "."})
    if len(names) > DEEPEST:
        raise InvalidInput("path_deep", name=printable_name(name), limit=str(DEEPEST))
    return tuple(safe_name(part) for part in names)
