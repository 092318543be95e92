"""Exports of models through the API: every available one was verified, and the ZIP works."""

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.serving import make_server

from app import create_app
from app.database import writing
from app.events import Verified
from app.extensions import db
from app.jobs import Job, JobStatus
from app.jobs.process import child_environment
from app.jobs.transitions import change
from app.models import Dataset, ModelExport, Training
from scripts.client.yolo_client.cli import main
from scripts.fitted_model import SIZE
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.random_weights import add_training

UNKNOWN = 10**9
pytestmark = pytest.mark.timeout(600)  # a model is created, exported and measured twice before the first test

# The .pt's detections by ultralytics itself, in the format of example.py.
PREDICT = f"""
import sys
from ultralytics import YOLO
result = YOLO(sys.argv[1]).predict(sys.argv[2], imgsz={SIZE}, conf=float(sys.argv[3]), iou=0.7, rect=False)[0]
for box in result.boxes:
    print(result.names[int(box.cls)], float(box.conf), *box.xyxy[0].tolist(), file=sys.stderr)
"""


# The same model as ONNX: intact, truncated, with halved confidences and with shifted boxes; each verified.
PLANT = """
import json, sys
from pathlib import Path
import onnx
from onnx import helper, numpy_helper
import numpy as np
from app.core.exports import ExportSpec
from app.worker.exporting.convert import convert
from app.worker.exporting.measuring import measure
from app.worker.exporting.processes import NotLoadable, measured, task_of
from app.worker.exporting.verdict import verify
fields, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
spec = ExportSpec(fields["weights"], "", "onnx", fields["data"], "detect", fields["sizes"])
weights = folder / "model.pt"
weights.write_bytes(Path(spec.weights).read_bytes())
intact, _ = convert(spec, weights, folder)
reference = measure(task_of(spec, weights, Path(spec.data)), folder / "reference")

def plant(name, boxes, confidences):
    model = onnx.load(intact)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["inner" if value == output.name else value for value in node.output]
    rows = output.type.tensor_type.shape.dim[1].dim_value
    factors = np.full((1, rows, 1), confidences, np.float32)
    factors[:, :4] = 1
    shift = np.zeros((1, rows, 1), np.float32)
    shift[:, :2] = boxes
    added = {"factors": factors, "shift": shift}
    model.graph.initializer.extend([numpy_helper.from_array(value, key) for key, value in added.items()])
    model.graph.node.append(helper.make_node("Mul", ["inner", "factors"], ["scaled"]))
    model.graph.node.append(helper.make_node("Add", ["scaled", "shift"], [output.name]))
    onnx.save(model, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"

def judge(model):
    export = measure(task_of(spec, model, Path(spec.data)), folder / model.stem)
    verification, wrong = verify(reference, export, False, spec.allowed_loss)
    return {"verification": verification, "wrong": wrong}

results = {"intact": judge(intact), "halved": judge(plant("halved", 0, 0.5))}
results["shifted"] = judge(plant("shifted", 9, 1))
cut = folder / "cut.onnx"
cut.write_bytes(intact.read_bytes()[: intact.stat().st_size // 2])
try:
    measured(spec, [intact, cut], Path(spec.data), folder / "cut", lambda: None)
except NotLoadable as error:
    results["cut"] = type(error).__name__
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = create_app("web", settings_for(tmp_path_factory.mktemp("app"), SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


def add_trained(app: APIFlask, fitted_model: Path) -> int:
    """A training with the model and the dataset of `fitted_model`."""
    training_id = add_training(app, (fitted_model / "best.pt").read_bytes())
    with app.app_context():
        with writing() as session:
            training = session.get_one(Training, training_id)
            training.img_size, training.dataset.classes = SIZE, ["round", "square"]
            dataset_id = training.dataset_id
        folder = Path(app.config["DATASETS_DIR"]) / str(dataset_id)
    folder.mkdir(parents=True, exist_ok=True)
    text = (fitted_model / "data" / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(text)
    return training_id


@pytest.fixture(scope="module")
def onnx(shared_app: APIFlask, fitted_model: Path) -> dict[str, Any]:
    """The finished export to ONNX; the requests that create it are checked here, too, since it runs once."""
    client = shared_app.test_client()
    training_id = add_trained(shared_app, fitted_model)
    answer = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"})
    assert answer.status_code == 202, answer.get_json()
    body = answer.get_json()
    assert set(body) == {"message", "export_id", "job_id", "status"}
    again = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx", "img_size": SIZE})
    assert again.get_json()["export_id"] == body["export_id"], "it is under way already"
    assert client.get(f"/api/exports/{body['export_id']}/download").status_code == 409, "not proven yet"
    return wait_until_ended(client, body["export_id"])


def wait_until_ended(client: FlaskClient, export_id: int, seconds: float = 240) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (body := client.get(f"/api/exports/{export_id}").get_json())["status"] in {"pending", "running"}:
        assert time.monotonic() < until, body
        time.sleep(0.1)
    return body


def test_formats_report_their_support_and_its_limits(client: FlaskClient) -> None:
    formats = {item["format"]: item for item in client.get("/api/export-formats").get_json()["formats"]}
    for name in ("pytorch", "torchscript", "onnx", "openvino"):
        assert (formats[name]["available"], formats[name]["reason"]) == (True, None), name
    assert {"img_size", "half", "int8", "dynamic", "nms", "batch", "opset"} == set(formats["onnx"]["arguments"])
    assert "half" not in formats["torchscript"]["arguments"], "it needs a GPU"
    missing = [item for item in formats.values() if not item["available"]]
    assert {"rknn", "hailo", "coreml"} <= {item["format"] for item in missing}
    assert all(item["reason"] for item in missing)


def test_the_formats_are_those_of_the_installed_ultralytics(client: FlaskClient) -> None:
    """They are read from its source, which the web process does not import."""
    script = """
import json, sys
from ultralytics.engine.exporter import FP16_FORMATS, INT8_FORMATS, export_formats
table = export_formats()
print(json.dumps([table["Argument"], table["Format"], sorted(FP16_FORMATS), sorted(INT8_FORMATS)]))
"""
    environment = child_environment({})
    completed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
    )
    names, labels, half, int8 = json.loads(completed.stdout.splitlines()[-1])
    formats = client.get("/api/export-formats").get_json()["formats"]
    assert [item["format"] for item in formats] == ["pytorch", *names[1:]]
    assert [item["label"] for item in formats] == labels
    assert {item["format"] for item in formats if "half" in item["arguments"]} == set(half) - {"torchscript"}
    with_int8 = {item["format"] for item in formats if "int8" in item["arguments"] or item["int8_reason"]}
    assert with_int8 == {item["format"] for item in formats if item["format"] in int8}


def test_an_export_is_verified_against_the_weights(onnx: dict[str, Any]) -> None:
    assert (onnx["status"], onnx["error"]) == ("completed", None), onnx
    verification = onnx["verification"]
    assert verification["images"] == 10
    assert verification["map95"] > 0.9
    assert abs(verification["map95"] - verification["reference"]["map95"]) <= 0.002
    assert verification["agreement"] > 0.95
    assert abs(verification["confidence_shift"]) < 0.01
    assert verification["at_threshold"]["moved"] is False
    assert (
        onnx["threshold"]
        == verification["at_threshold"]["confidence"]
        == verification["at_threshold"]["reference"]["confidence"]
    )
    assert (
        0
        < verification["latency_ms"]["least"]
        <= verification["latency_ms"]["p50"]
        <= verification["latency_ms"]["p95"]
    )
    assert verification["device"] == "cpu"
    assert onnx["size_bytes"] > 1_000_000


def test_a_repeated_request_gets_the_same_file(shared_app: APIFlask, onnx: dict[str, Any]) -> None:
    client = shared_app.test_client()
    answer = client.post(f"/api/trainings/{onnx['training_id']}/exports", json={"format": "onnx", "half": False})
    assert (answer.status_code, answer.get_json()["export_id"]) == (200, onnx["id"])
    assert [row["id"] for row in exports_of(client, onnx["training_id"])] == [onnx["id"]]


@pytest.fixture
def address(shared_app: APIFlask) -> Iterator[str]:
    """Of the application, served to real requests."""
    server = make_server("127.0.0.1", 0, shared_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def test_the_client_saves_an_export(
    address: str,
    onnx: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def client_output(*words: str) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.argv", ["yolo-client", "--url", address, *words])
        assert main() == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    training = str(onnx["training_id"])
    (export,) = client_output("export-model", training, "onnx", "--output", str(tmp_path / "model.zip"))
    assert (export["id"], export["status"]) == (onnx["id"], "completed")
    assert export["verification"]["map95"] == onnx["verification"]["map95"]
    assert "model.onnx" in zipfile.ZipFile(tmp_path / "model.zip").namelist()
    assert [item["id"] for item in client_output("model-exports", training)] == [onnx["id"]]
    formats = {item["format"]: item for item in client_output("export-formats")}
    assert formats["onnx"]["available"]
    assert formats["engine"]["reason"]


def exports_of(client: FlaskClient, training_id: int) -> list[dict[str, Any]]:
    return client.get(f"/api/trainings/{training_id}/exports").get_json()["exports"]


def test_the_zip_detects_what_ultralytics_detects(
    shared_app: APIFlask, onnx: dict[str, Any], fitted_model: Path, tmp_path: Path
) -> None:
    answer = shared_app.test_client().get(onnx["url"])
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        archive.extractall(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model.onnx", "names.json", "thresholds.json", "README.md", "example.py"}
    assert json.loads((tmp_path / "names.json").read_text()) == ["round", "square"]
    thresholds = json.loads((tmp_path / "thresholds.json").read_text())
    assert thresholds["confidence"] == onnx["threshold"]
    card = (tmp_path / "README.md").read_text()
    assert "AGPL-3.0" in card
    assert f"{onnx['verification']['map95']:.4f}" in card
    example = (tmp_path / "example.py").read_text()
    assert len(example.splitlines()) <= 40
    image = wide_image(fitted_model, tmp_path / "wide.png")
    (tmp_path / "thresholds.json").write_text('{"confidence": 0.1}')  # low, so that there is much to compare
    detections = boxes_of(run_example(tmp_path, image))
    expected = predict(fitted_model, image, 0.1)
    assert detections, "there is something to compare"
    assert_same(detections, expected)


def wide_image(fitted_model: Path, target: Path) -> Path:
    """An image that is letterboxed and scaled down to the same pixels by every implementation."""
    labels = sorted((fitted_model / "data" / "labels" / "val").iterdir(), key=lambda path: path.stat().st_size)
    with Image.open(fitted_model / "data" / "images" / "val" / f"{labels[-1].stem}.png") as image:
        image.crop((0, 0, SIZE, 140)).resize((2 * SIZE, 280), Image.Resampling.NEAREST).save(target)
    return target


Detections = list[tuple[str, float, list[float]]]


def run_example(folder: Path, image: Path) -> str:
    command = [sys.executable, "-W", "error::SyntaxWarning", "example.py", str(image)]
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def boxes_of(text: str) -> Detections:
    rows = [line.split() for line in text.splitlines()]
    return sorted((row[0], float(row[1]), [float(value) for value in row[2:]]) for row in rows)


def predict(fitted_model: Path, image: Path, confidence: float) -> Detections:
    command = [sys.executable, "-c", PREDICT, str(fitted_model / "best.pt"), str(image), str(confidence)]
    environment = child_environment({"YOLO_CONFIG_DIR": str(fitted_model / "settings"), "YOLO_VERBOSE": "false"})
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert completed.returncode == 0, completed.stderr
    lines = [line for line in completed.stderr.splitlines() if line.startswith(("round ", "square "))]
    return boxes_of("\n".join(lines))


def assert_same(actual: Detections, expected: Detections) -> None:
    """In both directions."""
    for some, candidates in ((actual, expected), (expected, actual)):
        confident = [row for row in some if row[1] >= 0.2]
        again = [row for row in confident if any(is_same(row, candidate) for candidate in candidates)]
        assert len(confident) >= 5
        assert len(again) >= 0.9 * len(confident), (confident, candidates)


def is_same(first: tuple[str, float, list[float]], second: tuple[str, float, list[float]]) -> bool:
    overlaps = max(abs(a - b) for a, b in zip(first[2], second[2], strict=True)) < 2.0  # px
    return first[0] == second[0] and overlaps and abs(first[1] - second[1]) < 0.1


def test_what_cannot_be_exported_is_refused(app: APIFlask, client: FlaskClient) -> None:
    training_id = add_training(app, zip_of_nothing())
    path = f"/api/trainings/{training_id}/exports"
    for body, field in (
        ({"format": "word"}, "format"),
        ({"format": "hailo"}, "format"),
        ({"format": "onnx", "img_size": 100}, "img_size"),
        ({"format": "onnx", "half": True, "int8": True}, "int8"),
        ({"format": "torchscript", "half": True}, "half"),
        ({"format": "pytorch", "nms": True}, "nms"),
        ({"format": "onnx", "opset": 3}, "opset"),
        ({"format": "onnx", "size": 64}, "size"),
        ({}, "format"),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 422, body
        assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert client.post(f"/api/trainings/{UNKNOWN}/exports", json={"format": "onnx"}).status_code == 404
    assert client.get(f"/api/trainings/{UNKNOWN}/exports").status_code == 404
    assert client.get(f"/api/exports/{UNKNOWN}").status_code == 404
    assert client.get(f"/api/exports/{UNKNOWN}/download").status_code == 404
    assert exports_of(client, training_id) == []


def zip_of_nothing() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("data.pkl", b"weights")
    return target.getvalue()


def test_damaged_weights_are_not_exported(app: APIFlask, client: FlaskClient) -> None:
    without, damaged = add_training(app, None), add_training(app, b"half a file")
    for training_id in (without, damaged):
        answer = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"})
        assert answer.status_code == 409, answer.get_json()
    client.delete(f"/api/trainings/{damaged}")
    assert client.post(f"/api/trainings/{damaged}/exports", json={"format": "onnx"}).status_code == 409


def test_an_export_without_figures_or_files_is_never_offered(idle_app: APIFlask) -> None:
    """Whatever state the row, the job or the disk is in."""
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"}).get_json()
    path = f"/api/exports/{body['export_id']}"
    assert client.get(path).get_json()["status"] == "pending"
    with idle_app.app_context(), writing() as session:
        job = session.get_one(Job, body["job_id"])
        change(job, JobStatus.RUNNING)
        change(job, JobStatus.FAILED, error={"code": "accuracy_lost", "message": ""})
    export = client.get(path).get_json()
    assert (export["status"], export["error"]["code"], export["url"]) == ("failed", "accuracy_lost", None)
    assert client.get(f"{path}/download").status_code == 409
    with idle_app.app_context(), writing() as session:
        session.get_one(ModelExport, body["export_id"]).status = "completed"
    assert client.get(f"{path}/download").status_code == 409, "no figures"
    with idle_app.app_context(), writing() as session:
        row = session.get_one(ModelExport, body["export_id"])
        row.verification, row.size_bytes = {"images": 1}, 100
        folder = idle_app.extensions["services"].model_exports.files.folder(row)
    assert client.get(f"{path}/download").status_code == 404, "no files"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"x" * 50)
    assert client.get(f"{path}/download").status_code == 404, "a part of them"
    again = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"})
    assert (again.status_code, again.get_json()["export_id"] != body["export_id"]) == (202, True), "it is created again"


def test_an_export_of_older_weights_is_marked(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"}).get_json()
    path = f"/api/exports/{body['export_id']}"
    assert client.get(path).get_json()["weights_changed"] is False
    (best,) = Path(idle_app.config["MODELS_DIR"]).glob(f"{training_id}/run/weights/best.pt")
    best.write_bytes(zip_of_nothing() + b" ")
    os.utime(best, (time.time() + 60, time.time() + 60))
    assert client.get(path).get_json()["weights_changed"] is True


def test_a_job_that_is_forgotten_leaves_no_export_under_way(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"}).get_json()
    with idle_app.app_context(), writing() as session:
        session.delete(session.get_one(Job, body["job_id"]))
    export = client.get(f"/api/exports/{body['export_id']}").get_json()
    assert (export["status"], export["error"]["code"]) == ("failed", "interrupted")


def test_a_late_job_of_a_deleted_export_writes_nowhere(idle_app: APIFlask) -> None:
    """Its run was deleted permanently while it ran."""
    client = idle_app.test_client()
    first, second = (add_training(idle_app, zip_of_nothing()) for _ in range(2))
    old = client.post(f"/api/trainings/{first}/exports", json={"format": "onnx"}).get_json()
    client.delete(f"/api/trainings/{first}")
    assert client.get(f"/api/jobs/{old['job_id']}").get_json()["status"] == "cancelled", "nothing refers to it"
    client.delete(f"/api/trainings/{first}?permanent=true")
    new = client.post(f"/api/trainings/{second}/exports", json={"format": "onnx"}).get_json()
    assert new["export_id"] == old["export_id"], "SQLite gives the id again"
    with idle_app.app_context():
        kind = idle_app.extensions["services"].model_exports.kind
        job = db.session.get_one(Job, old["job_id"])
        kind.apply(job, Verified({"map95": 1.0}), Path())
        assert kind.collect(job, {}, Path()) == {}
        kind.ended(job)
    export = client.get(f"/api/exports/{new['export_id']}").get_json()
    assert (export["status"], export["verification"]) == ("pending", None)


def test_a_size_is_rounded_as_ultralytics_rounds_it(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    with idle_app.app_context(), writing() as session:
        session.get_one(Training, training_id).img_size = 100
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"}).get_json()
    assert client.get(f"/api/exports/{body['export_id']}").get_json()["arguments"] == {"img_size": 128}


def test_exports_are_deleted_with_their_run(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx"}).get_json()
    client.delete(f"/api/trainings/{training_id}")
    assert client.delete(f"/api/trainings/{training_id}?permanent=true").status_code == 200
    assert client.get(f"/api/exports/{body['export_id']}").status_code == 404
    with idle_app.app_context():
        assert db.session.query(Dataset).count() == 1


def failed_with(app: APIFlask, body: dict[str, Any], code: str) -> None:
    with app.app_context(), writing() as session:
        job = session.get_one(Job, body["job_id"])
        change(job, JobStatus.RUNNING)
        change(job, JobStatus.FAILED, error={"code": code, "message": ""})


def test_a_measured_loss_of_accuracy_is_not_measured_again(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    path = f"/api/trainings/{training_id}/exports"
    first = client.post(path, json={"format": "onnx"}).get_json()
    failed_with(idle_app, first, "accuracy_lost")
    again = client.post(path, json={"format": "onnx"})
    assert (again.status_code, again.get_json()["status"]) == (200, "failed")
    assert again.get_json()["export_id"] == first["export_id"]
    openvino = client.post(path, json={"format": "openvino"}).get_json()
    failed_with(idle_app, openvino, "killed")
    retried = client.post(path, json={"format": "openvino"}).get_json()
    assert retried["status"] == "pending"
    assert [item["id"] for item in exports_of(client, training_id)] == [retried["export_id"], first["export_id"]]
    with idle_app.app_context(), writing() as session:
        session.get_one(ModelExport, first["export_id"]).details = {"versions": {"ultralytics": "8.0.0"}}
    assert client.post(path, json={"format": "onnx"}).get_json()["status"] == "pending", "with other packages it is"


def test_an_export_is_deleted_with_its_files(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    path = f"/api/trainings/{training_id}/exports"
    body = client.post(path, json={"format": "onnx"}).get_json()
    exports = idle_app.extensions["services"].model_exports
    with idle_app.app_context():
        folder = exports.files.folder(exports.get(body["export_id"]))
    for path_of in (folder, folder.with_name("77")):
        path_of.mkdir(parents=True)
        (path_of / "model.onnx").write_bytes(b"x")
    with idle_app.app_context():
        assert exports.set_unknown_aside() == 1, "no row knows number 77"
    assert (folder.exists(), folder.with_name("77").exists()) == (True, False)
    (orphan,) = Path(idle_app.config["DATA_ROOT"]).glob(f"orphans/models-{training_id}-exports-77-*/model.onnx")
    assert orphan.read_bytes() == b"x", "the database may be the one that is wrong"
    answer = client.delete(f"/api/exports/{body['export_id']}")
    assert (answer.status_code, answer.get_json()["export_id"]) == (200, body["export_id"])
    assert not folder.exists()
    assert client.get(f"/api/jobs/{body['job_id']}").get_json()["status"] == "cancelled"
    assert client.get(f"/api/exports/{body['export_id']}").status_code == 404
    assert client.delete(f"/api/exports/{body['export_id']}").status_code == 404


def test_many_exports_do_not_delay_trainings(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    path = f"/api/trainings/{add_training(idle_app, zip_of_nothing())}/exports"
    exports = [client.post(path, json={"format": form}).get_json() for form in ("onnx", "torchscript", "openvino")]
    with idle_app.app_context():
        priorities = [db.session.get_one(Job, body["job_id"]).priority for body in exports]
    assert priorities == [200, 0, 0], "only the first goes before every training that waits"


def test_what_an_export_replaces_leaves_no_files(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    path = f"/api/trainings/{add_training(idle_app, zip_of_nothing())}/exports"
    first = client.post(path, json={"format": "onnx"}).get_json()
    failed_with(idle_app, first, "killed")
    exports = idle_app.extensions["services"].model_exports
    with idle_app.app_context():
        folder = exports.files.folder(exports.get(first["export_id"]))
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"x")
    assert client.post(path, json={"format": "onnx"}).get_json()["status"] == "pending"
    assert not folder.exists()
    assert not list(Path(idle_app.config["DATA_ROOT"]).glob("orphans/*")), (
        "its row is replaced, so its files are deleted"
    )


def test_an_rtdetr_has_no_suppression(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = add_training(idle_app, zip_of_nothing())
    with idle_app.app_context(), writing() as session:
        session.get_one(Training, training_id).architecture = "rtdetr-l"
    answer = client.post(f"/api/trainings/{training_id}/exports", json={"format": "onnx", "nms": True})
    assert [error["field"] for error in answer.get_json()["errors"]] == ["nms"]


def test_damaged_files_and_moved_confidences_are_caught(fitted_model: Path, tmp_path: Path) -> None:
    """Planted in a file that a runtime loads: half of its bytes; its confidences halved; its boxes shifted."""
    from app.core.exports import ExportSpec

    spec = {
        "weights": str(fitted_model / "best.pt"),
        "data": str(fitted_model / "data" / "dataset.yaml"),
        "sizes": SIZE,
    }
    command = [sys.executable, "-c", PLANT, json.dumps(spec), str(tmp_path)]
    environment = child_environment({"YOLO_CONFIG_DIR": str(fitted_model / "settings"), "YOLO_VERBOSE": "false"})
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550)
    assert completed.returncode == 0, completed.stderr[-3000:]
    results = json.loads(completed.stdout.splitlines()[-1])
    assert (
        ExportSpec.of({**spec, "sha256": "", "format": "onnx", "task": "detect", "img_size": SIZE}).allowed_loss < 0.01
    )
    assert results["intact"]["wrong"] is None
    assert results["cut"] == "NotLoadable"
    assert results["shifted"]["wrong"] == "accuracy_lost"
    halved = results["halved"]
    assert halved["verification"]["at_threshold"]["moved"] is True
    assert halved["verification"]["confidence_shift"] < -0.1
    shipped = halved["verification"]["at_threshold"]
    assert shipped["confidence"] < 0.75 * shipped["reference"]["confidence"]
    assert shipped["recall"] > 0.5, "the advised threshold finds the objects"
