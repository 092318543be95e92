"""The OpenAPI page: valid, complete, and served from the product's files."""

import io
import re
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app.schemas import ReportOut
from tests.data import yolo_zip

SPECIFIED = {
    ("get", "/api/datasets"),
    ("post", "/api/datasets"),
    ("get", "/api/datasets/{}"),
    ("delete", "/api/datasets/{}"),
    ("get", "/api/trainings"),
    ("post", "/api/trainings"),
    ("get", "/api/trainings/{}"),
    ("get", "/api/trainings/{}/metrics"),
    ("get", "/api/trainings/{}/csv-data"),
    ("post", "/api/trainings/{}/stop"),
    ("get", "/api/trainings/{}/download"),
    ("post", "/api/tests"),
    ("get", "/api/tests/{}/image"),
}
OURS = {
    ("get", "/api/export-formats"),
    ("post", "/api/models/{}/predict"),
    ("post", "/api/trainings/{}/exports"),
    ("get", "/api/trainings/{}/exports"),
    ("get", "/api/exports/{}"),
    ("get", "/api/exports/{}/download"),
    ("post", "/api/predictions"),
    ("get", "/api/predictions"),
    ("get", "/api/predictions/{}"),
    ("delete", "/api/predictions/{}"),
    ("get", "/api/predictions/{}/files/{}"),
    ("post", "/api/datasets/sample"),
    ("get", "/api/datasets/{}/findings"),
    ("get", "/api/datasets/import"),
    ("post", "/api/datasets/import"),
    ("get", "/api/datasets/{}/revisions"),
    ("post", "/api/datasets/{}/revisions"),
    ("post", "/api/datasets/{}/revisions/{}/use"),
    ("get", "/api/datasets/{}/original"),
    ("get", "/api/datasets/{}/export"),
    ("get", "/api/trainings/{}/log"),
    *(("post", f"/api/trainings/{{}}/{name}") for name in ("pause", "resume", "retry", "extend", "clone", "restore")),
    ("patch", "/api/trainings/{}"),
    ("delete", "/api/trainings/{}"),
    ("get", "/api/trainings/queue"),
    ("put", "/api/trainings/queue"),
    ("get", "/api/trainings/{}/checkpoints"),
    ("get", "/api/trainings/{}/checkpoints/{}/download"),
    *(("get", f"/api/trainings/{{}}/{name}") for name in ("previews", "previews/{}", "previews/images/{}")),
    *(("get", f"/api/trainings/{{}}/{name}") for name in ("evaluation", "evaluation/images/{}", "files", "files/{}")),
    ("post", "/api/trainings/estimate"),
    ("post", "/api/trainings/{}/evaluations"),
    ("get", "/api/trainings/{}/evaluations"),
    ("get", "/api/evaluations/{}"),
    ("delete", "/api/evaluations/{}"),
    *(
        ("get", f"/api/evaluations/{{}}/{name}")
        for name in ("matrix", "images", "label-errors", "compare", "curves", "thresholds")
    ),
    ("put", "/api/trainings/{}/thresholds"),
    ("get", "/api/trainings/{}/bundle"),
    ("post", "/api/trainings/{}/run-again"),
    ("get", "/api/tests"),
    ("get", "/api/tests/{}"),
    ("delete", "/api/tests/{}"),
    ("get", "/api/tests/models"),
    ("post", "/api/tests/frames"),
    ("get", "/api/system"),
    ("post", "/api/uploads"),
    *((method, "/api/uploads/{}") for method in ("get", "patch", "delete")),
}


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    return client.get("/api/openapi.json").get_json()


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, re.sub(r"\{[^}]*\}", "{}", path)): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }


def test_it_is_valid_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    validate(description, cls=OpenAPIV31SpecValidator)


def test_every_endpoint_is_there_and_no_page(description: dict[str, Any]) -> None:
    described = operations(description)
    assert set(described) >= SPECIFIED | OURS
    assert [path for _, path in described if not path.startswith("/api/")] == []


def test_each_operation_has_a_summary_and_responses(description: dict[str, Any]) -> None:
    for key, operation in operations(description).items():
        assert operation.get("summary"), key
        assert any(code.startswith("2") for code in operation["responses"]), key


def fields(description: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The names in the body of a request."""
    (content,) = operation["requestBody"]["content"].values()
    schema = content["schema"]
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


def test_the_bodies_have_the_specified_fields(description: dict[str, Any]) -> None:
    described = operations(description)
    options = {"task", "root", "merge", "names", "rename", "split", "format", "reading"}
    assert (
        fields(description, described["post", "/api/datasets"]) == {"file", "name", "description", "classes"} | options
    )
    assert fields(description, described["post", "/api/tests"]) == {"file", "training_id", "confidence", "iou"} | {
        "files"
    }
    training = {"name", "dataset_id", "model_version", "epochs", "batch_size", "img_size", "learning_rate"}
    assert fields(description, described["post", "/api/trainings"]) >= training
    assert set(described["post", "/api/datasets"]["requestBody"]["content"]) == {"multipart/form-data"}


def test_its_page_loads_nothing_from_other_hosts(client: FlaskClient) -> None:
    page = client.get("/api/docs").get_data(as_text=True)
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert addresses
    assert [address for address in addresses if "//" in address] == []


def test_required_bodies_and_types_are_described(description: dict[str, Any]) -> None:
    paths, schemas = description["paths"], description["components"]["schemas"]
    report = paths["/api/datasets/{dataset_id}/report.json"]["get"]["responses"]["200"]["content"]
    assert report == {"application/json": {"schema": {"$ref": "#/components/schemas/ReportOut"}}}
    assert set(schemas["ReportOut"]["properties"]) >= {"dataset_id", "findings", "counts", "summary"}
    assert paths["/api/datasets"]["post"]["requestBody"]["required"] is True
    for method, template in operations(description):
        path = next(path for path in paths if re.sub(r"\{[^}]*\}", "{}", path) == template)
        for parameter in paths[path][method].get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"].endswith("_id") and "upload" not in path:
                assert parameter["schema"] == {"type": "integer", "minimum": 1}
            assert "nullable" not in parameter["schema"], "not a word of OpenAPI 3.1"
    assert {"yolov8n", "yolo11n-seg"} <= set(schemas["TrainingIn"]["properties"]["architecture"]["enum"])


def test_the_report_is_as_described(client: FlaskClient, app: Any) -> None:
    form = {"name": "A", "file": (io.BytesIO(yolo_zip()), "a.zip")}
    dataset_id = client.post("/api/datasets", data=form).get_json()["dataset_id"]
    until = time.monotonic() + 180
    while client.get(f"/api/datasets/{dataset_id}").get_json()["status"] != "valid":
        assert time.monotonic() < until
        time.sleep(0.05)
    report = client.get(f"/api/datasets/{dataset_id}/report.json").get_json()
    assert ReportOut().dump(report) == report
