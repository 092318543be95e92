"""A backup during a training: restored elsewhere, the training continues, and the original one is not affected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.worker.checkpoints import last_epoch as newest_checkpoint
from scripts.local_server import ROOT, Server
from tests.faults.tools import (
    add_dataset,
    begin,
    check_curve,
    check_database,
    epochs,
    state,
    trainer,
    trainers,
    wait_for_epoch,
)

ENOUGH = 500  # epochs: it is still running when the backup is complete


def command(server: Server, *arguments: str) -> str:
    """The commands of `make backup` and `make restore`, with this server's settings."""
    process = subprocess.run(
        [sys.executable, "-m", "scripts.snapshot", *arguments],
        cwd=ROOT,
        env=os.environ | server.settings,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.training
@pytest.mark.timeout(900)
def test_a_training_goes_on_in_the_restored_copy(threading_server: Server, tmp_path: Path) -> None:
    first = threading_server
    training_id = begin(first, add_dataset(first), epochs=ENOUGH)
    wait_for_epoch(first, training_id, 2, 300)
    pid = trainer(first, training_id)
    assert "The backup is whole" in command(first, "make", str(tmp_path / "backups"))
    (backup,) = (tmp_path / "backups").glob("yolo-*")
    command(first, "verify", str(backup))

    (tmp_path / "second").mkdir()
    second = Server(tmp_path / "second", "threading")
    assert "Everything was restored" in command(second, "restore", str(backup))
    with second:
        before = epochs(second, training_id)
        last_epoch = before[-1]["epoch"]
        assert last_epoch >= 2
        # Events are copied after checkpoints: epochs between them are repeated, and their rows replaced.
        resumed = newest_checkpoint(backup / "data/models" / str(training_id))
        assert 1 <= resumed <= last_epoch
        wait_for_epoch(second, training_id, last_epoch + 2, 300)
        assert trainer(second, training_id) != pid
        run = epochs(second, training_id)
        assert [item["epoch"] for item in run] == list(range(1, len(run) + 1))
        assert run[:resumed] == before[:resumed]
        now = state(second, training_id)
        assert (now["status"], now["error"]) == ("running", None)
        check_database(second)
        assert trainers(first, training_id) == [pid], "the one that was copied goes on"
        wait_for_epoch(first, training_id, run[-1]["epoch"] - 1)
        check_curve(run[:-1], epochs(first, training_id))
