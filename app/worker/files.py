"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sync_file(path: Path) -> None:
    """Have what was written to it on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_and_replace(draft: Path, path: Path) -> None:
    """Put a finished draft in the place of `path`; a crash leaves the one or the other."""
    sync_file(draft)
    os.replace(draft, path)


def put(path: Path, write: Callable[[Path], Any]) -> None:
    """Have `write(draft)` make the file, then put it in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    try:
        write(draft)
        sync_and_replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
