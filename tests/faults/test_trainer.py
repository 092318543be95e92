"""The training process: killed, frozen, without disk, without memory."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from app.jobs.watch import SILENT_S
from scripts.local_server import Server
from tests.faults.conftest import Record
from tests.faults.tools import (
    STEADY,
    TINY,
    act,
    add_dataset,
    begin,
    check_loads,
    check_run,
    epochs,
    remount,
    small_disk,
    state,
    trainer,
    trainers,
    wait_for,
    wait_for_epoch,
    wait_for_no_trainer,
    wait_until,
    weights,
)

Curve = list[dict[str, Any]] | None


def resumable(server: Server, training_id: int) -> list[Path]:
    return [path for path in weights(server, training_id) if path.name.startswith("epoch-")]


def after_loss(server: Server, training_id: int, pid: int, seconds: float = 10) -> dict[str, Any]:
    """The training once the server has noticed the end of this process."""

    def noticed() -> dict[str, Any] | None:
        now = state(server, training_id)
        ended = now["status"] in {"failed", "paused", "completed"}  # the end: it had reported it before it was killed
        return now if now["restarts"] or ended or now["halvings"] else None

    wait_until(lambda: pid not in trainers(server), 10, "the process is gone")
    return wait_until(noticed, seconds, "the server noticed it", 0.05)


@pytest.mark.faults("kill -9 trainer at random", 50)
def test_kill_trainer(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        pid = trainer(server, training_id)
        time.sleep(random.Random(record.number).random() * 12)  # anywhere: importing, loading, any epoch, saving
        os.killpg(pid, signal.SIGKILL) if pid in trainers(server) else None
        began = time.monotonic()
        if state(server, training_id)["status"] != "completed":
            now = after_loss(server, training_id, pid)
            record.recovered(began)
            record.note = f"killed after epoch {now['current_epoch']}"
            assert now["status"] != "failed", now["error"]
            if copies := resumable(server, training_id):
                check_loads(copies)
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        check_loads(resumable(server, training_id))


def drafts(folder: Path) -> list[Path]:
    """Checkpoints that are being written."""
    return [path for part in ("run/weights", "checkpoints") for path in (folder / part).glob(".*.tmp")]


@pytest.mark.faults("kill -9 trainer inside the checkpoint write", 20)
def test_kill_in_checkpoint_write(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server))
        pid = trainer(server, training_id)
        folder = tmp_path / "data/models" / str(training_id)
        wait_for_epoch(server, training_id, 1 + record.number % 2)
        written = wait_until(lambda: drafts(folder), 60, "a checkpoint is being written", 0.0005)
        time.sleep(random.Random(record.number).random() * 0.02)
        os.killpg(pid, signal.SIGKILL)
        began = time.monotonic()
        record.note = f"killed while {written[0].relative_to(folder)} was there"
        check_loads(resumable(server, training_id))
        now = after_loss(server, training_id, pid)
        record.recovered(began)
        assert now["status"] != "failed", now["error"]
        assert now["current_epoch"] >= 1
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)
        check_loads(resumable(server, training_id))
        assert drafts(folder) == []


@pytest.mark.faults("SIGSTOP trainer", 5)
@pytest.mark.timeout(400)
def test_freeze_trainer(record: Record, tmp_path: Path, reference: Curve) -> None:
    with Server(tmp_path, record.mode) as server:
        dataset_id = add_dataset(server)
        first = begin(server, dataset_id)
        second = begin(server, dataset_id, epochs=1)
        wait_for_epoch(server, first, 1)
        pid = trainer(server, first)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: pid not in trainers(server), SILENT_S + 70, "the frozen process is ended")
        now = after_loss(server, first, pid)
        assert record.recovered(began) < 130
        assert "restarted_stalled" in {note["code"] for note in now["notes"]}
        for training_id, count in ((first, TINY["epochs"]), (second, 1)):
            wait_for(server, training_id, "completed")
            check_run(server, training_id, count)
        check_run(server, first, TINY["epochs"], reference)


@pytest.mark.faults("60 MB disk for the runs", 10)
def test_small_disk_for_runs(record: Record, tmp_path: Path, reference: Curve) -> None:
    """Two checkpoint copies, last and best need more: the disk fills during a write."""
    settings = {"MIN_FREE_DISK": "1MB", "DISK_RESERVE": "1MB"}
    with small_disk(tmp_path / "data", "60m") as disk, Server(tmp_path, record.mode, **settings) as server:
        training_id = begin(server, add_dataset(server))

        def stopped() -> dict[str, Any] | None:
            now = state(server, training_id)
            assert now["status"] not in {"failed", "completed"}, (now["status"], now["error_kind"], now["error"])
            return now if now["status"] == "paused" else None

        now = wait_until(stopped, 120, "it is paused for want of disk")
        assert now["pause_reason"] == "disk"
        wait_for_no_trainer(server)
        if copies := resumable(server, training_id):
            check_loads(copies)
        record.note = f"paused after epoch {now['current_epoch']}, {len(copies)} copies load"
        for path in ("/", "/api/trainings", f"/trainings/{training_id}"):
            assert server.get(path).status_code == 200
        remount(disk, "size=400m")
        began = time.monotonic()
        wait_for(server, training_id, "running", seconds=60)
        record.recovered(began)
        wait_for(server, training_id, "completed")
        check_run(server, training_id, TINY["epochs"], reference)


# The first batch does not fit; a quarter of it does.
MEMORY = "2GB"
OVERSIZED = {"img_size": 320, "batch_size": 64, "epochs": 1, "params": STEADY | {"device": "cpu"}}


@pytest.mark.faults("out of memory", 5, quick=True)
@pytest.mark.timeout(400)
def test_out_of_memory(record: Record, tmp_path: Path) -> None:
    """TRAINING_MEMORY_LIMIT makes torch's own allocation fail."""
    with Server(tmp_path, record.mode, TRAINING_MEMORY_LIMIT=MEMORY) as server:
        out_of_memory(record, server, OVERSIZED, images=64)


@pytest.mark.faults("GPU out of memory (batch 4096)", 5)
@pytest.mark.timeout(400)
def test_gpu_out_of_memory(record: Record, tmp_path: Path) -> None:
    if not list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is no GPU here")
    with Server(tmp_path, record.mode) as server:
        options = {"img_size": 640, "batch_size": 4096, "epochs": 1}
        out_of_memory(record, server, options, images=4096)


def out_of_memory(record: Record, server: Server, options: dict[str, Any], images: int) -> None:
    """A smaller batch, which is shown; or a failure with this reason. The next training starts."""
    dataset_id = add_dataset(server, count=images)
    first = begin(server, dataset_id, **options)
    second = begin(server, dataset_id, epochs=1)
    began = time.monotonic()
    now = wait_for_end_or_halving(server, first)
    record.recovered(began)
    if now["status"] == "failed":
        assert now["error_kind"] == "out_of_memory"
        record.note = "failed with out_of_memory"
    else:
        assert now["batch_now"] < options["batch_size"]
        assert {note["code"] for note in now["notes"]} & {"batch_halved"}
        record.note = f"batch {options['batch_size']} became {now['batch_now']}"
        act(server, first, "stop")
        wait_until(lambda: state(server, first)["status"] == "cancelled", 60, "it is stopped")
    wait_for(server, second, "completed")
    check_run(server, second, 1)


def wait_for_end_or_halving(server: Server, training_id: int) -> dict[str, Any]:
    def failed_or_halved() -> dict[str, Any] | None:
        now = state(server, training_id)
        assert now["status"] != "completed", "it was to need more memory than there is"
        return now if now["status"] == "failed" or now["batch_now"] else None

    return wait_until(failed_or_halved, 200, "its batch is halved, or it fails")


@pytest.mark.faults("kill -9 trainer again and again", 5)
@pytest.mark.timeout(600)
def test_kill_until_it_fails(record: Record, tmp_path: Path) -> None:
    """Without a new epoch in between: it is restarted three times, then it fails with its reason, and can be
    retried.
    """
    with Server(tmp_path, record.mode) as server:
        training_id = begin(server, add_dataset(server), img_size=320, epochs=3)
        killed = 0
        while state(server, training_id)["status"] != "failed":
            pid = wait_until(lambda: failed_or_process(server, training_id), 60, "a process, or the end")
            if pid is True:
                break
            os.killpg(pid, signal.SIGKILL)
            killed += 1
            assert killed <= 5
            wait_until(lambda pid=pid: pid not in trainers(server), 10, "it is gone")
        now = state(server, training_id)
        record.note = f"failed after {killed} kills, {len(epochs(server, training_id))} epochs"
        assert (now["status"], now["error_kind"], killed) == ("failed", "killed", 4)
        assert "retry" in now["actions"]
        act(server, training_id, "retry")
        wait_for(server, training_id, "completed", seconds=400)  # larger images than elsewhere, so that no epoch ends
        check_run(server, training_id, 3)


def failed_or_process(server: Server, training_id: int) -> int | bool:
    processes = trainers(server, f"{training_id}/")
    return processes[0] if processes else state(server, training_id)["status"] == "failed"
