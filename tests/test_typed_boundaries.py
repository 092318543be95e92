"""The data that schemas load and send is typed, and the types match the schemas."""

import inspect
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest
from flask import Flask
from marshmallow import Schema, fields, missing

from app.schemas.datasets import DatasetOut
from app.schemas.evaluations import EvaluationDetail
from app.schemas.exports import ExportFormatOut, ModelExportOut
from app.schemas.jobs import JobOut
from app.schemas.prediction_runs import PredictionRunOut
from app.schemas.predictions import PredictionOut
from app.schemas.revisions import RevisionOut
from app.schemas.tests import TestCreated as CreatedTest
from app.schemas.training_actions import Extended, TrainingDeleted
from app.schemas.trainings import TrainingOut
from scripts.client.yolo_client import answers

ROOT = Path(__file__).parents[1]

# The number of these types. They may become fewer, not more: our own data has a TypedDict or a dataclass (see "Where
# does my line go?" in the wiki). A type without information about its values is for arbitrary data: `dict[str, Any]`
# and `Mapping[str, Any]` for the params of any kind of job in its row, rows of the index, keyword arguments that are
# passed on, the OpenAPI description, and what torch and ultralytics return; `UltralyticsArguments` for what changes
# with the versions of ultralytics; `JsonObject` for foreign JSON, whose values mypy does not allow to be used
# unchecked; `dict[str, object]` for data that is only passed on, to a table or as JSON.
CEILINGS = {
    "app": {
        "dict[str, Any]": 13,
        "Mapping[str, Any]": 5,
        "UltralyticsArguments": 23,
        "JsonObject": 116,
        "dict[str, object]": 50,
    },
    "scripts": {
        "dict[str, Any]": 8,
        "Mapping[str, Any]": 0,
        "UltralyticsArguments": 5,
        "JsonObject": 0,
        "dict[str, object]": 14,
    },
}


def inputs_of(view: Any) -> list[Schema]:
    spec = view._spec
    return [schema for schema, _location in spec.get("args", [])] + ([spec["body"]] if spec.get("body") else [])


def keys_loaded(schema: Schema) -> tuple[set[str], set[str]]:
    """All keys that a schema loads, and those that are always present."""
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


@pytest.mark.parametrize(
    ("answer", "schema"),
    [
        (answers.Acted, Extended),
        (answers.Dataset, DatasetOut),
        (answers.Deleted, TrainingDeleted),
        (answers.Evaluation, EvaluationDetail),
        (answers.ExportFormat, ExportFormatOut),
        (answers.Job, JobOut),
        (answers.ModelExport, ModelExportOut),
        (answers.Prediction, PredictionOut),
        (answers.PredictionRun, PredictionRunOut),
        (answers.Revision, RevisionOut),
        (answers.Test, CreatedTest),
        (answers.Training, TrainingOut),
    ],
)
def test_the_clients_types_have_the_fields_that_the_server_sends(answer: type, schema: type[Schema]) -> None:
    compare_fields(answer, schema())


def compare_fields(answer: type, schema: Schema) -> None:
    """For a response, and the objects in it."""
    hints = get_type_hints(answer)
    sent = {field.data_key or name: field for name, field in schema.dump_fields.items()}
    assert set(hints) == set(sent), answer
    for name, field in sent.items():
        inner = field.inner if isinstance(field, fields.List) else field
        types = [item for item in (hints[name], *parts_of(hints[name])) if is_typeddict(item)]
        if isinstance(inner, fields.Nested) and types:
            compare_fields(types[0], inner.schema)


def parts_of(hint: Any) -> list[Any]:
    """The components of a type: of `list[X] | None` also X."""
    return [part for item in get_args(hint) for part in (item, *parts_of(item))]


def in_words(keys: set[str], certain: set[str]) -> str:
    return f"{sorted(keys)}, always {sorted(certain)}"


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in CEILINGS for name in CEILINGS[folder]])
def test_types_that_say_nothing_do_not_spread(folder: str, name: str) -> None:
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    counts = {
        str(path.relative_to(ROOT)): count
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (count := sum(len(pattern.findall(line)) for line in lines_of_code(path)))
    }
    assert sum(counts.values()) <= CEILINGS[folder][name], f"give it a type instead: {counts}"


def lines_of_code(path: Path) -> list[str]:
    """Without the imports, since an imported type is used below."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not re.match(r"\s*(from|import) ", line)]
