"""New trainings with the request of another one."""

from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.data import valid_dataset, zip_bytes
from tests.routes.test_training_actions import act, add, assert_refused, folder_of


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def dataset_id(idle_app: APIFlask) -> int:
    return valid_dataset(idle_app)


def test_clones(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    source = add(idle_app, dataset_id, "completed", checkpoint=3, name="Cars")
    first = client.post(f"/api/trainings/{source}/clone").json
    second = client.post(
        f"/api/trainings/{source}/clone", json={"epochs": 7, "params": {"lrf": None, "mosaic": 0.5}}
    ).json
    third = client.post(f"/api/trainings/{second['training_id']}/clone", json={"model_version": "s"}).json
    one, two, three = (client.get(f"/api/trainings/{item['training_id']}").json for item in (first, second, third))
    assert [item["name"] for item in (one, two, three)] == ["Cars (2)", "Cars (3)", "Cars (4)"]
    assert [item["cloned_from"] for item in (one, two, three)] == [source, source, two["id"]]
    assert (one["epochs"], one["batch_size"], one["img_size"], one["learning_rate"]) == (3, 4, 64, 0.002)
    assert one["params"] == {"optimizer": "AdamW", "lrf": 0.1}
    assert (two["epochs"], two["params"]) == (7, {"optimizer": "AdamW", "mosaic": 0.5})
    assert (three["model_version"], three["epochs"], three["status"]) == ("s", 7, "pending")

    auto = client.post(f"/api/trainings/{source}/clone", json={"params": {"optimizer": "auto"}}).json["training_id"]
    assert client.get(f"/api/trainings/{auto}").json["params"]["optimizer"] == "auto"


def test_clones_of_other_models(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    body = {"dataset_id": dataset_id, "architecture": "yolo11n", "start": "scratch", "priority": 7, "epochs": 2}
    source = client.post("/api/trainings", json=body).json["training_id"]
    same = ("architecture", "model_version", "start", "priority", "epochs", "task", "params", "learning_rate")
    one = client.get(f"/api/trainings/{source}").json
    two = client.get(f"/api/trainings/{act(client, source, 'clone').json['training_id']}").json
    assert {key: two[key] for key in same} == {key: one[key] for key in same}
    assert two["start"] == {"kind": "scratch"}

    weights = folder_of(idle_app, source) / "run" / "weights"
    weights.mkdir(parents=True)
    (weights / "best.pt").write_bytes(zip_bytes({"archive/data.pkl": b"x"}))
    start = {"training_id": source, "checkpoint": "best"}
    three = act(client, source, "clone", json={"start": start}).json["training_id"]
    four = act(client, three, "clone").json["training_id"]
    assert client.get(f"/api/trainings/{four}").json["start"] == {"kind": "training"} | start
    five = act(client, source, "clone", json={"model_version": "s"}).json["training_id"]
    assert client.get(f"/api/trainings/{five}").json["architecture"] != "yolo11n"


BAD_CLONES: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 0}, "epochs"),
    ({"params": {"device": "0;id"}}, "params.device"),
    ({"params": {"project": "/etc"}}, "params.project"),
    ({"dataset_id": 99}, "dataset_id"),
    ({"status": "completed"}, "status"),
]


def test_bad_clones(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, "completed")
    for body, field in BAD_CLONES:
        problem = assert_refused(client.post(f"/api/trainings/{training_id}/clone", json=body), 422)
        assert problem["errors"][0]["field"] == field
    assert client.get("/api/trainings").json["total"] == 1
