"""Files that several test modules need and that take seconds to make: once in a run, in however many processes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.file_lock import FileLock


def shared_folder(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """The folder that `fill` was called with by the first process that needs it; the others wait for that. Nobody
    changes what is in it: tests that do have a copy."""
    own = factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, filled, lock = root / name, root / f"{name}.filled", FileLock(root / f"{name}.lock")
    lock.acquire(wait=True)
    try:
        if not filled.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            fill(folder)
            filled.touch()
    finally:
        lock.release()
    return folder
