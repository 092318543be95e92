"""The training endpoints: shapes, filters, refusals. Nothing is started here."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.database import writing
from app.extensions import db
from app.models import Checkpoint, Dataset, Training, TrainingMetric
from tests.data import checkpoint_bytes, image_bytes, valid_dataset
from tests.routes.test_datasets import ENGLISH

FIRST = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


@pytest.fixture
def dataset_id(idle_app: APIFlask) -> int:
    return valid_dataset(idle_app)


@pytest.fixture(scope="module")
def valid_dataset_id(common_app: APIFlask) -> int:
    return valid_dataset(common_app)


def payload(dataset: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Carros v1.0",
        "dataset_id": dataset,
        "model_version": "m",
        "epochs": 100,
        "batch_size": 16,
        "img_size": 640,
        "learning_rate": 0.01,
    } | changes


def add(app: APIFlask, dataset_id: int, count: int, status: str = "completed", epochs: int = 3) -> list[int]:
    """Trainings with metrics; the second epoch is the best."""
    ids = []
    with app.app_context(), writing() as session:
        for number in range(count):
            row = Training(name=f"Run {number}", dataset_id=dataset_id, model_version="n", status=status)
            row.created_at = FIRST + timedelta(minutes=number)
            session.add(row)
            session.flush()
            ids.append(row.id)
            for epoch in range(1, epochs + 1):
                value = (0.5 if epoch == 2 else 0.1) + number / 100
                session.add(TrainingMetric(training_id=row.id, epoch=epoch, loss=1.0, map50=value, timestamp=FIRST))
            session.add(Checkpoint(training_id=row.id, epoch=2, model_path="x", is_best=True))
            session.add(Checkpoint(training_id=row.id, epoch=3, model_path="y", is_best=False))
    return ids


@contextmanager
def recorded_statements(app: APIFlask) -> Iterator[list[str]]:
    """The statements that run within the block."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def assert_refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"]
    return answer.json


def test_create_as_specified(client: FlaskClient, dataset_id: int) -> None:
    answer = client.post("/api/trainings", json=payload(dataset_id))
    assert answer.status_code == 201
    assert answer.json == {"message": "Treinamento iniciado", "training_id": 1, "status": "pending"}
    training = client.get("/api/trainings/1").json
    assert {key: training[key] for key in payload(dataset_id)} == payload(dataset_id)
    assert training["params"] == {"optimizer": "SGD"}
    assert (training["status"], training["current_epoch"], training["total_epochs"]) == ("pending", 0, 100)
    assert training["dataset_name"] == "Things"
    assert training["created_at"].endswith("Z")
    assert training["best"] is None
    assert training["downloadable"] is False


def test_defaults(client: FlaskClient, dataset_id: int) -> None:
    assert client.post("/api/trainings", json={"dataset_id": dataset_id}).status_code == 201
    training = client.get("/api/trainings/1").json
    keys = ("name", "model_version", "epochs", "batch_size", "img_size", "params")
    assert [training[key] for key in keys] == ["Things YOLOv8m", "m", 100, 16, 640, {"optimizer": "auto"}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("epochs", value) for value in (-1, 0, 10**9, "5", True, None, float("nan"), 1.5)),
        *(("img_size", value) for value in (31, 10**6)),
        ("batch_size", 0),
        *(("learning_rate", value) for value in (0, 2, "0.01", True, float("nan"), float("inf"))),
        *(("model_version", value) for value in ("", "z", "../../x.pt", "https://example.com/x.pt", 5)),
        *(("dataset_id", value) for value in (999, -1, "1", None, 2**63)),
        *(("name", value) for value in ("", " ", "x" * 101, "a\nb", None)),
        ("project", "/etc"),
        ("model", "https://example.com/x.pt"),
        ("params", []),
        *(("params.device", value) for value in ("0;id", "/dev/sda", -1, "0,0", True, "7", None)),
        *((f"params.{name}", "/etc") for name in ("project", "name", "data", "model", "pretrained", "cfg", "resume")),
        ("params.save_dir", "/etc"),
        ("params.mosaic", 2),
        ("params.mosaic", "1"),
        ("params.cache", "disk"),
        ("params.optimizer", "Evil"),
        ("params.patience", 1.5),
        ("params.cos_lr", 1),
        ("params.freeze", [0]),
        ("params.lrf", float("nan")),
    ],
)
def test_bad_fields_are_named(common_app: APIFlask, valid_dataset_id: int, field: str, value: Any) -> None:
    client, dataset_id = common_app.test_client(), valid_dataset_id
    name, _, parameter = field.partition(".")
    body = payload(dataset_id, **{name: {parameter: value} if parameter else value})
    problem = assert_refused(client.post("/api/trainings", json=body), 422)
    assert {item["field"] for item in problem["errors"]} == {field}
    assert problem["errors"][0]["message"]
    assert client.get("/api/trainings").json["total"] == 0


@pytest.mark.parametrize("status", ["pending", "validating", "invalid"])
def test_only_valid_datasets_train(idle_app: APIFlask, client: FlaskClient, dataset_id: int, status: str) -> None:
    with idle_app.app_context(), writing() as session:
        session.get_one(Dataset, dataset_id).status = status
    assert_refused(client.post("/api/trainings", json=payload(dataset_id)), 409)


def test_list_is_filtered_sorted_and_paged(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    second_dataset = valid_dataset(idle_app)
    ids = add(idle_app, dataset_id, 12)
    failed = add(idle_app, second_dataset, 1, "failed")[0]

    body = client.get("/api/trainings").json
    assert {key: body[key] for key in ("total", "page", "per_page", "pages")} == {
        "total": 13,
        "page": 1,
        "per_page": 10,
        "pages": 2,
    }
    assert [row["id"] for row in body["trainings"]] == ids[:1:-1]
    last = client.get("/api/trainings?page=2").json["trainings"]
    assert {row["id"] for row in last} == {ids[0], ids[1], failed}

    assert [row["id"] for row in client.get("/api/trainings?status=failed").json["trainings"]] == [failed]
    assert client.get(f"/api/trainings?dataset_id={dataset_id}").json["total"] == 12
    assert client.get("/api/trainings?search=run 1").json["total"] == 3
    assert client.get("/api/trainings?search=%25").json["total"] == 0
    best = client.get("/api/trainings?sort=-map50&per_page=1").json["trainings"][0]
    assert (best["id"], best["best"]["epoch"], best["best"]["map50"]) == (ids[-1], 2, pytest.approx(0.61))


@pytest.mark.parametrize("query", ["page=-1", "page=0", "per_page=1000000000", "sort=password", "status=on"])
def test_bad_queries(common_app: APIFlask, query: str) -> None:
    client = common_app.test_client()
    assert assert_refused(client.get(f"/api/trainings?{query}"), 422)["errors"][0]["field"] == query.split("=")[0]


def test_no_query_per_row(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    add(idle_app, dataset_id, 2)
    with recorded_statements(idle_app) as few:
        client.get("/api/trainings?per_page=50")
    add(idle_app, dataset_id, 30)
    with recorded_statements(idle_app) as many:
        assert len(client.get("/api/trainings?per_page=50").json["trainings"]) == 32
    assert len(many) == len(few) <= 4


def test_metrics_as_specified(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, 1)[0]
    epochs = client.get(f"/api/trainings/{training_id}/metrics").json["epochs"]
    assert [item["epoch"] for item in epochs] == [1, 2, 3]
    keys = {"epoch", "loss", "precision", "recall", "map50", "val_loss", "learning_rate", "timestamp"}
    assert keys <= set(epochs[0])
    assert epochs[0]["timestamp"] == "2025-01-15T10:30:00Z"


def test_metrics_with_the_newest_classes(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, 1)[0]
    everything = client.get(f"/api/trainings/{training_id}/metrics").json
    assert client.get(f"/api/trainings/{training_id}/metrics?classes=newest").json == everything
    assert client.get(f"/api/trainings/{training_id}/metrics?classes=some").status_code == 422
    assert client.get("/api/trainings/9/metrics?classes=newest").status_code == 404


BEST, LAST = checkpoint_bytes(b"best"), checkpoint_bytes(b"last")


def test_damaged_weights_are_not_served(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    """Download, checkpoint, test page, new run, bundle: the file is named, and an intact one is offered."""
    training_id = add(idle_app, dataset_id, 1)[0]
    base, weights = f"/api/trainings/{training_id}", Path(idle_app.config["MODELS_DIR"]) / str(training_id) / "run"
    (weights / "weights").mkdir(parents=True)
    best = weights / "weights" / "best.pt"
    flipped = bytearray(BEST)
    flipped[flipped.index(b"best")] ^= 1  # one byte inside: its directory is intact
    for damaged in (BEST[:-30], b"garbage", bytes(flipped)):
        best.write_bytes(damaged)
        (weights / "weights" / "last.pt").write_bytes(LAST)
        addresses = ("/download", "/checkpoints/best/download")
        for answer in [client.get(base + address, headers=ENGLISH) for address in addresses]:
            assert (answer.status_code, answer.json["file"], answer.json["whole"]) == (409, "best.pt", ["last"])
            assert "best.pt" in answer.json["detail"]
        form = {"training_id": str(training_id), "file": (io.BytesIO(image_bytes()), "a.jpg")}
        assert client.post("/api/tests", data=form).json["whole"] == ["last"]
        assert client.get(f"{base}/checkpoints/last/download").data == LAST
        (weights / "weights" / "last.pt").unlink()
        assert client.get(f"{base}/download").json["whole"] == []
    start = {"name": "x", "dataset_id": dataset_id, "start": {"training_id": training_id, "checkpoint": "best"}}
    best.write_bytes(BEST[:-30])
    assert client.post("/api/trainings", json=start, headers=ENGLISH).json["errors"][0]["field"] == "start"


def test_files_of_a_run(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, 1)[0]
    base = f"/api/trainings/{training_id}"
    for path in ("/csv-data", "/download"):
        assert_refused(client.get(base + path), 404)

    run = Path(idle_app.config["MODELS_DIR"]) / str(training_id) / "run"
    (run / "weights").mkdir(parents=True)
    (run / "results.csv").write_text("epoch, time,train/box_loss\n1,2.5,nan\n2,5.1,0.25\n")
    (run / "weights" / "best.pt").write_bytes(b"")
    assert_refused(client.get(base + "/download"), 404)
    (run / "weights" / "last.pt").write_bytes(LAST)
    assert client.get(base + "/download").data == LAST
    (run / "weights" / "best.pt").write_bytes(BEST)

    answer = client.get(base + "/download")
    assert answer.data == client.get(f"/models/{training_id}/best.pt").data == BEST
    assert f"filename=Run-0-{training_id}-best.pt" in answer.headers["Content-Disposition"]
    assert client.get(base).json["downloadable"] is True

    table = client.get(base + "/csv-data").json
    assert table == {"columns": ["epoch", "time", "train/box_loss"], "rows": [[1, 2.5, None], [2, 5.1, 0.25]]}
    as_csv = client.get(base + "/csv-data", headers={"Accept": "text/csv"})
    assert as_csv.mimetype == "text/csv"
    assert as_csv.text.startswith("epoch, time")


def test_the_log_continues_where_it_was_read_to(idle_app: APIFlask, client: FlaskClient, dataset_id: int) -> None:
    training_id = add(idle_app, dataset_id, 1)[0]
    folder = Path(idle_app.config["MODELS_DIR"]) / str(training_id) / "attempts" / "0"
    folder.mkdir(parents=True)
    (folder / "worker.log").write_text("one\ntwo\nthr")
    address = f"/api/trainings/{training_id}/log"
    first = client.get(address).json
    assert first == {"text": "one\ntwo\n", "offset": 8}
    (folder / "worker.log").write_text("one\ntwo\nthree\n")
    assert client.get(f"{address}?after=8").json == {"text": "three\n", "offset": 14}
    assert client.get(f"{address}?after=999").json == {"text": "", "offset": 999}
    assert_refused(client.get(f"{address}?after=-1"), 422)


def test_stop_what_waits_and_what_has_ended(client: FlaskClient, dataset_id: int) -> None:
    client.post("/api/trainings", json=payload(dataset_id))
    answer = client.post("/api/trainings/1/stop")
    assert (answer.status_code, answer.json["training_id"], answer.json["status"]) == (202, 1, "cancelled")
    assert client.get("/api/trainings/1").json["end_time"]
    assert "“Interrompido”" in assert_refused(client.post("/api/trainings/1/stop"), 409)["detail"]


@pytest.mark.parametrize("path", ["", "/metrics", "/csv-data", "/download", "/log"])
@pytest.mark.parametrize("ident", ["7", "0", "-1", "9e99", "1.0", "%00", "..%2fx", str(2**63)])
def test_there_is_no_such_training(common_app: APIFlask, path: str, ident: str) -> None:
    assert_refused(common_app.test_client().get(f"/api/trainings/{ident}{path}"), 404)


def test_stopping_an_unknown_training(client: FlaskClient) -> None:
    assert_refused(client.post("/api/trainings/7/stop"), 404)
    assert client.get("/api/trainings/7/stop").status_code == 405
