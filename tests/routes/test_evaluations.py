"""Evaluations by REST: what is refused, and one from the request to its figures."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.core.outcome_files import OUTCOMES
from app.database import writing
from app.events import Failed
from app.extensions import db
from app.jobs import Job
from app.jobs.process import child_environment
from app.models import Dataset, Evaluation, Training
from app.services.evaluations.jobs import retry_params
from scripts.local_server import ROOT, Server
from tests.data import checkpoint_bytes
from tests.faults.tools import kill_server, wait_until
from tests.jobs.frozen import freeze_child
from tests.synthetic_models import PROGRAM

WRITE_MODEL_AND_DATA = f"""{PROGRAM}
folder = Path(sys.argv[1])
write_dataset(folder / "data", "detect", create_model("detect", folder / "best.pt"))
"""
pytestmark = pytest.mark.timeout(600)
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a dataset of which it detects something."""
    folder = tmp_path_factory.mktemp("model")
    environment = child_environment({"YOLO_CONFIG_DIR": str(folder / "settings"), "OMP_NUM_THREADS": "1"})
    subprocess.run(
        [sys.executable, "-c", WRITE_MODEL_AND_DATA, str(folder)], check=True, env=environment, cwd=ROOT, timeout=400
    )
    return folder


def add(app: APIFlask, model_folder: Path, **changes: Any) -> tuple[int, int]:
    """A completed training with these weights, and its dataset; their ids."""
    with app.app_context(), writing() as session:
        dataset = Dataset(name="Shapes", classes=["round", "square"], status="valid", total_images=18)
        dataset.train_images = dataset.val_images = dataset.test_images = 6
        training = Training(name="Run", dataset=dataset, model_version="n", status="completed", img_size=96)
        for name, value in changes.items():
            setattr(training, name, value)
        session.add(training)
        session.flush()
        dataset.path = f"datasets/{dataset.id}"
        ids = training.id, dataset.id
    copy_data(app, model_folder, ids[1])
    weights = Path(app.config["MODELS_DIR"]) / str(ids[0]) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    os.link(model_folder / "best.pt", weights)
    return ids


def copy_data(app: APIFlask, model_folder: Path, dataset_id: int) -> None:
    target = Path(app.config["DATASETS_DIR"]) / str(dataset_id)
    for source in (model_folder / "data").rglob("*"):
        if source.is_file() and source.suffix != ".cache":
            path = target / source.relative_to(model_folder / "data")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
    yaml = target / "dataset.yaml"
    yaml.write_text(yaml.read_text().replace(str(model_folder / "data"), str(target)))


def wait(get: Callable[[], dict[str, Any]], *statuses: str) -> dict[str, Any]:
    until = time.monotonic() + 120
    while (evaluation := get())["status"] not in statuses:
        assert time.monotonic() < until, evaluation
        time.sleep(0.1)
    return evaluation


def start(client: FlaskClient, training_id: int, **body: Any) -> Any:
    return client.post(f"/api/trainings/{training_id}/evaluations", json={"split": "val"} | body, headers=ENGLISH)


def test_from_the_request_to_the_figures(app: APIFlask, client: FlaskClient, model_folder: Path) -> None:
    training_id, dataset_id = add(app, model_folder)
    answer = client.post(
        f"/api/trainings/{training_id}/evaluations",
        json={"split": "test"},
        headers=ENGLISH | {"Idempotency-Key": "once"},
    )
    assert answer.status_code == 202
    body = answer.get_json()
    assert {name: body[name] for name in ("message", "status")} == {"message": "Evaluation queued", "status": "pending"}
    again = client.post(
        f"/api/trainings/{training_id}/evaluations", json={"split": "test"}, headers={"Idempotency-Key": "once"}
    )
    assert again.get_json() == body
    address = f"/api/evaluations/{body['evaluation_id']}"
    evaluation = wait(lambda: client.get(address).get_json(), "completed", "failed")
    assert evaluation["status"] == "completed", client.get(f"/api/jobs/{body['job_id']}").get_json()
    assert (evaluation["training_id"], evaluation["dataset_id"], evaluation["revision"]) == (
        training_id,
        dataset_id,
        None,
    )
    assert (evaluation["split"], evaluation["checkpoint"], evaluation["images"]) == ("test", "best", 6)
    assert evaluation["objects"] == sum(row["objects"] for row in evaluation["classes"]) > 0
    assert 0 < evaluation["metrics"]["map95"] < 1
    assert set(evaluation["metrics"]) == {"precision", "recall", "map50", "map95", "fitness"}
    assert set(evaluation["speed_ms"]) == {"preprocess", "inference", "postprocess"}
    listed = client.get(f"/api/trainings/{training_id}/evaluations").get_json()["evaluations"]
    assert [item["id"] for item in listed] == [evaluation["id"]]
    (folder,) = (Path(app.config["MODELS_DIR"]) / str(training_id) / "evaluations").iterdir()
    assert (folder / OUTCOMES).is_file()

    cells = client.get(f"{address}/matrix").get_json()["cells"]
    assert sum(cell["count"] for cell in cells if cell["actual"]) == evaluation["objects"], "all objects are in it"
    page = client.get(f"{address}/images?sort=file").get_json()
    assert [image["file"] for image in page["images"]] == [f"images/test/{number}.png" for number in range(6)]
    assert sum(len(image["objects"]) for image in page["images"]) == evaluation["objects"]
    for which in ("url", "thumbnail"):
        picture = client.get(page["images"][0][which])
        assert (picture.status_code, picture.data[:4]) == (200, b"\x89PNG")
    assert client.get(f"{address}/images/99/file").status_code == 404
    curves = client.get(f"{address}/curves").get_json()["curves"]
    assert len(curves["x"]) == len(curves["f1"]) == len(curves["pr"]) == 101
    assert [item["name"] for item in curves["classes"]] == ["round", "square"]
    advice = client.get(f"{address}/thresholds").get_json()
    assert advice["overall"]["f1"] == max(curves["f1"])
    assert client.get(f"{address}/thresholds?precision=1.5").status_code == 422

    assert client.delete(address).status_code == 200
    assert client.get(address).status_code == 404
    assert not folder.exists()


def test_what_is_refused(app: APIFlask, client: FlaskClient, model_folder: Path) -> None:
    training_id, dataset_id = add(app, model_folder)
    assert start(client, 99).status_code == 404
    assert client.get("/api/trainings/99/evaluations").status_code == 404
    assert client.get("/api/evaluations/99").status_code == 404
    for wrong in ({"split": "all"}, {"checkpoint": 0}, {"checkpoint": "x"}, {"img_size": 8}, {"a": 1}, {"classes": []}):
        assert start(client, training_id, **wrong).status_code == 422, wrong
    assert client.post(f"/api/trainings/{training_id}/evaluations", json={}).status_code == 422
    unknown = start(client, training_id, dataset_id=99)
    assert (unknown.status_code, unknown.get_json()["errors"][0]["field"]) == (422, "dataset_id")
    assert start(client, training_id, revision=3).status_code == 422
    missing = start(client, training_id, checkpoint=7)
    assert missing.status_code == 409
    assert "checkpoint" in missing.get_json()["detail"]
    with app.app_context(), writing() as session:
        session.get_one(Dataset, dataset_id).test_images = 0
    empty = start(client, training_id, split="test")
    assert (empty.status_code, empty.get_json()["errors"][0]["field"]) == (422, "split")
    assert empty.get_json()["detail"] == "The dataset has no test images. Choose another set."
    (Path(app.config["MODELS_DIR"]) / str(training_id) / "run" / "weights" / "best.pt").unlink()
    without = start(client, training_id)
    assert without.status_code == 409
    assert "has no weights yet" in without.get_json()["detail"]
    with app.app_context():
        assert db.session.query(Evaluation).count() == 0


def test_another_dataset_serves_where_its_classes_have_counterparts(
    idle_app: APIFlask, model_folder: Path, tmp_path: Path
) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    with idle_app.app_context(), writing() as session:
        shapes = Dataset(name="Other", classes=["square", "ball", "sky"], status="valid", val_images=6)
        boxes = Dataset(name="Points", classes=["round"], status="valid", val_images=6, task="classify")
        session.add_all([shapes, boxes])
        session.flush()
        shapes_id, boxes_id = shapes.id, boxes.id
    refused = start(client, training_id, dataset_id=shapes_id)
    assert refused.status_code == 422
    assert refused.get_json()["missing"] == ["ball", "sky"]
    assert refused.get_json()["classes"] == ["round", "square"]
    assert "ball, sky" in refused.get_json()["detail"]
    for wrong in ({"ball": "sphere", "sky": None}, {"moon": "round"}):
        assert start(client, training_id, dataset_id=shapes_id, classes=wrong).status_code == 422
    task = start(client, training_id, dataset_id=boxes_id)
    assert (task.status_code, task.get_json()["errors"][0]["field"]) == (422, "dataset_id")
    accepted = start(client, training_id, dataset_id=shapes_id, classes={"ball": "round", "sky": None})
    assert accepted.status_code == 202
    evaluation = client.get(f"/api/evaluations/{accepted.get_json()['evaluation_id']}").get_json()
    assert evaluation["mapping"] == {"square": "square", "ball": "round", "sky": None}
    assert evaluation["status"] == "pending"


def test_a_trashed_run_is_not_evaluated_and_is_deleted_with_its_evaluations(
    idle_app: APIFlask, model_folder: Path
) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    evaluation_id = start(client, training_id).get_json()["evaluation_id"]
    assert client.delete(f"/api/trainings/{training_id}").status_code == 200
    assert start(client, training_id).status_code == 409
    assert client.delete(f"/api/trainings/{training_id}?permanent=true").status_code == 200
    assert client.get(f"/api/evaluations/{evaluation_id}").status_code == 404


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_weights_of_a_run_that_did_not_complete_are_evaluated(
    idle_app: APIFlask, model_folder: Path, status: str
) -> None:
    training_id, _ = add(idle_app, model_folder, status=status)
    assert start(idle_app.test_client(), training_id).status_code == 202


def test_a_damaged_model_fails_with_its_reason(app: APIFlask, client: FlaskClient, model_folder: Path) -> None:
    training_id, _ = add(app, model_folder)
    weights = Path(app.config["MODELS_DIR"]) / str(training_id) / "run" / "weights" / "best.pt"
    weights.unlink()
    weights.write_bytes(checkpoint_bytes(b"an archive, but no model"))
    body = start(client, training_id).get_json()
    evaluation = wait(lambda: client.get(f"/api/evaluations/{body['evaluation_id']}").get_json(), "failed", "completed")
    assert (evaluation["status"], evaluation["error"]["code"]) == ("failed", "weights")
    assert evaluation["metrics"] is None


def ended_job(app: APIFlask, job_id: int, **changes: Any) -> Job:
    """A job as its supervisor would leave it."""
    job = db.session.get_one(Job, job_id)
    for name, value in changes.items():
        setattr(job, name, value)
    return job


def test_a_late_job_of_a_deleted_evaluation_writes_nowhere(
    idle_app: APIFlask, model_folder: Path, tmp_path: Path
) -> None:
    """SQLite reuses the id of a deleted row."""
    client, kind = idle_app.test_client(), idle_app.extensions["services"].evaluations.kind
    (first, _), (second, _) = add(idle_app, model_folder), add(idle_app, model_folder)
    old = start(client, first).get_json()
    assert client.delete(f"/api/evaluations/{old['evaluation_id']}").status_code == 200
    new = start(client, second).get_json()
    assert new["evaluation_id"] == old["evaluation_id"]
    (tmp_path / "job" / "output").mkdir(parents=True)
    with idle_app.app_context():
        job = db.session.get_one(Job, old["job_id"])
        assert kind.collect(job, {"metrics": {"map50": 0.9}}, tmp_path / "job") == {}
        kind.ended(ended_job(idle_app, old["job_id"], status="failed", error={"code": "code"}))
        db.session.rollback()
    evaluation = client.get(f"/api/evaluations/{new['evaluation_id']}").get_json()
    assert (evaluation["status"], evaluation["metrics"], evaluation["error"]) == ("pending", None, None)


def test_the_trash_ends_what_runs_and_a_dataset_in_use_stays(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    with idle_app.app_context(), writing() as session:
        second_dataset = Dataset(name="Other", classes=["round", "square"], status="valid", val_images=6)
        session.add(second_dataset)
        session.flush()
        second_id = second_dataset.id
    body = start(client, training_id, dataset_id=second_id).get_json()
    refused = client.delete(f"/api/datasets/{second_id}", headers=ENGLISH)
    assert refused.status_code == 409
    assert "An evaluation is using this dataset" in refused.get_json()["detail"]
    assert client.delete(f"/api/trainings/{training_id}").status_code == 200
    assert client.get(f"/api/evaluations/{body['evaluation_id']}").get_json()["status"] == "cancelled"
    assert client.delete(f"/api/datasets/{second_id}").status_code == 200


def test_a_repeated_request_gets_its_answer_whatever_has_changed(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    address, key = f"/api/trainings/{training_id}/evaluations", {"Idempotency-Key": "again"}
    first = client.post(address, json={"split": "val"}, headers=key)
    client.delete(f"/api/trainings/{training_id}")
    again = client.post(address, json={"split": "val"}, headers=key)
    assert (again.status_code, again.get_json()) == (202, first.get_json())


def test_sizes_and_single_classes_are_those_of_the_model(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, dataset_id = add(idle_app, model_folder, params={"single_cls": True})
    with idle_app.app_context(), writing() as session:
        session.get_one(Dataset, dataset_id).classes = ["square", "round"]
    number = start(client, training_id, img_size=100).get_json()["evaluation_id"]
    evaluation = client.get(f"/api/evaluations/{number}").get_json()
    assert (evaluation["img_size"], evaluation["mapping"]) == (128, None)
    assert start(client, training_id, classes={"round": None}).status_code == 422


def test_insufficient_memory_halves_the_batch() -> None:
    full, code_fault = Failed("out_of_memory", ""), Failed("code", "")
    job = Job(kind="evaluate", params={"evaluation_id": 1, "token": "t"})
    assert retry_params(job, code_fault) is None
    sizes = []
    while (params := retry_params(job, full)) is not None:
        job.params = params
        sizes.append(params["batch"])
    assert sizes == [8, 4, 2, 1]


def test_completed_evaluations_stay_so_after_a_restart(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    body = start(client, training_id).get_json()
    with idle_app.app_context():
        with writing() as session:
            session.get_one(Evaluation, body["evaluation_id"]).status = "completed"
            session.delete(session.get_one(Job, body["job_id"]))
        idle_app.extensions["services"].evaluations.reconcile()
    assert client.get(f"/api/evaluations/{body['evaluation_id']}").get_json()["status"] == "completed"


def test_a_job_and_its_row_never_contradict_each_other(idle_app: APIFlask, model_folder: Path) -> None:
    """They are written one after the other."""
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    body = start(client, training_id).get_json()

    def status_and_code(status: str, error: dict[str, str] | None) -> tuple[str, str | None]:
        with idle_app.app_context(), writing() as session:
            job = session.get_one(Job, body["job_id"])
            job.status, job.error = status, error
        evaluation = client.get(f"/api/evaluations/{body['evaluation_id']}").get_json()
        return evaluation["status"], (evaluation["error"] or {}).get("code")

    assert status_and_code("failed", {"code": "out_of_memory", "message": ""}) == ("failed", "out_of_memory")
    assert status_and_code("completed", None) == ("pending", None), "there are no figures yet"


def test_an_evaluation_reports_a_requested_stop(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    body = start(client, training_id).get_json()
    assert client.post(f"/api/jobs/{body['job_id']}/stop").status_code == 202
    assert client.get(f"/api/evaluations/{body['evaluation_id']}").get_json()["status"] == "cancelled"


def test_a_row_without_a_job_has_failed_after_a_restart(idle_app: APIFlask, model_folder: Path) -> None:
    client = idle_app.test_client()
    training_id, _ = add(idle_app, model_folder)
    body = start(client, training_id).get_json()
    with idle_app.app_context():
        with writing() as session:
            session.delete(session.get_one(Job, body["job_id"]))
        idle_app.extensions["services"].evaluations.reconcile()
    evaluation = client.get(f"/api/evaluations/{body['evaluation_id']}", headers=ENGLISH).get_json()
    assert (evaluation["status"], evaluation["error"]["code"]) == ("failed", "interrupted")


def test_it_survives_a_killed_server_and_restarts_after_a_killed_process(
    threading_server: Server, model_folder: Path
) -> None:
    server = threading_server
    training_id, _ = add(create_app("cli", server.settings), model_folder)
    body = server.post(f"/api/trainings/{training_id}/evaluations", json={"split": "val"}).json()
    pid = freeze_child(server, "evaluate")
    wait_until(lambda: server.get(f"/api/jobs/{body['job_id']}").json()["runner"], 60, "the job knows its process")
    kill_server(server)
    server.start()
    job = server.get(f"/api/jobs/{body['job_id']}").json()
    assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
    os.kill(pid, signal.SIGKILL)
    evaluation = wait(lambda: server.get(f"/api/evaluations/{body['evaluation_id']}").json(), "completed", "failed")
    assert evaluation["status"] == "completed"
    job = wait(lambda: server.get(f"/api/jobs/{body['job_id']}").json(), "completed", "failed")
    assert (job["status"], job["attempt"]) == ("completed", 2)
    assert len(list((server.folder / "data" / "models" / str(training_id) / "evaluations").iterdir())) == 1
