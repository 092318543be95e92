"""Trainings side by side, small curves and filters of the list."""

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.models import Checkpoint, Training, TrainingMetric
from tests.data import valid_dataset


@pytest.fixture
def filled(idle_app: APIFlask) -> FlaskClient:
    """Three trainings: of 100 epochs, of 3, and a pending one of another model."""
    dataset_id = valid_dataset(idle_app)
    with idle_app.app_context(), writing() as session:
        for number, epochs in enumerate((100, 3, 0), 1):
            row = Training(
                name=f"run {number}", dataset_id=dataset_id, model_version="n", current_epoch=epochs, status="completed"
            )
            row.params = {"mosaic": 0.5} if number == 1 else {}
            row.metrics = [
                TrainingMetric(epoch=n, map50=n / 100, loss=1.0, seconds=2.0, classes=[{"class": 0}])
                for n in range(1, epochs + 1)
            ]
            if epochs:
                row.checkpoints = [Checkpoint(epoch=epochs, model_path="best.pt", is_best=True)]
            else:
                row.architecture, row.task = "yolo11n-seg", "segment"
            session.add(row)
    return idle_app.test_client()


def test_the_list_has_small_curves(filled: FlaskClient) -> None:
    by_id = {item["id"]: item for item in filled.get("/api/trainings").json["trainings"]}
    assert 30 <= len(by_id[1]["spark"]) <= 41
    assert by_id[1]["spark"][-1] == [100, 1.0]
    assert by_id[2]["spark"] == [[1, 0.01], [2, 0.02], [3, 0.03]]
    assert by_id[3]["spark"] == []
    assert by_id[1]["best"]["map50"] == 1.0
    assert "classes" not in by_id[1]["best"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("model=yolov8n&sort=created_at", {1, 2}),
        ("model=yolo11n-seg", {3}),
        ("task=segment", {3}),
        ("search=THINGS", {1, 2, 3}),
        ("search=run%202", {2}),
        ("search=%25", set()),
    ],
)
def test_filters(filled: FlaskClient, query: str, ids: set[int]) -> None:
    assert {item["id"] for item in filled.get(f"/api/trainings?{query}").json["trainings"]} == ids


@pytest.mark.parametrize("key", ["map95", "-map50", "dataset", "-model", "epochs", "-status"])
def test_every_order(filled: FlaskClient, key: str) -> None:
    assert len(filled.get(f"/api/trainings?sort={key}").json["trainings"]) == 3


def test_the_best_come_first_and_those_without_a_value_last(filled: FlaskClient) -> None:
    for key, order in (("-map50", [1, 2, 3]), ("map50", [2, 1, 3]), ("-epochs", [1, 2, 3])):
        assert [item["id"] for item in filled.get(f"/api/trainings?sort={key}").json["trainings"]] == order


def test_what_can_be_filtered_by(filled: FlaskClient) -> None:
    filters = filled.get("/api/trainings/filters").json
    assert filters["models"] == [{"name": "yolo11n-seg", "trainings": 1}, {"name": "yolov8n", "trainings": 2}]
    assert filters["tasks"] == [{"name": "detect", "trainings": 2}, {"name": "segment", "trainings": 1}]
    assert [(item["name"], item["trainings"]) for item in filters["datasets"]] == [("Things", 3)]
    filled.delete("/api/trainings/3")
    assert len(filled.get("/api/trainings/filters").json["models"]) == 1


def test_side_by_side(filled: FlaskClient) -> None:
    comparison = filled.get("/api/trainings/compare?ids=2,1,99,2").json
    assert [item["id"] for item in comparison["trainings"]] == [2, 1]
    assert comparison["missing"] == [99]
    assert comparison["defaults"] == {"mosaic": 1.0}
    short, long = comparison["curves"]
    assert (short["training_id"], short["epoch"], short["time"]) == (2, [1, 2, 3], [2.0, 4.0, 6.0])
    assert len(long["map50"]) == len(long["time"]) == len(long["val_loss"]) == 100
    assert filled.get("/api/trainings/compare?ids=3").json["curves"][0]["epoch"] == []


def test_the_message_counts_deleted_runs(filled: FlaskClient) -> None:
    for ids, text in ("99,99", "This run no longer exists."), ("98,99", "These runs no longer exist."):
        answer = filled.get(f"/api/trainings/compare?ids={ids}", headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.json["detail"]) == (404, text)


@pytest.mark.parametrize("ids", ["", "a", "1,x", "0x1", "-1", "1," + "9" * 19, ",".join(map(str, range(1, 12)))])
def test_bad_ids_are_refused(filled: FlaskClient, ids: str) -> None:
    answer = filled.get(f"/api/trainings/compare?ids={ids}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "ids"


def test_unknown_ids_are_not_found(filled: FlaskClient) -> None:
    assert filled.get("/api/trainings/compare?ids=98,99").status_code == 404
    assert filled.get("/api/trainings/compare").status_code == 422


def test_incomparable_metrics_are_reported(idle_app: APIFlask) -> None:
    """Metrics of other images, or of another version or task, are no better or worse."""
    first, second = valid_dataset(idle_app), valid_dataset(idle_app)
    with idle_app.app_context(), writing() as session:
        for values in (
            {"dataset_id": first, "revision": 1, "dataset_revision": "aa"},
            {"dataset_id": first, "revision": 1},  # pending: its content is that of the revision
            {"dataset_id": second, "revision": 1, "dataset_revision": "aa"},  # the same images, uploaded again
            {"dataset_id": second, "revision": 2, "dataset_revision": "bb"},
            {"dataset_id": first, "revision": 3, "dataset_revision": "cc"},
            {"dataset_id": first, "revision": 1, "dataset_revision": "aa", "architecture": "yolo11s"},
            {"dataset_id": first, "revision": 1, "dataset_revision": "aa", "task": "segment"},
        ):
            session.add(Training(name="run", model_version="n", **values))
    client = idle_app.test_client()
    expected = {
        "1,2": [],
        "1,3": [],
        "1,4": ["dataset"],
        "1,5": ["version"],
        "1,6": ["model"],
        "1,7": ["task"],
        "1,4,6": ["dataset", "model"],
        "4": [],
    }
    for ids, differs in expected.items():
        assert client.get(f"/api/trainings/compare?ids={ids}").get_json()["differs"] == differs, ids
