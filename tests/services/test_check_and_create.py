"""POST /api/trainings accepts what POST /api/trainings/check accepts, and refuses what it refuses."""

import json
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.database import writing
from app.models import Dataset
from app.services.trainer.params import PARAMETERS
from tests.data import valid_dataset

# JSON values as text: valid JSON, and values that only Python's parser accepts
ODD = ["NaN", "Infinity", "-Infinity", "1e400", "9" * 4000, str(2**63), '"a\\ud800"', '"\\u0000"', "null", "[]", "{}"]
NUMBERS = ["0", "1", "-1", "5", "32", "64", "640", "0.01", "0.5", "1.5", "1e9", "true", '"5"']
MODELS = [
    "yolov8n",
    "yolov8s",
    "yolo11n",
    "yolov8n-seg",
    "yolov8n-cls",
    "yolov5nu",
    "../../x.pt",
    "/etc/passwd",
    "https://example.org/x.pt",
    "yolov8n.yaml",
    "",
    "n",
    "x" * 41,
    "a\n",
]
STARTS = [
    '"auto"',
    '"scratch"',
    '"official"',
    '"../x.pt"',
    '{"training_id": 1}',
    '{"training_id": 99}',
    "{}",
    '{"training_id": 1e400}',
    '{"training_id": 1, "checkpoint": "x"}',
    '{"training_id": true}',
]
VALUES = ["auto", "cpu", "0", "0,1", "7", "SGD", "AdamW", "ram", "0;id", "x"]

odd = st.sampled_from(ODD + NUMBERS)
texts = st.sampled_from([json.dumps(text) for text in (*VALUES, *MODELS)])
params = st.dictionaries(
    st.sampled_from([*PARAMETERS, "project", "model", "a\\ud800"]), st.one_of(odd, texts), max_size=3
).map(lambda values: "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}")
requests = st.fixed_dictionaries(
    {"dataset_id": st.sampled_from(["1", "1", "1", "1", "2", "99", "1e400"])},
    optional={
        "name": st.one_of(odd, st.sampled_from(['"Run"', '"a\\n"', '"  "'])),
        "model_version": st.sampled_from(['"n"', '"x"', '"q"', "5", "null"]),
        "architecture": st.one_of(st.sampled_from([json.dumps(name) for name in MODELS]), odd),
        "start": st.one_of(st.sampled_from(STARTS), odd),
        "params": st.one_of(params, odd),
        "start_not_before": st.one_of(odd, st.sampled_from(['"2030-01-01T00:00:00Z"', '"9999-01-01"', '"x"'])),
        **dict.fromkeys(("epochs", "batch_size", "img_size", "learning_rate", "priority"), odd),
        "no_such_field": odd,
    },
)


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    """With a dataset that can be trained on, and one that cannot."""
    assert valid_dataset(idle_app) == 1
    with idle_app.app_context(), writing() as session:
        session.add(Dataset(name="Bad", status="invalid"))
    return idle_app.test_client()


def answers(client: FlaskClient, fields: dict[str, str]) -> list[tuple[int, Any]]:
    """Status and named fields of both responses."""
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    results = []
    for path in ("/api/trainings/check", "/api/trainings"):
        answer = client.post(path, data=body, content_type="application/json")
        results.append((answer.status_code, sorted(item["field"] for item in answer.json.get("errors", ()))))
    return results


@given(fields=requests)
@example(fields={"dataset_id": "1", "architecture": '"../../x.pt"'})
@example(fields={"dataset_id": "1", "learning_rate": "NaN"})
@example(fields={"dataset_id": "1", "learning_rate": "1e400", "epochs": "9" * 4000})
@example(fields={"dataset_id": "1", "params": '{"lrf": NaN, "device": "0;id"}'})
@example(fields={"dataset_id": "1", "architecture": '"yolo11n"', "params": '{"freeze": 1000}'})
@example(fields={"dataset_id": "1", "epochs": "1", "learning_rate": "0.01"})
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_they_agree(client: FlaskClient, fields: dict[str, str]) -> None:
    (check, named), (create, refused) = answers(client, fields)
    assert (check < 400) == (create < 400), (check, create)
    assert check in {200, 404, 409, 422}
    if check != 404:  # the dataset, which creating names as a field
        assert named == refused
