"""A real training whose dataset gets another revision meanwhile: it ends with its initial revision."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.local_server import Server
from tests.data import zip_bytes
from tests.routes.test_revisions import files
from tests.test_uploads import wait_for_dataset
from tests.worker.importing.test_archive import snapshot

TINY = {"model_version": "n", "epochs": 3, "batch_size": 4, "img_size": 32}


def until(server: Server, path: str, reached: Any, seconds: float = 200) -> dict[str, Any]:
    limit = time.monotonic() + seconds
    while not reached(body := server.get(path).json()):
        assert time.monotonic() < limit, body
        time.sleep(0.1)
    return body


@pytest.mark.training
def test_a_training_ends_on_its_revision(threading_server: Server) -> None:
    server = threading_server
    response = server.post("/api/datasets", data={"name": "pets"}, files={"file": ("pets.zip", zip_bytes(files(24)))})
    dataset_id = response.json()["dataset_id"]
    wait_for_dataset(server, dataset_id)
    training = server.post("/api/trainings", json={"dataset_id": dataset_id} | TINY).json()["training_id"]
    until(server, f"/api/trainings/{training}", lambda row: row["status"] == "running")
    folder = Path(server.folder, f"data/datasets/{dataset_id}/revisions/1")
    before = snapshot(folder)

    changes = {"rename": {"cat": "animal", "dog": "animal"}, "split": {"train": 1, "val": 1, "test": 0}}
    assert server.post(f"/api/datasets/{dataset_id}/revisions", json=changes).status_code == 202
    current = until(server, f"/api/datasets/{dataset_id}", lambda body: body["revision"] == 2)
    assert current["classes"] == ["animal"]

    row = until(server, f"/api/trainings/{training}", lambda row: row["status"] not in {"pending", "running"})
    assert (row["status"], row["revision"], row["error"]) == ("completed", 1, None)
    hashes = {item["number"]: item["hash"] for item in revisions(server, dataset_id)}
    assert row["dataset_revision"] == hashes[1] != hashes[2]
    config = yaml.safe_load(Path(server.folder, f"data/models/{training}/config.yaml").read_text())
    assert config["dataset_revision"] == hashes[1], "as the training process itself read it"
    assert Path(config["arguments"]["data"]) == folder / "dataset.yaml"
    after = {name: content for name, content in snapshot(folder).items() if not name.endswith(".cache")}
    assert after == before, "neither the training nor the new revision changed a byte"
    with zipfile.ZipFile(io.BytesIO(server.get(f"/api/trainings/{training}/bundle").content)) as bundle:
        assert yaml.safe_load(bundle.read("dataset.yaml"))["names"] == {0: "cat", 1: "dog"}

    again = server.post(f"/api/trainings/{training}/run-again")
    assert again.status_code == 201, again.text
    second = server.get(f"/api/trainings/{again.json()['training_id']}").json()
    assert (second["revision"], second["dataset_revision"]) == (1, hashes[1])
    fresh = server.post("/api/trainings", json={"dataset_id": dataset_id} | TINY).json()["training_id"]
    assert server.get(f"/api/trainings/{fresh}").json()["revision"] == 2
    assert {item["number"]: item["trainings"] for item in revisions(server, dataset_id)} == {
        2: [fresh],
        1: [training, second["id"]],
    }


def revisions(server: Server, dataset_id: int) -> list[dict[str, Any]]:
    return server.get(f"/api/datasets/{dataset_id}/revisions").json()["revisions"]
