"""kill -9 of the server while jobs run: no child stays without an owner, each job goes on or says why it does not."""

import os
import signal
import threading
from pathlib import Path

import pytest
import requests

from app.jobs.process import find_children
from scripts.local_server import Server
from tests.faults.tools import add_dataset, kill_server, wait_until


def in_background(server: Server, method: str, path: str) -> threading.Thread:
    def ask() -> None:
        try:
            requests.request(method, server.url + path, timeout=60)
        except requests.ConnectionError:
            pass  # the server was killed

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def frozen_child(server: Server) -> int:
    """The process of the one job, stopped as soon as it is there, so that it does not end before the server."""
    root = Path(server.folder, "data", "jobs")
    pid = wait_until(lambda: list(find_children(root)), 30, "the job has a process", 0.005)[0][0]
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_export_and_sample(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "data" / "jobs"
    with Server(tmp_path, mode) as server:
        dataset_id = add_dataset(server)
        address = f"/api/datasets/{dataset_id}/export?format=coco"
        request = in_background(server, "GET", address)
        pid = frozen_child(server)
        kill_server(server)
        request.join(30)
        server.start()
        (job,) = server.get("/api/jobs").json()["jobs"]
        assert (job["status"], job["attempt"]) == ("running", 1), "it is followed"
        os.kill(pid, signal.SIGCONT)
        wait_until(
            lambda: server.get(f"/api/jobs/{job['id']}").json()["status"] == "completed", 60, "the export is made"
        )
        answer = server.get(address)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")

        request = in_background(server, "POST", "/api/datasets/sample")
        frozen_child(server)
        kill_server(server)
        request.join(30)
        server.start()
        wait_until(lambda: not list(find_children(root)), 10, "no child is left")
        newest = server.get("/api/jobs?kind=draw_sample").json()["jobs"][0]
        assert (newest["status"], newest["error"]["code"]) == ("failed", "interrupted")
