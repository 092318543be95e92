"""A training from the request to the weights: the real server, a real child, a real Socket.IO client."""

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from app import create_app
from scripts.local_server import Server, settings_for
from tests.data import valid_dataset
from tests.file_kinds import unregistered_files
from tests.live import Listener

pytestmark = pytest.mark.training

TINY = {"model_version": "n", "epochs": 2, "batch_size": 4, "img_size": 64}


@pytest.fixture
def prepared(server: Server) -> tuple[Server, int]:
    """A server with a valid dataset, in both modes."""
    return with_dataset(server)


@pytest.fixture
def prepared_threading(threading_server: Server) -> tuple[Server, int]:
    """The same in one mode, for tests without another client."""
    return with_dataset(threading_server)


def with_dataset(server: Server) -> tuple[Server, int]:
    app = create_app("cli", settings_for(server.folder, SOCKETIO_ASYNC_MODE="threading"))
    return server, valid_dataset(app)


def begin(server: Server, dataset_id: int, **changes: Any) -> int:
    answer = server.post("/api/trainings", json={"name": "Run", "dataset_id": dataset_id} | TINY | changes)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body == {"message": "Treinamento iniciado", "training_id": body["training_id"], "status": "pending"}
    return body["training_id"]


def state(server: Server, training_id: int) -> dict[str, Any]:
    return server.get(f"/api/trainings/{training_id}").json()


def wait_for(server: Server, training_id: int, *statuses: str, seconds: float = 240) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = state(server, training_id)
        if now["status"] in statuses:
            return now
        time.sleep(0.1)
    raise TimeoutError(f"still {now['status']}: {now['progress']}\n{server.log()}")


def child_of(server: Server, training_id: int) -> psutil.Process:
    """The training's process."""
    folder = f"/models/{training_id}/attempts/"
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if "app.worker.run" in command and folder in command and str(server.folder) in command:
                return process
        time.sleep(0.05)
    raise TimeoutError("no process trains")


def test_two_epochs_live(prepared: tuple[Server, int]) -> None:
    server, dataset_id = prepared
    with Listener(server.url) as watcher:
        assert watcher.ask("join_dashboard", {})["ok"]
        began = time.monotonic()
        training_id = begin(server, dataset_id)
        watcher.wait("training_status", when=lambda item: item["training"]["status"] == "running")
        print(f"{server.mode}: first event {time.monotonic() - began:.2f} s after POST")
        with Listener(server.url) as late:
            snapshot = late.ask("join_training", {"training_id": training_id})
            before = [item["epoch"] for item in snapshot["metrics"]["epochs"]]  # for a slow machine that joins late
            assert snapshot["ok"]
            assert snapshot["training"]["id"] == training_id
            completed = late.wait("training_completed")
            late.wait("training_status", when=lambda item: item["training"]["status"] == "completed")
            numbers = [
                payload["seq"] for name, payload in late.received if "seq" in payload and name != "training_snapshot"
            ]
            assert numbers == sorted(numbers)
            updates = late.named("training_update")
            assert late.named("training_log")

    assert before + [update["epoch"] for update in updates] == [1, 2]
    assert set(updates[0]["metrics"]) >= {"loss", "precision", "recall", "map50", "map95", "val_loss"}
    trained = [value for name, value in updates[0]["parts"].items() if name.startswith("train/")]
    assert updates[0]["metrics"]["loss"] == pytest.approx(sum(trained))
    assert completed["model_path"] == f"/models/{training_id}/best.pt"
    assert completed["duration"] > 0
    assert set(completed["final_metrics"]) == {"precision", "recall", "map50", "map95"}

    training = state(server, training_id)
    assert training["status"] == "completed"
    assert training["current_epoch"] == training["total_epochs"] == 2
    assert training["best"]["epoch"] in {1, 2}
    assert {note["code"] for note in training["notes"]} == {"weights_scratch", "optimizer_auto"}
    epochs = server.get(f"/api/trainings/{training_id}/metrics").json()["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert epochs[0]["timestamp"].endswith("Z")

    table = server.get(f"/api/trainings/{training_id}/csv-data").json()
    assert table["columns"][0] == "epoch"
    assert [row[0] for row in table["rows"]] == [1, 2]
    response = server.get(f"/api/trainings/{training_id}/csv-data", headers={"Accept": "text/csv"})
    assert response.headers["Content-Type"].startswith("text/csv")
    assert response.text.startswith("epoch,")

    folder = server.folder / "data" / "models" / str(training_id)
    weights = (folder / "run" / "weights" / "best.pt").read_bytes()
    for address in (f"/api/trainings/{training_id}/download", completed["model_path"]):
        assert server.get(address).content == weights
    assert (folder / "config.yaml").is_file()
    assert "Starting training for 2 epochs" in server.get(f"/api/trainings/{training_id}/log").json()["text"]
    assert unregistered_files(server.folder / "data") == [], "a new kind of file: see tests/file_kinds.py"


def evaluated(server: Server, training_id: int) -> dict[str, Any]:
    """The evaluation that follows a stop."""
    until = time.monotonic() + 240
    while not state(server, training_id)["evaluated"]:
        assert time.monotonic() < until, server.log()
        time.sleep(0.2)
    assert state(server, training_id)["status"] == "cancelled"
    return server.get(f"/api/trainings/{training_id}/evaluation").json()


def test_stop_while_paused(prepared_threading: tuple[Server, int]) -> None:
    """There is no process then: one is started only for the evaluation, and resuming ends it."""
    server, dataset_id = prepared_threading
    number = begin(server, dataset_id, epochs=1000)
    with Listener(server.url) as watcher:
        watcher.ask("join_training", {"training_id": number})
        watcher.wait("training_progress", when=lambda item: item["progress"].get("epoch", 0) >= 2)
        assert server.post(f"/api/trainings/{number}/pause").status_code == 202
        watcher.wait("training_status", when=lambda item: item["training"]["status"] == "paused")
        assert not state(server, number)["evaluated"]
        assert server.post(f"/api/trainings/{number}/stop").json()["status"] == "cancelled"
        assert evaluated(server, number)["objects"] == 2
        watcher.wait("training_status", when=lambda item: item["training"]["evaluated"])
    assert "resume" in state(server, number)["actions"]


def test_stop_while_another_waits(prepared: tuple[Server, int]) -> None:
    server, dataset_id = prepared
    with Listener(server.url) as watcher:
        first = begin(server, dataset_id, epochs=1000)
        second = begin(server, dataset_id)
        watcher.ask("join_training", {"training_id": first})
        watcher.wait("training_progress", when=lambda item: item["progress"].get("epoch", 0) >= 2)
        assert state(server, second)["status"] == "pending"

        waiting = server.post(f"/api/trainings/{second}/stop")
        assert (waiting.status_code, waiting.json()["status"]) == (202, "cancelled")
        began = time.monotonic()
        assert server.post(f"/api/trainings/{first}/stop").status_code == 202
        end = watcher.wait("training_cancelled")
        print(f"{server.mode}: stopped {time.monotonic() - began:.2f} s after the request")
    assert end["downloadable"]
    assert state(server, first)["status"] == "cancelled"
    assert server.get(f"/api/trainings/{first}/download").status_code == 200
    table = server.get(f"/api/trainings/{first}/csv-data").json()["rows"]
    summary = evaluated(server, first)
    assert (summary["images"], len(summary["names"])) == (2, 1), (
        "as at a normal end, though the stop was answered before"
    )
    assert server.get(f"/api/trainings/{first}/csv-data").json()["rows"] == table, "its results are untouched"
    (measured,) = server.get(f"/api/trainings/{first}/evaluations").json()["evaluations"]
    assert (measured["split"], measured["checkpoint"]) == ("val", "best"), "one kind of evaluation, with its page"
    again = server.post(f"/api/trainings/{first}/stop")
    assert again.status_code == 409
    assert again.headers["Content-Type"] == "application/problem+json"
    assert server.get(f"/api/trainings/{second}/download").status_code == 404


def test_a_killed_child_goes_on_and_so_does_the_queue(prepared_threading: tuple[Server, int]) -> None:
    """Under eventlet a child is killed by the fault of everything in one training, see tests/faults/test_web.py."""
    server, dataset_id = prepared_threading
    with Listener(server.url) as watcher:
        first = begin(server, dataset_id, epochs=6)
        second = begin(server, dataset_id, epochs=1)
        child = child_of(server, first)
        watcher.ask("join_training", {"training_id": first})
        watcher.wait("training_update")
    child.kill()
    killed = time.monotonic()
    while not any(note["code"] == "restarted_killed" for note in state(server, first)["notes"]):
        assert time.monotonic() - killed < 120
        time.sleep(0.05)
    print(f"{server.mode}: goes on {time.monotonic() - killed:.2f} s after kill -9")
    assert wait_for(server, first, "completed", "failed")["status"] == "completed"
    epochs = server.get(f"/api/trainings/{first}/metrics").json()["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    table = server.get(f"/api/trainings/{first}/csv-data").json()
    assert [row[0] for row in table["rows"]] == [1, 2, 3, 4, 5, 6]
    assert wait_for(server, second, "completed")["current_epoch"] == 1


def test_server_restart_follows_the_training(tmp_path: Path) -> None:
    """The child outlives the server; a new one records each epoch once."""
    with Server(tmp_path, "threading") as server:
        app = create_app("cli", settings_for(tmp_path, SOCKETIO_ASYNC_MODE="threading"))
        training_id = begin(server, valid_dataset(app), epochs=8)
        process = child_of(server, training_id)
        with Listener(server.url) as watcher:
            watcher.ask("join_training", {"training_id": training_id})
            watcher.wait("training_update")
            process.suspend()  # it would be completed before a busy machine has killed the server
        server.kill()
        assert process.is_running()
        server.start()
        process.resume()
        assert wait_for(server, training_id, "completed")["current_epoch"] == 8
        epochs = server.get(f"/api/trainings/{training_id}/metrics").json()["epochs"]
        assert [epoch["epoch"] for epoch in epochs] == list(range(1, 9))


@pytest.mark.parametrize("server", ["eventlet"], indirect=True)
def test_real_dataset(server: Server, bccd_yolo: Path) -> None:
    """364 blood-cell images: upload, one epoch at 160 px."""
    with open(bccd_yolo, "rb") as file:
        answer = server.post("/api/datasets", files={"file": file}, data={"name": "Blood cells"})
    assert answer.status_code == 201, answer.text
    dataset_id = answer.json()["dataset_id"]
    until = time.monotonic() + 180
    while server.get(f"/api/datasets/{dataset_id}").json()["status"] in {"pending", "validating"}:
        assert time.monotonic() < until
        time.sleep(0.2)
    training_id = begin(server, dataset_id, epochs=1, img_size=160, batch_size=16)
    row = wait_for(server, training_id, "completed", seconds=240)
    assert row["current_epoch"] == 1
    assert row["best"]["loss"] > 0
