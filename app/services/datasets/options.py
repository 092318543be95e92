"""Validates and normalizes the options of a dataset: the recipe of a version."""

from collections.abc import Mapping
from typing import cast

from app.core.imports import ImportOptions
from app.core.readings import together
from app.schemas.dataset_options import ChoicesInValues
from app.services.storage.names import check_names, names_from_form

DEFAULTS: ImportOptions = {
    "root": None,
    "merge": False,
    "classes": "",
    "names": None,
    "rename": None,
    "split": None,
    "task": "auto",
    "format": None,
    "reading": None,
}


def recipe(choices: Mapping[str, object], max_classes: int) -> ImportOptions:
    """All options, with defaults; the given ones are validated.

    Raises:
        Unprocessable: a class name is invalid.
    """
    chosen = {name: choices[name] for name in DEFAULTS if choices.get(name) is not None}
    values = cast(ImportOptions, {**DEFAULTS, **chosen})
    names_from_form(values["classes"], max_classes)
    if names := values["names"]:
        values["names"] = check_names(names, max_classes, "names")
    if rename := values["rename"]:
        new = check_names(list(rename.values()), max_classes, "rename")
        values["rename"] = dict(zip(rename, new, strict=True))
    if reading := values["reading"]:
        values["reading"] = together(None, reading)
    if root := values["root"]:
        values["root"] = root.strip("/")
    return values


def apply_changes(
    base: ImportOptions, changes: ChoicesInValues, source_names: list[str] | None, max_classes: int
) -> ImportOptions:
    """The options of the next version: omitted ones are unchanged, null resets one, renamings and readings accumulate.

    Args:
        source_names: the classes before the base's renaming; None: unknown.
    """
    changed = {name: value for name, value in changes.items() if name in DEFAULTS}
    values: dict[str, object] = {**DEFAULTS, **base, **changed}
    if "names" in changes and "rename" not in changes:
        values["rename"] = None  # the renaming was about other names
    elif "names" not in changes and (before := base.get("rename")) and (renamed := changes.get("rename")):
        both = compose_renames(before, renamed)
        values["rename"] = {old: new for old, new in both.items() if source_names is None or old in source_names}
    if reading := changes.get("reading"):
        values["reading"] = together(base.get("reading"), reading)
    return recipe(values, max_classes)


def compose_renames(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """The composition of two renamings."""
    both = {old: second.get(new, new) for old, new in first.items()}
    hidden = set(first)  # original names that the first renaming has replaced
    return both | {old: new for old, new in second.items() if old not in hidden}
