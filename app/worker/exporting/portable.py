"""Removes this machine's paths from exported files."""

import os
import zipfile
from pathlib import Path
from typing import Any

DEBUG = ".debug_pkl"  # of TorchScript: for each operation the lines of source that led to it, with their absolute paths
TIME = (1980, 1, 1, 0, 0, 0)  # torch writes none


def shorten_data(model: Any) -> None:
    """What the exporter says that a model was trained on: weights of older versions have the whole path."""
    arguments = getattr(model, "args", None)
    if isinstance(arguments, dict) and arguments.get("data"):
        arguments["data"] = Path(str(arguments["data"])).name


def without_debug(path: Path) -> None:
    """Write a TorchScript file again, without what only its own stack traces need."""
    draft = path.with_name(f".{path.name}.tmp")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if not name.endswith(DEBUG):
                target.writestr(zipfile.ZipInfo(name, TIME), source.read(name))
    os.replace(draft, path)
