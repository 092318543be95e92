"""What schemas load and send is typed, and the types match the schemas."""

import inspect
import re
from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

from flask import Flask
from marshmallow import Schema, missing

ROOT = Path(__file__).parents[1]

# How many `dict[str, Any]` app/ has. They may get fewer, not more: it is for JSON of others and for what really is
# anything (see "Where does my line go?" in the wiki); what is ours has a TypedDict or a dataclass.
CEILING = 367


def inputs_of(view: Any) -> list[Schema]:
    spec = view._spec
    return [schema for schema, _location in spec.get("args", [])] + ([spec["body"]] if spec.get("body") else [])


def keys_loaded(schema: Schema) -> tuple[set[str], set[str]]:
    """All keys of what a schema loads, and those that are always there."""
    keys = {field.attribute or name: field for name, field in schema.load_fields.items()}
    certain = {key for key, field in keys.items() if field.required or field.load_default is not missing}
    return set(keys), certain


def test_parameters_of_routes_match_their_schemas(app: Flask) -> None:
    wrong, checked = {}, 0
    for name, view in app.view_functions.items():
        if not (hasattr(view, "_spec") and inputs_of(view)):
            continue
        hints = get_type_hints(inspect.unwrap(view))
        types = [hints[name] for name in inspect.signature(view).parameters if is_typeddict(hints[name])]
        loaded = sorted(in_words(*keys_loaded(schema)) for schema in inputs_of(view) if not schema.partial)
        typed = sorted(in_words(set(get_type_hints(item)), set(item.__required_keys__)) for item in types)
        checked += len(loaded)
        if loaded != typed:
            wrong[name] = {"loaded": loaded, "typed": typed}
    assert not wrong
    assert checked > 60


def test_results_of_routes_match_their_schemas(app: Flask) -> None:
    wrong, checked = {}, 0
    for name, view in app.view_functions.items():
        returned = get_type_hints(inspect.unwrap(view)).get("return")
        schema = getattr(view, "_spec", {}).get("response", {}).get("schema")
        if is_typeddict(returned) and isinstance(schema, Schema):
            sent = {field.attribute or key for key, field in schema.dump_fields.items()}
            checked += 1
            if missing_keys := sent - set(get_type_hints(returned)):
                wrong[name] = sorted(missing_keys)
    assert not wrong
    assert checked > 60


def in_words(keys: set[str], certain: set[str]) -> str:
    return f"{sorted(keys)}, always {sorted(certain)}"


def test_dict_of_anything_does_not_spread() -> None:
    counts = {
        str(path.relative_to(ROOT)): count
        for path in sorted((ROOT / "app").rglob("*.py"))
        if (count := len(re.findall(r"dict\[str, Any\]", path.read_text(encoding="utf-8"))))
    }
    assert sum(counts.values()) <= CEILING, f"give it a type instead: {counts}"
