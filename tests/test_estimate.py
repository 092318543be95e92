"""The estimate before a training: measured by a real child, stored, compared with the real training."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.jobs.devices import Holding, Use
from app.models import Estimate, Training, TrainingMetric, now
from app.services.estimate.figures import FINISH_S, times
from app.services.estimate.request import Configuration, installed_version
from tests.data import change_settings, valid_dataset

TINY: dict[str, Any] = {"model_version": "n", "epochs": 6, "batch_size": 4, "img_size": 64}


@pytest.fixture
def idle(idle_app: APIFlask) -> Iterator[FlaskClient]:
    """A client of an application that runs jobs but starts no training."""
    jobs = idle_app.extensions["services"].jobs
    with idle_app.app_context():
        jobs.scheduler.start(idle_app)
    yield idle_app.test_client()
    jobs.scheduler.close()


def ask(client: FlaskClient, dataset_id: int, **changes: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post("/api/trainings/estimate", json={"dataset_id": dataset_id} | TINY | changes)
    return answer.status_code, answer.get_json()


def wait(client: FlaskClient, dataset_id: int, seconds: float = 200, **changes: Any) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while True:
        status, body = ask(client, dataset_id, **changes)
        if status != 202:
            return body
        assert body["status"] == "measuring"
        assert time.monotonic() < until
        time.sleep(0.2)


def estimates(client: FlaskClient) -> list[dict[str, Any]]:
    """The measurements, newest first."""
    return client.get("/api/jobs?kind=estimate").get_json()["jobs"]


def staging(app: APIFlask) -> list[Path]:
    """The remaining files in the work folders: none, once the job of a response has cleaned up."""
    root = Path(app.config["DATA_ROOT"])
    until = time.monotonic() + 180
    while (leftovers := [*(root / "tmp").iterdir(), *(root / "jobs").iterdir()]) and time.monotonic() < until:
        time.sleep(0.05)
    return leftovers


@pytest.mark.training
def test_it_is_accurate_and_measured_once(app: APIFlask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.estimate.measuring.PLANNED_S", 10.0)
    dataset_id = valid_dataset(app, train=24, val=8)
    assert ask(client, dataset_id)[0] == 202
    answer = wait(client, dataset_id)
    assert answer["status"] == "ready", answer
    assert (answer["basis"], answer["device"]) == ("measured", "cpu")
    assert (answer["fits"], answer["batches"]) == (True, 6)
    assert 2_900_000 < answer["parameters"] < 3_200_000
    assert 100e6 < answer["memory"] < answer["memory_total"]
    assert answer["disk"] == 4 * answer["checkpoint_bytes"] > 10e6
    assert staging(app) == [], "nothing is left of the measurement"
    status, longer = ask(client, dataset_id, epochs=10)
    assert (status, longer["status"]) == (200, "ready"), "more epochs need no other measurement"
    assert longer["seconds"] - answer["seconds"] == pytest.approx(4 * answer["epoch_seconds"], abs=0.2)
    assert db_count(app, Training) == 0

    training_id = client.post("/api/trainings", json={"dataset_id": dataset_id} | TINY).get_json()["training_id"]
    until = time.monotonic() + 200
    while (row := client.get(f"/api/trainings/{training_id}").get_json())["status"] in {"pending", "running"}:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert row["status"] == "completed", row
    ratio = answer["seconds"] / row["duration"]
    print(f"estimated {answer['seconds']} s, took {row['duration']} s: {ratio:.2f}")
    assert 1 / 3 < ratio < 3
    assert staging(app) == []


def db_count(app: APIFlask, model: Any) -> int:
    with app.app_context():
        return db.session.query(model).count()


@pytest.mark.training
def test_what_does_not_fit_is_an_answer(idle_app: APIFlask, idle: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of 16 at 256 px took 1.6 GB, one of 8 took 1.3 GB."""
    monkeypatch.setattr("app.services.estimate.measuring.PLANNED_S", 1.0)
    dataset_id = valid_dataset(idle_app, train=32, val=2)
    change_settings(idle_app, TRAINING_MEMORY_LIMIT=int(1.7e9))
    answer = wait(idle, dataset_id, batch_size=16, img_size=256, params={"mosaic": 0.0})
    assert answer.get("fits") is False, answer
    assert answer["largest_batch"] in {4, 8}
    assert answer["reason"]


def test_the_versions_of_packages_are_read_once(idle_app: APIFlask) -> None:
    """The form of a new run asks for the estimates of three presets with each opening."""
    address = f"/api/datasets/{valid_dataset(idle_app)}/training-defaults?start=scratch"
    client = idle_app.test_client()
    assert client.get(address).status_code == 200
    first = installed_version.cache_info()
    assert client.get(address).status_code == 200
    again = installed_version.cache_info()
    assert again.misses == first.misses <= 2
    assert again.hits == first.hits + 6


def test_the_same_checks_as_a_training(idle_app: APIFlask, idle: FlaskClient) -> None:
    dataset_id = valid_dataset(idle_app)
    status, body = ask(idle, dataset_id, params={"optimiser": "SGD"})
    assert (status, body["errors"][0]["field"]) == (422, "params.optimiser")
    assert ask(idle, 99)[1]["errors"][0]["field"] == "dataset_id"
    assert ask(idle, dataset_id, epochs=0)[0] == 422
    assert db_count(idle_app, Training) == 0
    assert estimates(idle) == []


def busy(app: APIFlask) -> None:
    """Let a training occupy the CPU."""
    app.extensions["services"].jobs.devices.sources.append(lambda: [Holding(7, Use.WORK, ("cpu",), ("training", 7))])


def test_a_training_is_not_disturbed(idle_app: APIFlask, idle: FlaskClient) -> None:
    dataset_id = valid_dataset(idle_app)
    busy(idle_app)
    status, body = ask(idle, dataset_id)
    assert (status, body["status"]) == (200, "unavailable")
    assert body["reason"]
    with idle_app.app_context(), writing() as session:
        row = Training(
            name="Before", dataset_id=dataset_id, status="completed", device="cpu", attempt=1, total_epochs=3
        )
        row.model_version, row.epochs, row.batch_size, row.img_size = "n", 3, 4, 64
        row.start_time = row.end_time = now()
        session.add(row)
        session.flush()
        session.add_all(
            TrainingMetric(training_id=row.id, epoch=n, seconds=s) for n, s in ((1, 9.0), (2, 4.0), (3, 5.0))
        )
    status, body = ask(idle, dataset_id)
    assert (status, body["basis"], body["epoch_seconds"], body["seconds"]) == (200, "history", 5.0, 30.0)
    assert ask(idle, dataset_id, batch_size=8)[1]["status"] == "unavailable"
    assert estimates(idle) == []


def test_a_failed_measurement_reports_the_reason(idle_app: APIFlask, idle: FlaskClient) -> None:
    dataset_id = valid_dataset(idle_app)
    folder = Path(idle_app.config["DATASETS_DIR"]) / str(dataset_id)
    for path in folder.glob("images/train/*.jpg"):
        path.write_bytes(b"no image")
    body = wait(idle, dataset_id)
    assert body["status"] == "unavailable"
    assert "dataset" in body["reason"]
    assert db_count(idle_app, Estimate) == 0


def test_the_sum(idle_app: APIFlask) -> None:
    figures = {
        "batches": 10,
        "batch_seconds": 1.0,
        "plain_batch_seconds": 0.5,
        "val_seconds": 2.0,
        "save_seconds": 0.5,
        "start_seconds": 7.0,
    }
    run = Configuration(
        dataset_id=1,
        revision=1,
        model_version="n",
        architecture=None,
        task="detect",
        epochs=15,
        batch_size=16,
        img_size=640,
        params={},
    )
    assert times(run, figures, 1)["seconds"] == 7 + 5 * 10 * 1.0 + 10 * 10 * 0.5 + 15 * 2.5 + 2 + FINISH_S
    with_mosaic = replace(run, params={"close_mosaic": 0})
    assert times(with_mosaic, figures, 1)["seconds"] == 7 + 15 * 10 + 15 * 2.5 + 2 + FINISH_S
    assert times(replace(run, epochs=4), figures, 1)["epoch_seconds"] == 10 * 0.5 + 2.5
    assert times(run, figures, 2)["batches"] == 5


@pytest.mark.training
def test_a_machine_that_is_fast_gets_to_the_batches_without_mosaic(
    app: APIFlask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an epoch ultralytics' loader loses its iterator when it is reset: "'NoneType' object is not an iterator".

    Tiny images, and a time limit for each phase that ends within an epoch, as on a fast machine.
    """
    monkeypatch.setattr("app.services.estimate.measuring.PLANNED_S", 6.0)
    dataset_id = valid_dataset(app, train=200, val=4)
    began = time.monotonic()
    stages, fractions = [], [0.0]
    while (body := ask(client, dataset_id, batch_size=2, img_size=32, epochs=20)[1])["status"] == "measuring":
        assert time.monotonic() - began < 200
        assert body["message"]
        stages.append(body["stage"])
        fractions.append(body["fraction"])
        time.sleep(0.05)
    assert body["status"] == "ready", body
    assert {"importing", "batches", "plain_batches"} <= set(stages), "it reports what it is doing"
    assert fractions == sorted(fractions)
    assert body["batches"] == 100

    for epochs in (1, 5, 300):
        status, estimate = ask(client, dataset_id, batch_size=2, img_size=32, epochs=epochs, start="scratch")
        assert (status, estimate["status"]) == (200, "ready"), "measured once, for any number of epochs"
        assert estimate["seconds"] == pytest.approx(
            estimate["start_seconds"] + epochs * estimate["epoch_seconds"] + estimate["val_seconds"] + FINISH_S, abs=0.2
        )
    assert db_count(app, Estimate) == 1


def test_a_failure_is_logged_reported_once_and_not_cached(
    idle_app: APIFlask, idle: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    dataset_id = valid_dataset(idle_app)
    folder = Path(idle_app.config["DATASETS_DIR"]) / str(dataset_id)
    contents = {path: path.read_bytes() for path in folder.glob("images/train/*.jpg")}
    for path in contents:
        path.write_bytes(b"no image")
    assert wait(idle, dataset_id)["status"] == "unavailable"
    assert any("Traceback" in getattr(record, "output", "") for record in caplog.records), "where it failed"
    assert "(estimate)" in caplog.text
    for path, content in contents.items():
        path.write_bytes(content)
    assert ask(idle, dataset_id)[0] == 202, "a second click measures again"
    (running, failed) = estimates(idle)
    assert running["status"] in {"pending", "running"}
    assert (failed["status"], failed["error"]["code"]) == ("failed", "data")
    assert idle.post(f"/api/jobs/{running['id']}/stop").status_code == 202
    assert wait(idle, dataset_id)["status"] == "unavailable"
    assert [job["status"] for job in estimates(idle)] == ["cancelled", "failed"], "stopped, and not begun again"
