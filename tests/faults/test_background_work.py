"""The web process killed during each kind of background work: 10 s after the restart no process is without an owner,
and each job continues, restarts, or has ended with its reason."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from app.jobs.process import find_children
from scripts.local_server import Server
from tests.data import image_bytes, yolo_zip
from tests.faults.conftest import Record
from tests.faults.tools import add_dataset, check_database, kill_server, wait_until
from tests.jobs.background_work import add_model, completed_run, in_background
from tests.jobs.frozen import freeze_child, freezing, frozen_child
from tests.random_weights import write_weights
from tests.test_uploads import drawn_zip
from tests.videos import drawn_video

RECOVERY_S = 10.0
Weights = Callable[[], Path]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Makes the model's file at its first call; most kinds of work need none."""
    return cache(lambda: write_weights(tmp_path_factory.mktemp("model") / "best.pt", "thing"))


def estimate(server: Server, _weights: Weights) -> None:
    body = {"dataset_id": add_dataset(server), "model_version": "n", "epochs": 3, "batch_size": 4, "img_size": 64}
    assert server.post("/api/trainings/estimate", json=body).status_code == 202


def export_dataset(server: Server, _weights: Weights) -> None:
    in_background(server, "GET", f"/api/datasets/{add_dataset(server)}/export?format=coco")


def hash_revision(server: Server, _weights: Weights) -> None:
    in_background(server, "POST", f"/api/trainings/{completed_run(server, add_dataset(server))}/run-again")


def sample(server: Server, _weights: Weights) -> None:
    in_background(server, "POST", "/api/datasets/sample")


def unanswered_upload(server: Server, _weights: Weights) -> None:
    files = {"file": ("a.zip", yolo_zip(8, 4))}
    in_background(server, "POST", "/api/datasets", data={"name": "x"}, files=files)


def accepted_upload(server: Server, _weights: Weights) -> None:
    answer = server.post("/api/datasets", data={"name": "x"}, files={"file": ("a.zip", drawn_zip(400))})
    assert answer.status_code == 201, answer.text


def evaluate(server: Server, weights: Weights) -> None:
    answer = server.post(f"/api/trainings/{add_model(server, weights())}/evaluations", json={"split": "val"})
    assert answer.status_code == 202, answer.text


def export_model(server: Server, weights: Weights) -> None:
    answer = server.post(f"/api/trainings/{add_model(server, weights())}/exports", json={"format": "torchscript"})
    assert answer.status_code == 202, answer.text


def predict_images(server: Server, weights: Weights) -> None:
    files = [("files", (f"{number}.jpg", image_bytes())) for number in range(3)]
    form = {"training_id": str(add_model(server, weights()))}
    answer = server.post("/api/predictions", data=form, files=files)
    assert answer.status_code == 202, answer.text


def predict_video(server: Server, weights: Weights) -> None:
    video = drawn_video(server.folder / "a.mp4", (0, 0.1, 0.2))
    form = {"training_id": str(add_model(server, weights()))}
    answer = server.post("/api/predictions", data=form, files={"file": ("a.mp4", video)})
    assert answer.status_code == 202, answer.text


def predict(server: Server, weights: Weights) -> None:
    form = {"training_id": str(add_model(server, weights()))}
    in_background(server, "POST", "/api/tests", data=form, files={"file": ("a.jpg", image_bytes())})


class Work(NamedTuple):
    """A request that begins background work, and the program that does it."""

    begin: Callable[[Server, Weights], None]
    program: str


WORK = {
    "an estimate": Work(estimate, "estimate"),
    "a dataset export": Work(export_dataset, "export_dataset"),
    "a hash": Work(hash_revision, "hash_revision"),
    "a sample": Work(sample, "sample"),
    "an import, before its answer": Work(unanswered_upload, "import_dataset"),
    "an import": Work(accepted_upload, "import_dataset"),
    "an evaluation": Work(evaluate, "evaluate"),
    "a model export": Work(export_model, "export_model"),
    "a prediction of images": Work(predict_images, "predict_images"),
    "a prediction of a video": Work(predict_video, "predict_video"),
    "a test": Work(predict, "predict"),
}


@pytest.mark.faults("kill -9 web during {work}", 4)
@pytest.mark.parametrize("work", WORK)
@pytest.mark.timeout(900)  # a model export runs to its end
def test_kill_web(record: Record, tmp_path: Path, weights: Weights, work: str) -> None:
    """In the first half of the repetitions the child stays stopped until all is settled and can't end by itself; in the
    others it works while the server is away.
    """
    begin, program = WORK[work]
    stays_stopped = record.number % 4 < 2
    settings = {} if begin is accepted_upload else freezing(tmp_path, program)  # an answer takes its child's work
    with Server(tmp_path, record.mode, **settings) as server:
        begin(server, weights)
        pid = frozen_child(server, program) if settings else freeze_child(server, program)
        job_id = wait_until(lambda: running_processes(server).get(pid), 60, "its job is known")
        kill_server(server)
        if not stays_stopped:
            os.kill(pid, signal.SIGCONT)
        server.start()
        answered = time.monotonic()
        while problems := unsettled(server):
            assert time.monotonic() - answered < RECOVERY_S, problems
            time.sleep(0.02)
        record.recovered(answered)
        job = server.get(f"/api/jobs/{job_id}").json()
        record.note = f"{job['status']}, attempt {job['attempt']}"
        with suppress(ProcessLookupError):  # it was killed
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: has_ended(server), 600, "all jobs have ended, and their processes")
        job = server.get(f"/api/jobs/{job_id}").json()
        record.note += f"; then {job['status']} {(job['error'] or {}).get('code', '')}".rstrip()
        check_database(server)


def unsettled(server: Server) -> list[str]:
    """Processes that no running job owns, and jobs that neither wait nor run nor ended with a result or a reason."""
    owners = running_processes(server)
    children = {pid: directory for pid, _started, directory in find_children(server.folder / "data")}
    problems = [
        f"process {pid} of {directory} has no owner" for pid, directory in children.items() if pid not in owners
    ]
    for job in server.get("/api/jobs?per_page=100").json()["jobs"]:
        name = f"job {job['id']} ({job['kind']})"
        if job["status"] == "running" and job["id"] not in {owners[pid] for pid in children if pid in owners}:
            problems.append(f"{name} runs without a process")
        elif job["status"] == "failed" and not job["error"]:
            problems.append(f"{name} failed without a reason")
    return problems


def running_processes(server: Server) -> dict[int, int]:
    """The running job of each process, by pid, as the database says."""
    path = server.settings["DATABASE_URL"].removeprefix("sqlite:///")
    query = "SELECT json_extract(runner, '$.pid'), id FROM job WHERE status = 'running' AND runner IS NOT NULL"
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        return dict(connection.execute(query).fetchall())


def has_ended(server: Server) -> bool:
    jobs = server.get("/api/jobs?per_page=100").json()["jobs"]
    ended = all(job["status"] in {"completed", "failed", "cancelled"} for job in jobs)
    return ended and not list(find_children(server.folder / "data"))
