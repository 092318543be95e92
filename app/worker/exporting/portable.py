"""Removes this machine's paths from exported files."""

import os
import zipfile
from pathlib import Path
from typing import Any

DEBUG = ".debug_pkl"  # of TorchScript: the source lines of each operation, with absolute paths
TIME = (1980, 1, 1, 0, 0, 0)  # torch writes no time


def shorten_data(model: Any) -> None:
    """Shorten the path of the training data in the exporter's metadata: weights of older versions have the
    full path.
    """
    arguments = getattr(model, "args", None)
    if isinstance(arguments, dict) and arguments.get("data"):
        arguments["data"] = Path(str(arguments["data"])).name


def without_debug(path: Path) -> None:
    """Rewrite a TorchScript file without its debug information, which only stack traces use."""
    draft = path.with_name(f".{path.name}.tmp")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if not name.endswith(DEBUG):
                target.writestr(zipfile.ZipInfo(name, TIME), source.read(name))
    os.replace(draft, path)
