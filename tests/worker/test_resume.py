"""Interrupted trainings: killed, paused, out of memory, extended. Real ones, each as short as possible."""

import csv
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.events import CheckpointSaved, Completed, Epoch, Failed, Figures, Note, Paused, Progress, Started, read_events
from tests.worker.child import Run

pytestmark = pytest.mark.training

RATE = 0.002  # the choice of ultralytics for one class
UNAUGMENTED = dict.fromkeys(
    ("mosaic", "fliplr", "translate", "scale", "hsv_h", "hsv_s", "hsv_v"), 0.0
)  # losses compare
QUICK = {
    "epochs": 4,
    "batch_size": 2,
    "img_size": 64,
    "params": {"optimizer": "auto", "plots": False, "nbs": 2, "warmup_epochs": 1.0, "seed": 0} | UNAUGMENTED,
}


def epochs_of(folder: Path) -> list[Epoch]:
    """Every epoch as in the final rows: a repeated one replaces the one before."""
    by_number: dict[int, Epoch] = {}
    for directory in sorted((folder / "attempts").iterdir()):
        for _, envelope in read_events(directory):
            if isinstance(envelope.event, Epoch):
                by_number[envelope.event.epoch] = envelope.event
    return [by_number[number] for number in sorted(by_number)]


def results(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "run" / "results.csv").read_text().splitlines()))


def codes(run: Run) -> list[str]:
    return [note.code for note in run.of(Note)]


def copies(run: Run) -> list[str]:
    return sorted(path.name for path in (run.folder / "checkpoints").iterdir())


def test_killed_resumed_paused_and_extended(tmp_path: Path, run: Callable[..., Run]) -> None:
    uninterrupted = Run(tmp_path / "whole", **QUICK)
    broken = run(**QUICK)
    broken.wait(lambda run: any(event.epoch == 3 for event in run.of(Progress)))
    broken.child.signal(signal.SIGKILL)
    broken.wait(lambda run: not run.child.alive() or not run.child.signal(signal.SIGKILL))
    folder = broken.folder
    assert copies(broken) == ["epoch-1.pt", "epoch-2.pt"]
    # Possible results of a crash: a damaged copy, a table with an additional row and with a truncated one.
    damaged = bytearray((folder / "checkpoints" / "epoch-2.pt").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (folder / "checkpoints" / "epoch-3.pt").write_bytes(damaged)
    table = folder / "run" / "results.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[-1].replace("2,", "3,", 1), "4,12.5,0.0"]))

    resumed = run(attempt=2, resume=str(folder / "checkpoints" / "epoch-3.pt"), **QUICK)
    end, straight = resumed.end(), uninterrupted.end()
    assert isinstance(end, Completed), end
    assert isinstance(straight, Completed), straight
    assert [(note.code, note.data) for note in resumed.of(Note)] == [
        ("resume_rejected", {"path": "checkpoints/epoch-3.pt", "reason": resumed.of(Note)[0].data["reason"]}),
        ("resumed", {"epoch": 2}),
    ]
    assert [event.start_epoch for event in resumed.of(Started)] == [3]
    assert resumed.of(Started)[0].weights == "scratch", "what it once started from"
    assert [event.epoch for event in resumed.of(Epoch)] == [3, 4]
    for item in (folder, uninterrupted.folder):
        assert [event.epoch for event in epochs_of(item)] == [1, 2, 3, 4]
        assert [row["epoch"] for row in results(item)] == ["1", "2", "3", "4"]
    times = [float(row["time"]) for row in results(folder)]
    assert times == sorted(times), "the clock goes on"
    for ours, theirs in zip(epochs_of(folder), epochs_of(uninterrupted.folder), strict=True):
        assert ours.learning_rate == pytest.approx(theirs.learning_rate)
        assert ours.loss == pytest.approx(theirs.loss, rel=0.25)
        assert ours.val_loss == pytest.approx(theirs.val_loss, rel=0.03)
    losses = [event.val_loss for event in epochs_of(folder)]
    assert losses == sorted(losses, reverse=True), "without a gap: it falls on"
    assert losses[-1] < 0.9 * losses[0]
    assert 1 <= end.best_epoch <= 4
    assert copies(resumed) == ["epoch-3.pt", "epoch-4.pt"]
    assert not list(folder.rglob(".*")), "no drafts"

    check_reports(uninterrupted)
    extend(run, folder)


def check_reports(run: Run) -> None:
    """An undisturbed run's events about its epochs and its machine."""
    for event in run.of(Epoch):
        assert [item["class"] for item in event.classes] == [0]
        assert set(event.classes[0]) == {"class", "ap50", "ap95", "precision", "recall", "instances"}
        assert event.classes[0]["instances"] == 2
        assert event.fitness is not None
        assert set(event.timing) == {"load", "train", "val"}
        assert all(value > 0 for value in event.timing.values())
        assert sum(event.timing.values()) <= event.seconds + 0.01
    saved = run.of(CheckpointSaved)
    assert all(event.resumable != event.is_best and event.size > 1_000_000 for event in saved)
    assert saved[-1].size == (run.folder / "run/weights/best.pt").stat().st_size
    figures = run.of(Figures)
    assert figures
    assert all(0 <= item.cpu <= 100 and 50_000_000 < item.process_memory < item.memory_total for item in figures)


def extend(run: Callable[..., Run], folder: Path) -> None:
    """Two more epochs at half the batch size; ended from outside when all are done, so that only the conclusion
    remains.
    """
    changes = QUICK | {
        "epochs": 6,
        "batch_now": 1,
        "extensions": [{"from_epoch": 4, "epochs": 6, "schedule": "stretch"}],
        "params": QUICK["params"] | {"save_period": 4},
    }
    ended = run(attempt=3, resume=str(folder / "checkpoints" / "epoch-4.pt"), **changes)
    ended.wait(lambda run: any(event.epoch == 6 for event in run.of(Epoch)))
    ended.child.signal(signal.SIGTERM)  # the machine shuts down
    assert ended.end() == Paused(6, "terminated")
    assert ended.child.exit_code() == 0
    assert codes(ended) == ["resumed", "schedule_stretched"]
    # Linear from 1 to 0.01 over the epochs: the fourth of four had 0.2575 of the first rate, the fifth of six has 0.34.
    rates = {"from": pytest.approx(RATE * 0.2575), "to": pytest.approx(RATE * 0.34), "epochs": 6}
    assert ended.of(Note)[1].data == rates
    assert [event.learning_rate for event in ended.of(Epoch)] == pytest.approx([RATE * 0.34, RATE * 0.175])
    started = ended.of(Started)[0]
    assert (started.batches, started.arguments["batch"], started.arguments["nbs"]) == (8, 1, 2)
    shutil.rmtree(folder / "run" / "weights")  # as after a crash during writing, and worse

    last = run(attempt=4, resume=str(folder / "checkpoints" / "epoch-6.pt"), **changes)
    end = last.end()
    assert isinstance(end, Completed), end
    assert (end.epochs, last.of(Epoch), codes(last)) == (6, [], ["resumed"])
    assert [event.epoch for event in epochs_of(folder)] == [int(row["epoch"]) for row in results(folder)]
    assert 1 <= end.best_epoch <= 6
    assert zipfile.ZipFile(folder / end.model_path).testzip() is None
    assert copies(last) == ["epoch-4.pt", "epoch-5.pt", "epoch-6.pt"], "every fourth stays"


def test_a_pause_before_the_first_checkpoint_then_a_full_disk(run: Callable[..., Run]) -> None:
    first = run(images=40, **QUICK)
    first.wait(lambda run: run.of(Progress))
    first.child.ask_to_stop("pause")
    assert first.end() == Paused(0, "asked")
    weights = first.folder / "run" / "weights"
    assert not list(weights.glob("*.pt"))
    assert not (first.folder / "checkpoints").exists()

    weights.joinpath("last.pt").write_bytes(b"of another life")
    second = run(attempt=2, **QUICK)
    second.wait(lambda run: run.of(Epoch))
    second.wait(lambda run: run.of(CheckpointSaved))
    os.symlink("/dev/full", weights / ".last.pt.tmp")  # writing there fails with no space left on the device
    end = second.end()
    assert isinstance(end, Failed)
    assert end.kind == "disk_full", end
    resumable = [event for event in second.of(CheckpointSaved) if event.resumable]
    assert copies(second)[-1] == f"epoch-{resumable[-1].epoch}.pt"
    for path in [*(second.folder / "checkpoints").iterdir(), weights / "last.pt", weights / "best.pt"]:
        assert zipfile.ZipFile(path).testzip() is None


def test_memory_exhaustion_is_reported_as_such(run: Callable[..., Run]) -> None:
    training = run(images=64, memory_limit=3 * 1024**3, **QUICK | {"batch_size": 64, "img_size": 640})
    end = training.end()
    assert isinstance(end, Failed)
    assert end.kind == "out_of_memory", end
    assert training.of(Started), "it ran out within the training"
    assert training.child.exit_code() == 1
