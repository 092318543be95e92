"""Offers this program's own source, as it runs here (AGPL-3.0, section 13)."""

import tarfile
import tempfile
from typing import IO

from app.config import ROOT

# Named one by one: nothing that an operator keeps beside the program, such as .env or data, may get in.
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


def source_archive() -> IO[bytes]:
    """A tar file, open at its start; not compressed, since that would hold up other requests."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    with tarfile.open(fileobj=file, mode="w") as tar:
        for part in PARTS:
            if (ROOT / part).exists():
                tar.add(ROOT / part, arcname=f"yolo-training-platform/{part}", filter=ours)
    file.seek(0)
    return file


def ours(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out links, caches and hidden files, and who owns the files here."""
    name = entry.name.rsplit("/", 1)[-1]
    if name.startswith(".") or name in {"__pycache__", "_pending"} or not (entry.isfile() or entry.isdir()):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
