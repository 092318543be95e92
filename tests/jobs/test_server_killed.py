"""kill -9 of the server while jobs run: no child stays without an owner, each job continues or reports why not."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.jobs.process import find_children
from scripts.local_server import Server
from tests.data import checkpoint_bytes, image_bytes
from tests.faults.tools import add_dataset, kill_server, wait_until
from tests.jobs.background_work import add_model, completed_run, in_background
from tests.jobs.frozen import freeze_child, freezing, frozen_child, programs
from tests.random_weights import write_weights
from tests.test_uploads import drawn_zip
from tests.videos import drawn_video


def test_estimate(tmp_path: Path) -> None:
    """kill -9 of the server, kill -9 of the child, and ON_SHUTDOWN=stop: it continues or restarts, and is stopped."""
    root = tmp_path / "data" / "jobs"
    with Server(tmp_path, "threading", ON_SHUTDOWN="stop", **freezing(tmp_path, "estimate")) as server:
        body = {"dataset_id": add_dataset(server), "model_version": "n", "epochs": 3, "batch_size": 4, "img_size": 64}
        assert server.post("/api/trainings/estimate", json=body).status_code == 202
        pid = frozen_child(server, "estimate")

        def job() -> dict[str, Any]:
            (only,) = server.get("/api/jobs?kind=estimate").json()["jobs"]
            return only

        kill_server(server)
        server.start()
        assert (job()["status"], job()["attempt"], job()["device"]) == ("running", 1, "cpu"), "it is followed"
        assert server.post("/api/trainings/estimate", json=body).json()["status"] == "measuring"
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: job()["attempt"] == 2 and list(find_children(root)), 90, "it begins again")

        assert server.stop() == 0
        wait_until(lambda: not list(find_children(root)), 60, "it ended with the server")
        server.start()
        wait_until(lambda: job()["status"] == "running" and list(find_children(root)), 90, "it begins again")
        server.post(f"/api/jobs/{job()['id']}/stop")
        wait_until(lambda: job()["status"] == "cancelled", 60, "it is stopped")
        assert not list(find_children(root))
        assert server.post("/api/trainings/estimate", json=body).json()["status"] == "unavailable"


def newest(server: Server, kind: str) -> dict[str, Any]:
    return server.get(f"/api/jobs?kind={kind}").json()["jobs"][0]


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_export_and_sample(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "data" / "jobs"
    with Server(tmp_path, mode, **freezing(tmp_path, "export_dataset", "sample")) as server:
        dataset_id = add_dataset(server)
        address = f"/api/datasets/{dataset_id}/export?format=coco"
        request = in_background(server, "GET", address)
        pid = frozen_child(server, "export_dataset")
        kill_server(server)
        request.join(60)
        server.start()
        job = newest(server, "export_dataset")
        assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
        os.kill(pid, signal.SIGCONT)
        wait_until(
            lambda: server.get(f"/api/jobs/{job['id']}").json()["status"] == "completed", 60, "the export is made"
        )
        answer = server.get(address)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")

        request = in_background(server, "POST", "/api/datasets/sample")
        frozen_child(server, "sample")
        kill_server(server)
        request.join(60)
        server.start()
        wait_until(lambda: not list(find_children(root)), 60, "no child is left")
        drawing = newest(server, "draw_sample")
        assert (drawing["status"], drawing["error"]["code"]) == ("failed", "interrupted")


def test_hash(tmp_path: Path) -> None:
    """No request is waiting for it any more; the next one starts it again."""
    with Server(tmp_path, "threading", **freezing(tmp_path, "hash_revision")) as server:
        training_id = completed_run(server, add_dataset(server))
        address = f"/api/trainings/{training_id}/run-again"
        request = in_background(server, "POST", address)
        frozen_child(server, "hash_revision")
        kill_server(server)
        request.join(60)
        server.start()
        wait_until(lambda: not list(find_children(tmp_path / "data" / "jobs")), 60, "no child is left")
        job = newest(server, "hash_revision")
        assert (job["status"], job["error"]["code"]) == ("failed", "interrupted")
        assert server.post(address).status_code == 409, "its dataset is not what it was"
        assert newest(server, "hash_revision")["status"] == "completed"


def test_video(tmp_path: Path) -> None:
    """Followed by the next server; when its child is killed, too, it restarts, and then fails with its reason."""
    root = tmp_path / "data" / "jobs"
    with Server(tmp_path, "threading", **freezing(tmp_path, "predict_video")) as server:
        training_id = completed_run(server, add_dataset(server), checkpoint_bytes(b"no model"))
        video = drawn_video(tmp_path / "a.mp4", (0, 0.1, 0.2))
        form = {"training_id": str(training_id)}
        answer = server.post("/api/predictions", data=form, files={"file": ("a.mp4", video)})
        assert answer.status_code == 202, answer.text
        pid = frozen_child(server, "predict_video")
        kill_server(server)
        server.start()
        job = newest(server, "predict_video")
        assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
        os.kill(pid, signal.SIGKILL)
        address = answer.headers["Location"]
        wait_until(lambda: server.get(address).json()["status"] == "failed", 120, "its second attempt has ended")
        assert server.get(address).json()["error"]["code"] == "weights"
        assert newest(server, "predict_video")["attempt"] == 2
        wait_until(lambda: not list(find_children(root)), 60, "no child is left")


def test_images(tmp_path: Path) -> None:
    """kill -9 of the server: followed by the next one; ON_SHUTDOWN=stop ends them, and they restart."""
    with Server(tmp_path, "threading", ON_SHUTDOWN="stop", **freezing(tmp_path, "predict_images")) as server:
        training_id = completed_run(server, add_dataset(server), checkpoint_bytes(b"no model"))
        files = [("files", (f"{number}.jpg", image_bytes())) for number in range(3)]
        answer = server.post("/api/predictions", data={"training_id": str(training_id)}, files=files)
        assert answer.status_code == 202, answer.text
        pid = frozen_child(server, "predict_images")
        kill_server(server)
        server.start()
        job = newest(server, "predict_images")
        assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
        ((_pid, _started, directory),) = find_children(tmp_path / "data" / "jobs")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until((directory / "stop").exists, 60, "it is asked to end", 0.01)
        os.kill(pid, signal.SIGCONT)
        stopping.join(60)
        assert programs(server) == {}
        server.start()
        address = answer.headers["Location"]
        wait_until(lambda: server.get(address).json()["status"] == "failed", 120, "its second attempt has ended")
        prediction, job = server.get(address).json(), newest(server, "predict_images")
        assert (prediction["error"]["code"], prediction["files"], job["attempt"]) == ("weights", [], 2)
        assert not list((tmp_path / "data" / "predictions").rglob("input")), "nobody reads it any more"


@pytest.mark.timeout(600)
def test_model_export(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """kill -9 of the server, then of its child, twice; the measuring process ends with it, and no incomplete file is
    available.
    """
    root = tmp_path / "data" / "jobs"
    with Server(tmp_path, "threading", **freezing(tmp_path, "export_model")) as server:
        training_id = add_model(server, write_weights(tmp_path_factory.mktemp("model") / "best.pt", "thing"))
        path = f"/api/trainings/{training_id}/exports"
        export_id = server.post(path, json={"format": "torchscript"}).json()["export_id"]

        def state() -> dict[str, Any]:
            return server.get(f"/api/exports/{export_id}").json()

        pid = frozen_child(server, "export_model")
        kill_server(server)
        server.start()
        job = newest(server, "export_model")
        assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
        assert server.get(f"/api/exports/{export_id}/download").status_code == 409
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: measuring(root), 240, "the file is measured", 0.1)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: newest(server, "export_model")["attempt"] == 2, 60, "it begins again")
        wait_until(lambda: not any("/1/" in line for line in measuring(root)), 60, "what measured is gone")
        assert (state()["url"], server.get(f"/api/exports/{export_id}/download").status_code) == (None, 409)
        again = wait_until(lambda: {*programs(server).values()} - {pid}, 60, "it has a process")
        os.kill(again.pop(), signal.SIGKILL)
        wait_until(lambda: state()["status"] == "failed", 60, "twice is enough")
        assert (state()["error"]["code"], state()["url"]) == ("killed", None)
        assert not list((tmp_path / f"data/models/{training_id}").glob("exports/*"))


def measuring(root: Path) -> list[str]:
    """The command lines of processes that measure exports of this server."""
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "app.worker.exporting.measuring" in line and str(root) in line:
            lines.append(line)
    return lines


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_import(tmp_path: Path, mode: str) -> None:
    """A killed server's import is followed; one that the server's stop ended restarts."""
    data = drawn_zip(400)
    with Server(tmp_path, mode, ON_SHUTDOWN="stop", MIN_FREE_DISK="1MB") as server:
        answer = server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", data)})
        assert answer.status_code == 201, answer.text
        pid = freeze_child(server, "import_dataset")
        kill_server(server)
        server.start()
        job = newest(server, "import_dataset")
        assert (job["status"], job["attempt"], job["subject"]["id"]) == ("running", 1, 1), "it is followed"
        assert programs(server) == {"import_dataset": pid}
        ((_pid, _started, directory),) = find_children(tmp_path / "data/jobs")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until((directory / "stop").exists, 60, "it is asked to end", 0.01)
        os.kill(pid, signal.SIGCONT)
        stopping.join(60)
        assert programs(server) == {}
        server.start()
        wait_until(lambda: server.get("/api/datasets/1").json()["status"] != "validating", 120, "it is made")
        body, job = server.get("/api/datasets/1").json(), newest(server, "import_dataset")
        assert (body["status"], body["total_images"], job["attempt"]) == ("valid", 400, 2)


def test_import_that_nobody_waits_for(tmp_path: Path) -> None:
    """Killed before its request was answered: nothing is left of it."""
    data = drawn_zip(400)
    with Server(tmp_path, "threading", MIN_FREE_DISK="1MB", **freezing(tmp_path, "import_dataset")) as server:
        files = {"file": ("a.zip", data)}
        request = in_background(server, "POST", "/api/datasets", data={"name": "x"}, files=files)
        frozen_child(server, "import_dataset")
        kill_server(server)
        request.join(60)
        server.start()
        wait_until(lambda: not programs(server), 60, "no child is left")
        job = newest(server, "import_dataset")
        assert (job["status"], job["error"]["code"]) == ("failed", "interrupted")
        assert server.get("/api/datasets").json()["total"] == 0
        wait_until(lambda: not list((tmp_path / "data/tmp").iterdir()), 60, "its files are removed")
