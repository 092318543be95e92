"""Whether pretrained weights are available is checked before a run starts, and changes the presets."""

import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.database import writing
from app.models import Estimate, now
from app.services.weights import TIMEOUT_S, PretrainedWeights, WeightsState
from tests.data import valid_dataset
from tests.routes.test_datasets import ENGLISH


class Published(BaseHTTPRequestHandler):
    """A server that has yolov8n.pt."""

    requests: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self.requests.append(self.path)
        if self.path != "/yolov8n.pt":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "6549796")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Published.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Published)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and does not respond."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_local_and_downloadable_weights(idle_app: APIFlask, tmp_path: Path, address: str) -> None:
    weights = PretrainedWeights(tmp_path, address)
    with idle_app.app_context():
        assert weights.find("yolov8n", wait=20) == WeightsState("available", 6549796)
        assert weights.find("yolov8n", wait=0) == WeightsState("available", 6549796)
        assert Published.requests == ["/yolov8n.pt"], "tried once"
        assert weights.find("yolov8s", wait=20) == WeightsState("unavailable", cause="missing")
        assert PretrainedWeights(tmp_path, "http://127.0.0.1:9").find("yolov8n", wait=20).cause == "unreachable"
        assert PretrainedWeights(tmp_path, "").find("yolov8n", wait=0) == WeightsState("unavailable", cause="off")
        with zipfile.ZipFile(tmp_path / "yolov8n.pt", "w") as archive:
            archive.writestr("data.pkl", b"x")
        assert PretrainedWeights(tmp_path, "").find("yolov8n", wait=0).state == "cached"


def defaults(app: APIFlask, dataset_id: int, **query: Any) -> dict[str, dict[str, Any]]:
    answer = app.test_client().get(f"/api/datasets/{dataset_id}/training-defaults", query_string=query, headers=ENGLISH)
    return {preset["name"]: preset for preset in answer.get_json()["presets"]}


def test_from_scratch_changes_presets_and_epochs(idle_app: APIFlask) -> None:
    """The tests' server has no downloads: earlier, 20 epochs were proposed and the run reported it afterwards."""
    dataset_id = valid_dataset(idle_app, train=240, val=60)
    client = idle_app.test_client()
    answer = client.get("/api/weights?model=yolov8n", headers=ENGLISH).get_json()
    assert (answer["state"], answer["cause"], answer["name"]) == ("unavailable", "off", "yolov8n.pt")
    assert "from scratch" in answer["message"]
    assert client.get("/api/weights?model=yolov8").status_code == 404
    assert client.get("/api/weights?model=../x").status_code == 404
    without, chosen = defaults(idle_app, dataset_id), defaults(idle_app, dataset_id, start="scratch")
    tuned = defaults(idle_app, dataset_id, start="training")
    for name in ("quick", "balanced", "best"):
        assert without[name] == chosen[name]
        assert (without[name]["scratch"], tuned[name]["scratch"]) == (True, False)
        assert without[name]["values"]["epochs"] >= 1.5 * tuned[name]["values"]["epochs"]
        reasons = {item["field"]: item["message"] for item in without[name]["reasons"]}
        assert "From scratch" in reasons["epochs"]


def test_presets_do_not_wait_for_the_weights(idle_app: APIFlask, silent: str) -> None:
    """Earlier, the form stayed a skeleton for seconds if nothing responded."""
    weights, dataset_id = idle_app.extensions["services"].weights, valid_dataset(idle_app, train=240, val=60)
    weights.address = silent
    began = time.monotonic()
    checking = defaults(idle_app, dataset_id)
    assert time.monotonic() - began < TIMEOUT_S
    assert [(preset["checking"], preset["scratch"]) for preset in checking.values()] == [(True, False)] * 3
    scratch = defaults(idle_app, dataset_id, start="scratch")
    assert not any(preset["checking"] for preset in scratch.values()), "no weights are needed"
    with idle_app.app_context():
        for model in ("yolov8n", "yolov8s"):
            assert weights.find(model, wait=20).cause == "unreachable"
    assert defaults(idle_app, dataset_id) == scratch


def test_a_preset_shows_its_time_once_it_is_estimated(idle_app: APIFlask) -> None:
    dataset_id = valid_dataset(idle_app, train=240, val=60)
    before = defaults(idle_app, dataset_id)
    assert {preset["seconds"] for preset in before.values()} == {None}
    figures = {
        "fits": True,
        "batch": 16,
        "batches": 15,
        "val_batches": 2,
        "start_seconds": 5.0,
        "batch_seconds": 0.5,
        "plain_batch_seconds": 0.4,
        "val_seconds": 2.0,
        "save_seconds": 0.2,
        "measured_batches": 30,
        "parameters": 3_000_000,
        "checkpoint_bytes": 1,
        "memory": 1,
        "memory_total": 2,
        "device": "cpu",
    }
    estimates = idle_app.extensions["services"].estimates
    with idle_app.app_context(), writing() as session:
        values = {"dataset_id": dataset_id, "params": {}} | before["quick"]["values"]
        session.add(Estimate(key=estimates.check(values).key, figures=figures, created_at=now()))
    after = defaults(idle_app, dataset_id)
    epochs = after["quick"]["values"]["epochs"]
    assert after["quick"]["seconds"] == pytest.approx(5 + (epochs - 10) * 7.5 + 10 * 6 + epochs * 2.2 + 2 + 2.5, abs=1)
    tuned = defaults(idle_app, dataset_id, start="training")
    assert 0 < tuned["quick"]["seconds"] < after["quick"]["seconds"], "fewer epochs of the same pace"
