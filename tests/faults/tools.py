"""Faults and the conditions after them: killing, suspending, filling disks; the state of a training from outside."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scripts.local_server import Server
from tests.data import yolo_zip

# Small and quick, and deterministic enough to compare two runs: no mosaic, which mixes images at random.
TINY = {"model_version": "n", "epochs": 4, "batch_size": 4, "img_size": 32}
STEADY = {"optimizer": "AdamW", "seed": 1, "mosaic": 0.0, "scale": 0.0, "translate": 0.0}


def wait_until(check: Callable[[], Any], seconds: float, what: str, pause: float = 0.1) -> Any:
    """The first true value of `check()`."""
    limit = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)
    return value


# Processes.


def kill_server(server: Server) -> None:
    server.kill()


def trainers(server: Server, training_id: int | str = "") -> list[int]:
    """The processes that train for this server, without their helpers; at most one per training may be alive."""
    folder = f"{server.folder}/data/models/{training_id}".encode()
    pids = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            command = Path(entry.path, "cmdline").read_bytes()
            if b"app.worker.run\0" in command and folder in command and os.getsid(int(entry.name)) == int(entry.name):
                pids.append(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return pids


def trainer(server: Server, training_id: int, seconds: float = 180) -> int:
    """Wait for the process of a training; returns its id."""
    return wait_until(lambda: trainers(server, f"{training_id}/"), seconds, f"training {training_id} has a process")[0]


def wait_for_no_trainer(server: Server) -> None:
    """A process records how it ended before it exits."""
    wait_until(lambda: not trainers(server), 30, "no process trains")


# Datasets and trainings, through the API.


def add_dataset(server: Server, name: str = "Things", count: int = 8) -> int:
    answer = server.post("/api/datasets", data={"name": name}, files={"file": ("things.zip", yolo_zip(count, 4))})
    assert answer.status_code == 201, answer.text
    dataset_id = answer.json()["dataset_id"]

    def valid() -> bool:
        body = server.get(f"/api/datasets/{dataset_id}").json()
        assert body["status"] != "invalid", body
        return body["status"] == "valid"

    wait_until(valid, 90, "the dataset is valid")
    return dataset_id


def begin(server: Server, dataset_id: int, **changes: Any) -> int:
    body = {"name": "Run", "dataset_id": dataset_id, "params": STEADY} | TINY | changes
    answer = server.post("/api/trainings", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["training_id"]


def act(server: Server, training_id: int, action: str, **body: Any) -> dict[str, Any]:
    answer = server.post(f"/api/trainings/{training_id}/{action}", **({"json": body} if body else {}))
    assert answer.status_code == 202, answer.text
    return answer.json()


def state(server: Server, training_id: int) -> dict[str, Any]:
    return server.get(f"/api/trainings/{training_id}").json()


def epochs(server: Server, training_id: int) -> list[dict[str, Any]]:
    return server.get(f"/api/trainings/{training_id}/metrics").json()["epochs"]


def wait_for(server: Server, training_id: int, *statuses: str, seconds: float = 150) -> dict[str, Any]:
    """Wait until the training has one of these statuses; meanwhile it never has two processes."""

    def reached() -> dict[str, Any] | None:
        running = trainers(server, f"{training_id}/")
        assert len(running) <= 1, f"two processes train at once: {running}"
        now = state(server, training_id)
        assert now["status"] in statuses or now["status"] != "failed", (now["error_kind"], now["error"])
        return now if now["status"] in statuses else None

    return wait_until(reached, seconds, f"training {training_id} is {' or '.join(statuses)}", 0.2)


def wait_for_epoch(server: Server, training_id: int, epoch: int, seconds: float = 120) -> None:
    wait_until(lambda: state(server, training_id)["current_epoch"] >= epoch, seconds, f"epoch {epoch}", 0.05)


@contextmanager
def occupied(server: Server, dataset_id: int) -> Iterator[int]:
    """The device is occupied by a suspended training, so that others wait. Its id."""
    training_id = begin(server, dataset_id, name="Holds the device", epochs=1000)
    pid = trainer(server, training_id)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield training_id
    finally:
        os.kill(pid, signal.SIGKILL)


# Conditions after a fault.


def check_run(server: Server, training_id: int, count: int, reference: list[dict[str, Any]] | None = None) -> None:
    """Every epoch once, no jump against an undisturbed run, and intact checkpoints."""
    run = epochs(server, training_id)
    assert [item["epoch"] for item in run] == list(range(1, count + 1))
    for path in weights(server, training_id):
        assert zipfile.ZipFile(path).testzip() is None, path
    check_database(server)
    if reference is not None:
        check_curve(run, reference)


def weights(server: Server, training_id: int) -> list[Path]:
    folder = server.folder / "data" / "models" / str(training_id)
    return sorted([*folder.glob("checkpoints/epoch-*.pt"), *folder.glob("run/weights/*.pt")])


def check_curve(run: list[dict[str, Any]], reference: list[dict[str, Any]]) -> None:
    """The same learning rates as in an undisturbed run, and a loss within the noise of its steps.

    The noise: three times the largest step between two epochs of the undisturbed run, at least a tenth of its loss.
    """
    losses = [item["loss"] for item in reference]
    noise = max(3 * max(abs(b - a) for a, b in pairwise(losses)), losses[0] / 10)
    for mine, its in zip(run, reference, strict=False):
        assert mine["learning_rate"] == pytest.approx(its["learning_rate"], rel=1e-6), mine["epoch"]
        assert abs(mine["loss"] - its["loss"]) <= noise, (mine["epoch"], mine["loss"], its["loss"], noise)


LOAD = """
import sys, torch
for path in sys.argv[1:]:
    kept = torch.load(path, map_location="cpu", weights_only=False)
    assert kept["epoch"] >= 0 and kept["optimizer"] is not None, path
"""


def check_loads(paths: list[Path]) -> None:
    """torch loads these copies, in a process of its own, and they contain what resuming needs."""
    assert paths
    process = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)], capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr


def check_database(server: Server) -> None:
    path = server.settings["DATABASE_URL"].removeprefix("sqlite:///")
    if not path.startswith("/"):
        return
    connection = sqlite3.connect(path, timeout=10)
    try:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    finally:
        connection.close()


# Disks and locks.


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A separate file system in this folder."""
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root, to mount it")
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if process.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {process.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)


@contextmanager
def filled(folder: Path, leave: int = 0) -> Iterator[None]:
    """Its disk is full except for `leave` bytes."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(folder).free - leave))
    try:
        yield
    finally:
        filler.unlink()


HOLD = """
import os, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("SELECT 1")
print("ready", flush=True)
while len(sys.argv) > 3 and not os.path.exists(sys.argv[3]):
    time.sleep(0.0005)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@contextmanager
def locked_database(server: Server, seconds: float, once: Path | None = None) -> Iterator[float]:
    """Another process locks it exclusively; yields time.monotonic() at the lock's beginning. `once` this file exists:
    within the block.
    """
    path = server.settings["DATABASE_URL"].removeprefix("sqlite:///")
    command = [sys.executable, "-c", HOLD, path, str(seconds), *([str(once)] if once else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if once is None:
            assert process.stdout.readline() == "held\n"
        yield time.monotonic()
        assert once is None or process.stdout.readline() == "held\n"
        process.wait()
