"""Reads files of the installed ultralytics without importing it, which would load torch into the web process."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from app.core.json_object import JsonObject
from app.core.train import UltralyticsArguments


@cache
def folder() -> Path | None:
    """`ultralytics/cfg`; None if only the web part is installed."""
    spec = find_spec("ultralytics")
    return Path(spec.origin).parent / "cfg" if spec and spec.origin else None


@cache
def defaults() -> UltralyticsArguments:
    """default.yaml: a value for each argument; empty if ultralytics is not installed."""
    package = folder()
    return {} if package is None else read(package / "default.yaml")


def read(path: Path) -> JsonObject:
    """One YAML file, in about 1 ms by the C parser."""
    import yaml  # not at import: parsed on request

    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
