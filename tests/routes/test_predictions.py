"""A model as a service: an image in, detections out, by the fastest verified engine."""

import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app import create_app
from app.core.cpu import cpu_name, has_bfloat16
from app.database import writing
from app.extensions import db
from app.models import Dataset, ModelExport, Test, Training
from scripts.client.yolo_client.cli import main
from scripts.fitted_model import NAMES, SIZE
from scripts.local_server import settings_for
from tests.conftest import close_app
from tests.data import image_bytes
from tests.random_weights import add_training

pytestmark = pytest.mark.timeout(600)
JPEG = {"Content-Type": "image/jpeg", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    app = create_app("web", settings_for(tmp_path_factory.mktemp("app"), SOCKETIO_ASYNC_MODE="threading"))
    yield app
    close_app(app)


@pytest.fixture
def client(serving: APIFlask) -> FlaskClient:
    return serving.test_client()


def add_fitted(app: APIFlask, fitted_model: Path) -> int:
    """A training with the model and the dataset of `fitted_model`."""
    training_id = add_training(app, (fitted_model / "best.pt").read_bytes())
    with app.app_context():
        with writing() as session:
            training = session.get_one(Training, training_id)
            training.img_size = SIZE
            dataset = session.get_one(Dataset, training.dataset_id)
            dataset.classes = list(NAMES)
            dataset_id = dataset.id
        folder = Path(app.config["DATASETS_DIR"]) / str(dataset_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.yaml").write_text((fitted_model / "data" / "dataset.yaml").read_text())
    return training_id


@pytest.fixture(scope="module")
def training(serving: APIFlask, fitted_model: Path) -> int:
    return add_fitted(serving, fitted_model)


@pytest.fixture(scope="module")
def exported(serving: APIFlask, fitted_model: Path) -> int:
    """A training with a verified export to OpenVINO."""
    training_id, client = add_fitted(serving, fitted_model), serving.test_client()
    body = client.post(f"/api/trainings/{training_id}/exports", json={"format": "openvino"}).get_json()
    until = time.monotonic() + 500
    while (export := client.get(f"/api/exports/{body['export_id']}").get_json())["status"] in {"pending", "running"}:
        assert time.monotonic() < until, export
        time.sleep(0.1)
    assert export["status"] == "completed", export
    with serving.app_context():
        timed = db.session.query(ModelExport).filter_by(training_id=training_id).one().details["run_times"]
    assert timed["cpu"] == cpu_name()
    assert {"pytorch", "f32"} <= set(timed["ms"])
    assert min(timed["ms"].values()) > 0
    change_export(serving, training_id, 0.5)
    return training_id


def change_export(app: APIFlask, training_id: int, times: float, cpu: str = "") -> None:
    """Set its time relative to that of the .pt, since the measured one depends on the machine.

    Args:
        cpu: on which it was also verified in bfloat16, at twice the speed; empty: on none.
    """
    with app.app_context(), writing() as session:
        row = session.query(ModelExport).filter_by(training_id=training_id).one()
        timed = {"cpu": cpu, "ms": {"pytorch": 10.0, "f32": 10.0 * times, "bf16": 5.0 * times}}
        details = {name: value for name, value in row.details.items() if name != "bfloat16"}
        row.details = details | {"run_times": timed} | ({"bfloat16": {"cpu": cpu}} if cpu else {})


def picture(fitted_model: Path, number: int = 0) -> bytes:
    buffer = io.BytesIO()
    with Image.open(fitted_model / "data" / "images" / "val" / f"{number}.png") as image:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def send(client: FlaskClient, training: Any, image: bytes, query: str = "", **headers: str) -> TestResponse:
    return client.post(f"/api/models/{training}/predict{query}", data=image, headers=JPEG | headers)


def files_below(app: APIFlask) -> set[Path]:
    root = Path(app.config["DATA_ROOT"])
    return {path for name in ("tmp", "tests") for path in (root / name).rglob("*")}


def test_an_image_yields_detections(client: FlaskClient, serving: APIFlask, training: int, fitted_model: Path) -> None:
    before = files_below(serving)
    answer = send(client, training, picture(fitted_model))
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert body["detections"]
    assert {"class", "confidence", "bbox", "center", "area"} == set(body["detections"][0])
    assert (body["engine"], body["engine_note"], body["device"], body["precision"]) == (
        "pytorch",
        None,
        "cpu",
        "single",
    )
    assert (body["confidence"], body["iou"], body["classes"]) == (0.5, 0.5, {})
    assert (body["width"], body["height"], body["task"]) == (SIZE, SIZE, "detect")
    speed = body["speed_ms"]
    assert 0 < speed["inference"] < speed["total"]
    assert "labels" not in body
    form = {"file": (io.BytesIO(picture(fitted_model)), "a.png"), "format": "yolo"}
    by_form = client.post(f"/api/models/{training}/predict", data=form).get_json()
    assert by_form["detections"] == body["detections"]
    test = client.post(
        "/api/tests", data={"file": (io.BytesIO(picture(fitted_model)), "a.png"), "training_id": str(training)}
    )
    assert test.get_json()["detections"] == body["detections"], "the same model, engine and thresholds"
    assert client.delete(f"/api/tests/{test.get_json()['test_id']}").status_code == 200
    assert files_below(serving) == before, "nothing is stored"
    with serving.app_context():
        assert db.session.query(Test).count() == 0


def test_label_lines_are_those_of_a_dataset(client: FlaskClient, training: int, fitted_model: Path) -> None:
    body = send(client, training, picture(fitted_model), "?format=yolo").get_json()
    assert len(body["labels"]) == len(body["detections"])
    for line, item in zip(body["labels"], body["detections"], strict=True):
        kind, *numbers = line.split()
        assert NAMES[int(kind)] == item["class"]
        x, y, width, height = (float(number) * SIZE for number in numbers)
        box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        assert box == pytest.approx(item["bbox"], abs=0.02)


def test_the_thresholds_of_the_model_are_its_defaults(client: FlaskClient, training: int, fitted_model: Path) -> None:
    every = send(client, training, picture(fitted_model), "?confidence=0.01").get_json()["detections"]
    kinds = {item["class"] for item in every}
    assert len(every) > 2, kinds
    kind = every[0]["class"]
    chosen = {"confidence": 0.02, "iou": 0.6, "classes": {kind: 0.9999}}
    assert client.put(f"/api/trainings/{training}/thresholds", json=chosen).status_code == 200
    try:
        body = send(client, training, picture(fitted_model)).get_json()
        assert {name: body[name] for name in chosen} == chosen
        assert kind not in {item["class"] for item in body["detections"] if item["confidence"] < 0.9999}
        body = send(client, training, picture(fitted_model), "?confidence=0.3").get_json()
        assert (body["confidence"], body["iou"], body["classes"]) == (0.3, 0.6, {}), (
            "what is sent wins, for all classes"
        )
        sent = json.dumps({kind: 0.5})
        body = client.post(
            f"/api/models/{training}/predict",
            data={"file": (io.BytesIO(picture(fitted_model)), "a.png"), "classes": sent, "iou": "0.4"},
        ).get_json()
        assert (body["confidence"], body["iou"], body["classes"]) == (0.02, 0.4, {kind: 0.5})
    finally:
        client.put(f"/api/trainings/{training}/thresholds", json={})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?confidence=2", "confidence"),
        ("?iou=nan", "iou"),
        ("?classes=[]", "classes"),
        ("?classes={", "classes"),
        ('?classes={"round":7}', "classes"),
        ('?classes={"nobody":0.5}', "classes"),
        ("?format=xml", "format"),
    ],
)
def test_what_cannot_be_used_is_named(
    client: FlaskClient, training: int, fitted_model: Path, query: str, field: str
) -> None:
    answer = send(client, training, picture(fitted_model), query)
    assert answer.status_code in {400, 422}, answer.text
    assert field in answer.text


def test_faults_are_answered_as_those_of_tests(client: FlaskClient, serving: APIFlask, training: int) -> None:
    image = image_bytes((320, 240))
    assert send(client, 987654, image).status_code == 404
    assert send(client, add_training(serving, None), image).status_code == 409
    broken = send(client, training, image[:300])
    assert (broken.status_code, broken.mimetype) == (422, "application/problem+json")
    assert send(client, training, b"").status_code == 422
    assert send(client, training, b"GIF89a" + image).status_code == 422
    assert client.post(f"/api/models/{training}/predict", data=b"x", content_type="text/plain").status_code == 415
    assert (
        client.post(
            f"/api/models/{training}/predict", data={"iou": "0.5"}, content_type="multipart/form-data"
        ).status_code
        == 422
    )
    large = io.BytesIO()
    Image.new("1", (13000, 13000)).save(large, "PNG")
    assert send(client, training, large.getvalue()).status_code == 413
    slots = serving.extensions["services"].inference.serving._slots
    occupied = 0
    while slots.acquire(blocking=False):
        occupied += 1
    try:
        refused = send(client, training, image)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    finally:
        for _ in range(occupied):
            slots.release()
    assert send(client, training, image).status_code == 200


def test_requests_at_the_same_time_run_together(serving: APIFlask, training: int, fitted_model: Path) -> None:
    """An invalid one does not affect the others."""
    images = [picture(fitted_model, number) for number in range(10)] * 2
    alone = [send(serving.test_client(), training, image).get_json() for image in images[:10]]

    def ask(number: int) -> TestResponse:
        image = images[number] if number % 7 else images[number][:200]
        return send(serving.test_client(), training, image)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    for number, answer in enumerate(answers):
        assert answer.status_code == (200 if number % 7 else 422)
        if number % 7:
            assert close(answer.get_json()["detections"], alone[number % 10]["detections"])
    assert all(answer["batch"] == 1 for answer in alone)


def close(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether these are the same detections: sums in a batch are rounded in another order."""
    if len(actual) != len(expected):
        return False
    pairs = zip(actual, expected, strict=True)
    return all(
        first["class"] == second["class"] and first["bbox"] == pytest.approx(second["bbox"], abs=0.5)
        for first, second in pairs
    )


def test_the_verified_export_runs_where_it_is_faster(
    client: FlaskClient, serving: APIFlask, exported: int, fitted_model: Path
) -> None:
    fast = send(client, exported, picture(fitted_model)).get_json()
    assert (fast["engine"], fast["engine_note"]) == ("openvino", None)
    change_export(serving, exported, 1.5)
    slow = send(client, exported, picture(fitted_model)).get_json()
    change_export(serving, exported, 0.5)
    assert slow["engine"] == "pytorch"
    assert close(fast["detections"], slow["detections"]), "its boxes are those of the .pt"
    assert [item["confidence"] for item in fast["detections"]] == pytest.approx(
        [item["confidence"] for item in slow["detections"]], abs=0.01
    )
    form = {"file": (io.BytesIO(picture(fitted_model)), "a.png"), "training_id": str(exported)}
    test = client.post("/api/tests", data=form).get_json()
    assert set(test) == {"test_id", "detections", "inference_time", "image_url", "total_time"}
    assert test["detections"] == fast["detections"], "tests have the same engine"
    with ThreadPoolExecutor(8) as pool:
        together = list(
            pool.map(lambda _: send(serving.test_client(), exported, picture(fitted_model)).get_json(), range(16))
        )
    assert all(close(body["detections"], fast["detections"]) for body in together)


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16")
def test_bfloat16_runs_where_it_was_verified(
    client: FlaskClient, serving: APIFlask, exported: int, fitted_model: Path
) -> None:
    def answer(times: float, cpu: str) -> tuple[str, str]:
        change_export(serving, exported, times, cpu)
        body = send(client, exported, picture(fitted_model)).get_json()
        assert body["detections"]
        return body["engine"], body["precision"]

    assert answer(0.5, cpu_name()) == ("openvino", "bfloat16")
    assert answer(1.2, cpu_name()) == ("openvino", "bfloat16"), "only so it is faster than the .pt"
    assert answer(0.5, "another one") == ("openvino", "single")
    assert answer(0.5, "") == ("openvino", "single")


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_damaged_export_is_not_used_and_the_response_notes_it(
    client: FlaskClient, serving: APIFlask, exported: int, fitted_model: Path, how: str
) -> None:
    assert send(client, exported, picture(fitted_model)).get_json()["engine"] == "openvino"
    (weights,) = (Path(serving.config["MODELS_DIR"]) / str(exported) / "exports").rglob("*.bin")
    content = weights.read_bytes()
    if how == "changed":  # the same size, other numbers: it would load, and detect something else
        weights.write_bytes(content[:-5000] + bytes(5000))
    else:
        weights.unlink()
    body = send(client, exported, picture(fitted_model)).get_json()
    assert body["engine"] == "pytorch"
    assert ("damaged" if how == "changed" else "missing") in body["engine_note"]
    assert body["detections"]
    weights.write_bytes(content)
    assert send(client, exported, picture(fitted_model)).get_json()["engine"] == "openvino", "intact again"


def test_a_run_is_deleted_while_it_answers(client: FlaskClient, serving: APIFlask, fitted_model: Path) -> None:
    number = add_fitted(serving, fitted_model)
    assert send(client, number, picture(fitted_model)).status_code == 200
    stop, codes = threading.Event(), set()

    def ask() -> None:
        while not stop.is_set():
            codes.add(send(serving.test_client(), number, picture(fitted_model)).status_code)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(ask)
        client.delete(f"/api/trainings/{number}")
        assert client.delete(f"/api/trainings/{number}?permanent=true").status_code == 200
        stop.set()
    assert codes <= {200, 404, 409}
    assert send(client, number, picture(fitted_model)).status_code == 404
    shutil.rmtree(Path(serving.config["MODELS_DIR"]) / str(number), ignore_errors=True)


def test_the_client_predicts(
    serving: APIFlask,
    training: int,
    fitted_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: Any,
) -> None:
    (tmp_path / "a.png").write_bytes(picture(fitted_model))
    server = make_server("127.0.0.1", 0, serving, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        command = ["yolo-client", "--url", url, "predict", str(training), str(tmp_path / "a.png")]
        monkeypatch.setattr("sys.argv", [*command, "--labels", str(tmp_path / "labels"), "--confidence", "0.4"])
        assert main() == 0
    finally:
        server.shutdown()
        thread.join()
    body = json.loads(capsys.readouterr().out)
    assert (body["image"], body["confidence"]) == (str(tmp_path / "a.png"), 0.4)
    assert (tmp_path / "labels" / "a.txt").read_text().splitlines() == body["labels"]
