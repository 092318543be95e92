"""Draws the sample dataset as the server does, in a child process."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from app.config import ROOT


def start_drawing(folder: Path, **spec: Any) -> tuple["subprocess.Popen[bytes]", Path]:
    """The process, and the path of the ZIP that it creates; `spec`: of app/worker/programs/sample.py."""
    folder.mkdir(parents=True)
    output = folder / "sample.zip"
    (folder / "spec.json").write_text(json.dumps({"program": "sample", "output": str(output)} | spec))
    return subprocess.Popen([sys.executable, "-m", "app.worker.run", str(folder)], cwd=ROOT), output


def draw(folder: Path, **spec: Any) -> Path:
    """Draw the dataset; returns the path of the ZIP.

    Raises:
        RuntimeError: it could not be drawn; the message includes the process's output.
    """
    process, output = start_drawing(folder, **spec)
    if process.wait() != 0:
        raise RuntimeError(f"The sample could not be drawn: {(folder / 'events.jsonl').read_text()}")
    return output


def first_validation_image(archive: zipfile.ZipFile) -> str:
    """The name of a validation image in the sample's ZIP."""
    return min(name for name in archive.namelist() if name.startswith("images/val/"))
