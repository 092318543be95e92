"""A run can be reproduced: its bundle, and another run with the same numbers."""

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.models import Training
from app.schemas import TrainingIn
from app.services.trainer.bundle import harmless, portable_arguments
from tests.data import valid_dataset

TINY = {"model_version": "n", "epochs": 2, "batch_size": 4, "img_size": 32}


def wait_until_finished(client: FlaskClient, training_id: int, seconds: float = 200) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (row := client.get(f"/api/trainings/{training_id}").get_json())["status"] in {"pending", "running"}:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert row["status"] == "completed", row
    return row


def measures(client: FlaskClient, training_id: int) -> list[dict[str, Any]]:
    epochs = client.get(f"/api/trainings/{training_id}/metrics").get_json()["epochs"]
    names = ("epoch", "loss", "val_loss", "precision", "recall", "map50", "map95", "learning_rate", "parts")
    return [{name: epoch[name] for name in names} for epoch in epochs]


def again(client: FlaskClient, training_id: int, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/api/trainings/{training_id}/run-again", **({"json": body} if body else {}))
    return answer.status_code, answer.get_json()


@pytest.mark.training
def test_the_same_run_once_more(app: APIFlask, client: FlaskClient) -> None:
    dataset_id = valid_dataset(app, train=8, val=4)
    name = "<b>Cars</b> | `rm -rf` ../../x\u202e"
    body = {"name": name, "dataset_id": dataset_id, "params": {"seed": 7}} | TINY
    first = client.post("/api/trainings", json=body).get_json()["training_id"]
    wait_until_finished(client, first)
    status, answer = again(client, first)
    assert (status, answer["status"]) == (201, "pending"), answer
    second = answer["training_id"]
    check_bundle(client, first, name)
    row = wait_until_finished(client, second)
    assert row["params"] == {"seed": 7, "optimizer": "auto", "workers": 0, "device": "cpu"}
    assert measures(client, second) == measures(client, first)
    assert len(measures(client, second)) == 2

    (Path(app.config["DATASETS_DIR"]) / str(dataset_id) / "labels/train/000.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    status, answer = again(client, first)
    assert status == 409
    assert "dataset" in answer["detail"].lower()
    app.extensions["services"].close()  # it need not run
    assert again(client, first, anyway=True)[0] == 201


def check_bundle(client: FlaskClient, training_id: int, name: str) -> None:
    """Asserts that a bundle is complete, safe, and usable."""
    answer = client.get(f"/api/trainings/{training_id}/bundle")
    assert answer.status_code == 200
    header = answer.headers["Content-Disposition"]
    assert header == f"attachment; filename=b-Cars-b-rm--rf-..-..-x-{training_id}-bundle.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        files = {item: archive.read(item) for item in archive.namelist()}
    expected = {"README.md", "config.yaml", "args.yaml", "dataset.yaml", "request.json", "results.csv"}
    assert set(files) >= expected | {"weights/best.pt", "log/attempt-1.log", "log/attempt-1-events.jsonl"}
    assert [item for item in files if item.startswith("plots/")]
    here = client.application.config["DATA_ROOT"].encode()
    assert not [item for item, content in files.items() if here in content and not item.endswith(".pt")]
    assert all(".." not in item and not item.startswith("/") for item in files)
    config = yaml.safe_load(files["config.yaml"])
    assert len(config["dataset_revision"]) == 64
    assert (config["seed"], config["device"], config["optimizer"]) == (7, "cpu", "AdamW")
    assert set(config["versions"]) >= {"python", "torch", "ultralytics"}
    assert len(config["arguments"]) > 80
    arguments = yaml.safe_load(files["args.yaml"])
    assert (arguments["model"], arguments["data"], arguments["seed"]) == ("yolov8n.yaml", "dataset.yaml", 7)
    assert "project" not in arguments
    assert yaml.safe_load(files["dataset.yaml"])["names"] == {0: "thing"}
    assert not TrainingIn().validate(json.loads(files["request.json"]))
    readme = files["README.md"].decode()
    assert config["dataset_revision"] in readme
    assert "<b>" not in readme.replace("\\<", "")
    assert name not in readme


def test_what_never_started_has_no_bundle(idle_app: APIFlask) -> None:
    client = idle_app.test_client()
    training_id = client.post("/api/trainings", json={"dataset_id": valid_dataset(idle_app)} | TINY).get_json()[
        "training_id"
    ]
    assert client.get(f"/api/trainings/{training_id}/bundle").status_code == 404
    assert client.get("/api/trainings/99/bundle").status_code == 404
    assert again(client, 99)[0] == 404
    assert again(client, training_id, other=1)[0] == 422


def test_resolved_values_replace_automatic_ones(idle_app: APIFlask) -> None:
    """A halved batch, resolved weights, an optimizer that another version would choose differently."""
    client = idle_app.test_client()
    training_id = client.post("/api/trainings", json={"dataset_id": valid_dataset(idle_app)} | TINY).get_json()[
        "training_id"
    ]
    folder = Path(idle_app.config["MODELS_DIR"]) / str(training_id)
    folder.mkdir(parents=True)
    used = {
        "optimizer": "AdamW",
        "versions": {"ultralytics": "8.0.0"},
        "arguments": {"seed": 3, "workers": 2},
        "start_weights": {"name": "yolov8n.pt", "sha256": "0" * 64},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(used))
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        row.batch_now, row.weights, row.device, row.learning_rate = 2, "official", "cpu", 0.002
    status, answer = again(client, training_id)
    assert status == 409
    assert "yolov8n.pt" in answer["detail"]
    status, answer = again(client, training_id, anyway=True)
    assert status == 201
    with idle_app.app_context(), writing() as session:
        new = session.get_one(Training, answer["training_id"])
        assert new.params == {"optimizer": "AdamW", "momentum": 0.9, "seed": 3, "workers": 2, "device": "cpu"}
        assert (new.batch_size, new.learning_rate, new.start) == (2, 0.002, {"kind": "official"})
        assert (new.cloned_from, new.status, new.total_epochs) == (training_id, "pending", 2)
    keyed = {"json": {"anyway": True}, "headers": {"Idempotency-Key": "a"}}
    answers = [client.post(f"/api/trainings/{training_id}/run-again", **keyed).get_json() for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert client.get("/api/trainings").get_json()["total"] == 3


def test_names_cannot_become_markup() -> None:
    assert harmless("a\nb <i>`x`</i> [l](u)") == "a b \\<i\\>\\`x\\`\\</i\\> \\[l\\](u)"
    assert portable_arguments({"model": "/srv/w/yolov8n.pt", "project": "/srv", "lr0": 1})["model"] == "yolov8n.pt"
