"""Tasks, models and parameters of trainings, and how a request chooses them. Nothing is started here."""

from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.models import Dataset, Training
from tests.data import valid_dataset, zip_bytes


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


def dataset_of(app: APIFlask, task: str) -> int:
    number = valid_dataset(app)
    with app.app_context(), writing() as session:
        session.get_one(Dataset, number).task = task
    return number


def create(client: FlaskClient, status: int = 201, **values: Any) -> dict[str, Any]:
    answer = client.post("/api/trainings", json=values)
    assert answer.status_code == status, answer.text
    return answer.json


def row(app: APIFlask, training_id: int) -> Training:
    with app.app_context():
        return db.session.get_one(Training, training_id)


def test_parameters_are_documented(client: FlaskClient) -> None:
    parameters = {item["name"]: item for item in client.get("/api/training-parameters").json["parameters"]}
    assert parameters["mosaic"]["default"] == parameters["mosaic"]["maximum"] == 1
    assert (parameters["lrf"]["type"], parameters["lrf"]["default"], parameters["patience"]["type"]) == (
        "number",
        0.01,
        "integer",
    )
    assert parameters["cache"]["choices"] == [False, "ram"]
    assert parameters["device"]["type"] == "device"
    assert parameters["device"]["default"] == "auto"
    assert parameters["mask_ratio"]["tasks"] == ["segment"]
    assert all(len(item["description"]) > 20 and item["group_title"] for item in parameters.values())
    assert {"project", "resume", "lr0", "epochs"}.isdisjoint(parameters)


def test_architectures(client: FlaskClient) -> None:
    architectures = {item["name"]: item for item in client.get("/api/architectures").json["architectures"]}
    assert architectures["yolo11n-seg"] == {
        "name": "yolo11n-seg",
        "family": "yolo11",
        "size": "n",
        "task": "segment",
        "datasets": ["segment", "obb"],
    }
    assert {"yolov8x-obb", "yolo26n", "rtdetr-l", "yolov5n", "yolov9c", "yolov10b", "yolo12m-cls"} <= set(architectures)
    assert {item["task"] for item in architectures.values()} == {"detect", "segment", "pose", "obb", "classify"}
    assert not [
        name for name in architectures if any(part in name for part in ("world", "yoloe", "-sem", "depth", "resnet18"))
    ]


def test_the_default_follows_the_dataset(client: FlaskClient, idle_app: APIFlask) -> None:
    expected = {
        "detect": (None, "Things YOLOv8s"),
        "segment": ("yolov8s-seg", "Things yolov8s-seg"),
        "classify": ("yolov8s-cls", "Things yolov8s-cls"),
    }
    for task, (architecture, name) in expected.items():
        dataset_id = dataset_of(idle_app, task)
        training = row(idle_app, create(client, dataset_id=dataset_id, model_version="s")["training_id"])
        assert (training.architecture, training.model_version, training.task, training.name) == (
            architecture,
            "s",
            task,
            name,
        )
        assert training.img_size == (224 if task == "classify" else 640)


def test_architecture_of_a_request(client: FlaskClient, idle_app: APIFlask) -> None:
    dataset_id = dataset_of(idle_app, "segment")
    cases = {
        "yolo11m-seg": ("m", "segment"),
        "yolov8n-obb": ("n", "obb"),
        "rtdetr-l": ("l", "detect"),
        "yolov9c-seg": ("c", "segment"),
    }
    for name, (size, task) in cases.items():
        training = row(idle_app, create(client, dataset_id=dataset_id, architecture=name)["training_id"])
        assert (training.architecture, training.model_version, training.task, training.start) == (
            name,
            size,
            task,
            {"kind": "auto"},
        )
    training = row(idle_app, create(client, dataset_id=dataset_id, architecture="yolov5nu")["training_id"])
    assert training.architecture == "yolov5n"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("detect", {"architecture": "yolo99n"}, "architecture"),
    ("detect", {"architecture": "../../x.yaml"}, "architecture"),
    ("detect", {"architecture": "yolov8n-world"}, "architecture"),
    ("detect", {"architecture": "yolo11n-seg"}, "architecture"),
    ("classify", {"architecture": "yolo11n"}, "architecture"),
    ("segment", {"architecture": "yolov8n-pose"}, "architecture"),
    ("detect", {"architecture": "yolo11n", "model_version": "s"}, "model_version"),
    ("detect", {"architecture": "yolo11n", "params": {"dropout": 0.1}}, "params.dropout"),
    ("detect", {"architecture": "yolo12n", "params": {"freeze": 22}}, "params.freeze"),
    ("detect", {"params": {"freeze": 23}}, "params.freeze"),
    ("detect", {"start": "best"}, "start"),
    ("detect", {"start": {"training_id": 77, "checkpoint": "best"}}, "start"),
    ("detect", {"start": {"training_id": 1, "checkpoint": "../x"}}, "start"),
    ("detect", {"start": {"training_id": True}}, "start"),
    ("detect", {"start": {"training_id": 1, "checkpoint": []}}, "start"),
    ("detect", {"start": {"path": "/etc/passwd"}}, "start"),
    ("detect", {"priority": 101}, "priority"),
    ("detect", {"start_not_before": "tonight"}, "start_not_before"),
]


def test_refusals(client: FlaskClient, idle_app: APIFlask) -> None:
    datasets = {task: dataset_of(idle_app, task) for task in ("detect", "classify", "segment")}
    for task, values, field in REFUSED:
        answer = create(client, 422, dataset_id=datasets[task], **values)
        assert [item["field"] for item in answer["errors"]] == [field], values
    assert client.get("/api/trainings").json["total"] == 0


def test_a_mismatch_error_lists_what_fits(client: FlaskClient, idle_app: APIFlask) -> None:
    answer = create(client, 422, dataset_id=dataset_of(idle_app, "pose"), architecture="yolo11n-seg")
    assert "yolo11n-pose" in answer["detail"]
    assert "yolo26n" in answer["detail"]


def test_start_from_an_earlier_training(client: FlaskClient, idle_app: APIFlask) -> None:
    dataset_id = dataset_of(idle_app, "detect")
    first = create(client, dataset_id=dataset_id, architecture="yolo11s")["training_id"]
    start = {"training_id": first, "checkpoint": 3}
    create(client, 422, dataset_id=dataset_id, start=start)  # no such file
    path = Path(idle_app.config["MODELS_DIR"]) / str(first) / "checkpoints" / "epoch-3.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(zip_bytes({"epoch-3/data.pkl": b"weights"}))
    training = row(idle_app, create(client, dataset_id=dataset_id, start=start)["training_id"])
    assert (training.architecture, training.model_version) == ("yolo11s", "s")
    assert training.start == {"kind": "training"} | start
    create(client, 422, dataset_id=dataset_id, start=start, architecture="yolo11n")
    create(client, 422, dataset_id=dataset_id, start=start, model_version="s")


def test_queue_fields_are_stored(client: FlaskClient, idle_app: APIFlask) -> None:
    values = {"start": "scratch", "priority": -7, "start_not_before": "2031-01-31T22:00:00-03:00"}
    training = row(idle_app, create(client, dataset_id=dataset_of(idle_app, "detect"), **values)["training_id"])
    assert (training.start, training.priority) == ({"kind": "scratch"}, -7)
    assert training.start_not_before is not None
    assert training.start_not_before.isoformat() == "2031-02-01T01:00:00+00:00"
