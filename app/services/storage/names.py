"""Parses class names that people type, and reads and writes the platform's YAML files."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from flask_babel import gettext as _

from app.core.json_object import JsonObject
from app.core.names import printable_name
from app.errors import Unprocessable

MAX_NAME = 200  # characters


def names_from_form(text: str, max_classes: int) -> list[str] | None:
    """Comma separated names; None for an empty field."""
    return check_names([name.strip() for name in text.split(",")], max_classes, "classes") if text.strip() else None


def check_names(names: list[str], max_classes: int, source: str) -> list[str]:
    """The names, stripped.

    Raises:
        Unprocessable: too many, none, or an invalid one: empty, too long, or like a path.
    """
    if not names:
        raise Unprocessable(_("At least one class name is needed (%(source)s).", source=source))
    if len(names) > max_classes:
        raise Unprocessable(
            _("The dataset has more classes than the limit of %(limit)s (MAX_CLASSES).", limit=max_classes)
        )
    names = [name.strip() for name in names]
    for number, name in enumerate(names):
        if not name:
            raise Unprocessable(_("Class %(number)s has an empty name (%(source)s).", number=number, source=source))
        if len(name) > MAX_NAME or is_path(name) or any(unicodedata.category(char) in {"Cc", "Cs"} for char in name):
            raise Unprocessable(
                _("“%(name)s” isn't a valid class name (%(source)s).", name=printable_name(name), source=source)
            )
    return names


def is_path(name: str) -> bool:
    """Whether a class name would escape a folder. Names become file names in exports: "car/truck" is fine there once
    escaped.
    """
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or (len(parts) > 1 and parts[0] == "") or name in {".", ".."}


def write_yaml(document: Mapping[str, object]) -> str:
    """A YAML document for a file of the platform."""
    import yaml  # not at import: the server needs it only on request

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, allow_unicode=True, sort_keys=False))


def read_yaml(path: Path) -> JsonObject | None:
    """A YAML file of the platform or of ultralytics; None if missing or unreadable."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 (the safe one)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return document if isinstance(document, dict) else None
