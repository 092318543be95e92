"""Serves this program's source code, as it runs here (AGPL-3.0, section 13)."""

import os
import tempfile
import threading
from typing import IO, TYPE_CHECKING

from app.config import ROOT

if TYPE_CHECKING:
    import tarfile

# An explicit list: files that an operator stores beside the program, such as .env or data, must not be included.
PARTS = (
    "app",
    "babel.cfg",
    "deploy",
    "Dockerfile",
    "gunicorn.conf.py",
    "LICENSE",
    "Makefile",
    "package.json",
    "package-lock.json",
    "pyproject.toml",
    "README.md",
    "requirements.txt",
    "requirements.lock",
    "requirements-dev.txt",
    "requirements-dev.lock",
    "run.py",
    "scripts",
    "tests",
    "wiki",
)


_lock = threading.Lock()
_archives: dict[int, IO[bytes]] = {}  # by process id


def source_archive() -> IO[bytes]:
    """A tar file, open at its start; created once per process."""
    with _lock:
        file = _archives.get(os.getpid())
        if file is None:
            file = _archives[os.getpid()] = create_archive()
    return open(f"/dev/fd/{file.fileno()}", "rb")


def create_archive() -> IO[bytes]:
    """Uncompressed, since compression would block other requests."""
    import tarfile  # few installations are asked for it

    file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this process)
    with tarfile.open(fileobj=file, mode="w") as tar:
        for part in PARTS:
            if (ROOT / part).exists():
                tar.add(ROOT / part, arcname=f"yolo-training-platform/{part}", filter=ours)
    file.flush()
    return file


def ours(entry: "tarfile.TarInfo") -> "tarfile.TarInfo | None":
    """Exclude links, caches and hidden files, and remove the owners."""
    name = entry.name.rsplit("/", 1)[-1]
    if name.startswith(".") or name in {"__pycache__", "_pending"} or not (entry.isfile() or entry.isdir()):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
