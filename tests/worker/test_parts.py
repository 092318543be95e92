"""The parts of the training program that need no training."""

import csv
import errno
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.core.lr_schedule import schedule
from app.events import Event, Failed, Note, Paused, read_events
from app.worker.arguments import nominal
from app.worker.channel import Channel
from app.worker.checkpoints import copies, save_checkpoint
from app.worker.failures import DataError, StopRequested, kind_of, raise_data_error
from app.worker.figures import Gauge, visible
from app.worker.report import ending, write_failure
from app.worker.resume import candidates, cut_results
from app.worker.schedule import extended
from app.worker.threads import every_core
from app.worker.upstream import Patience


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    (tmp_path / "spec.json").write_text(json.dumps({"training_dir": str(tmp_path), "resume": None}))
    return Channel(tmp_path)


def events_of(channel: Channel) -> list[Event]:
    return [envelope.event for _, envelope in read_events(channel.directory)]


# The same step with less memory


@pytest.mark.parametrize("nbs", [64, 32])
@pytest.mark.parametrize("requested", [4, 16, 24, 48, 64, 128, 200])
@pytest.mark.parametrize("halvings", [1, 2])
def test_a_smaller_batch_steps_over_as_many_images(requested: int, nbs: int, halvings: int) -> None:
    now = requested // 2**halvings
    values = {"nbs": nbs, "weight_decay": 0.001}
    changed = values | nominal(requested, now, values)

    def step(batch: int, values: dict[str, Any]) -> tuple[int, float]:
        """As BaseTrainer._build_train_pipeline: images per step, scaled weight decay."""
        accumulate = max(round(values["nbs"] / batch), 1)
        return batch * accumulate, values["weight_decay"] * batch * accumulate / values["nbs"]

    assert changed["batch"] == now
    assert step(now, changed) == pytest.approx(step(requested, values))
    assert nominal(requested, requested, values) == {}


# The schedule of an extended run


def checkpoint(epoch: int, rate: float, epochs: int) -> dict[str, Any]:
    groups = [{"param_group": "bias", "lr": 0.5, "initial_lr": 0.1}]
    groups += [{"param_group": "weight", "lr": rate, "initial_lr": 0.1}]
    return {"epoch": epoch, "optimizer": {"param_groups": groups}, "train_args": {"epochs": epochs}}


@pytest.mark.parametrize("cosine", [False, True])
def test_the_learning_rate_of_an_extension(cosine: bool) -> None:
    old, new = schedule(cosine, 0.01, 10), schedule(cosine, 0.01, 30)
    assert (old(0), old(10)) == pytest.approx((1, 0.01))
    extension = {"from_epoch": 10, "epochs": 30, "schedule": "stretch"}
    saved = checkpoint(9, 0.1 * old(9), 10)
    stretched = extended(extension, saved, cosine, 0.01)
    assert [stretched(epoch) for epoch in (10, 20, 29)] == [new(epoch) for epoch in (10, 20, 29)]
    assert stretched(10) > old(9)
    unchanged = extended(extension | {"schedule": "keep"}, saved, cosine, 0.01)
    assert [unchanged(epoch) for epoch in (10, 20, 29)] == pytest.approx([old(9)] * 3)
    again = extended(extension | {"schedule": "keep"}, checkpoint(17, 0.1 * old(9), 30), cosine, 0.01)
    assert again(18) == pytest.approx(old(9)), "after a crash within the extension"
    before = extended(extension | {"schedule": "keep"}, checkpoint(7, 0.1 * old(7), 10), cosine, 0.01)
    assert [before(epoch) for epoch in (8, 9, 10, 29)] == pytest.approx([old(8), old(9), old(9), old(9)])


def test_an_extension_waits_anew() -> None:
    stopper = Patience(patience=3)
    assert [stopper(epoch, fitness) for epoch, fitness in enumerate((0.5, 0.4, 0.4, 0.4), 1)] == [0, 0, 0, 1]
    assert stopper.waited(4)
    stopper.since = 4
    assert not stopper.waited(4)
    assert [stopper(epoch, 0.4) for epoch in (5, 6, 7)] == [False, False, True]
    assert (stopper.best_epoch, stopper.best_fitness, stopper.patience) == (1, 0.5, 3), "the best stays"
    assert not stopper(8, 0.6)
    assert [stopper(epoch, 0.4) for epoch in (9, 10, 11)] == [False, False, True]


# Files


def test_copies_that_stay(tmp_path: Path) -> None:
    source = tmp_path / "last.pt"
    source.write_bytes(b"weights")
    for epoch in range(1, 12):
        save_checkpoint(tmp_path, epoch, source, period=4)
    assert list(copies(tmp_path)) == [4, 8, 10, 11]
    assert list(candidates(tmp_path, str(tmp_path / "checkpoints" / "epoch-10.pt"))) == [
        tmp_path / "checkpoints" / f"epoch-{epoch}.pt" for epoch in (10, 8, 4)
    ]
    save_checkpoint(tmp_path, 12, source, period=-1)
    assert list(copies(tmp_path)) == [11, 12]


@pytest.mark.parametrize(
    ("lines", "saved", "epochs"),
    [
        (["1,5.5,0.9", "2,9.5,0.8", "3,14,0.7"], {}, ["1", "2"]),
        (["1,5.5,0.9", "2,9.5,0.8", "2,9.7,0.7", "3,14"], {}, ["1", "2"]),
        (["1,5.5,0.9", "2,9"], {"epoch": [1, 2], "time": [5.5, 9.5], "train/loss": [0.9, 0.8]}, ["1", "2"]),
        ([], {"epoch": [1, 2], "time": [5.5, 9.5], "train/loss": [0.9, 0.8]}, ["1", "2"]),
    ],
)
def test_results_as_of_the_checkpoint(tmp_path: Path, lines: list[str], saved: dict, epochs: list[str]) -> None:
    path = tmp_path / "results.csv"
    if lines:
        path.write_text("\n".join(["epoch,time,train/loss", *lines]))
    times = cut_results(path, 2, saved)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == epochs
    assert times == [float(row["time"]) for row in rows]
    assert path.read_text().endswith("\n"), "ultralytics appends"


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe\x00" * 50, b"epoch,ti", b"epoch,time,train/loss\n1,x,y\n2,,\n", b"a,b\n1,2\n", b"\x00" * 900],
)
def test_damaged_results(tmp_path: Path, damage: bytes) -> None:
    """The checkpoint's own table replaces it; without one, a new file is started and the old one is kept."""
    path = tmp_path / "results.csv"
    path.write_bytes(damage)
    saved = {"epoch": [1, 2], "time": [5.5, 9.5], "train/loss": [0.9, 0.8]}
    assert cut_results(path, 2, saved) == [5.5, 9.5]
    assert path.read_text() == "epoch,time,train/loss\n1,5.5,0.9\n2,9.5,0.8\n"
    for nothing in ({}, {"epoch": ["x"], "time": [None]}, {"a": [1]}, {"epoch": [1], "time": [1.0, 2.0]}):
        path.write_bytes(damage)
        assert cut_results(path, 2, nothing) == []
        assert not path.exists()
    assert next(tmp_path.glob("results.csv-*.damaged")).read_bytes() == damage


# The channel, endings


def test_modes_of_the_stop_file(channel: Channel) -> None:
    assert channel.requested_stop() is None
    channel._terminated.set()
    assert channel.requested_stop() == "terminated"
    for text, mode in (("pause\n", "pause"), ("cancel", "cancel"), ("", "cancel")):
        (channel.directory / "stop").write_text(text)
        assert channel.requested_stop() == mode
        assert channel.stop_requested()
    (channel.directory / "stop").write_text("pause")
    (channel.directory / "checkpoints").mkdir()
    (channel.directory / "checkpoints" / "epoch-7.pt").touch()
    assert ending(StopRequested(), channel) == Paused(7, "asked")


def test_the_failure_of_another_rank_is_reported(channel: Channel) -> None:
    try:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB") from None
    except RuntimeError as error:
        write_failure(error, channel.directory, rank=1)
    event = ending(subprocess.CalledProcessError(1, ["torchrun"]), channel)
    assert isinstance(event, Failed)
    assert event.kind == "out_of_memory"
    assert "Tried to allocate" in event.traceback
    (channel.directory / "stop").write_text("pause")
    assert ending(subprocess.CalledProcessError(-15, ["torchrun"]), channel) == Paused(0, "asked")


FILL = """
import json, resource, sys
from pathlib import Path
from app.events import Failed, Note
from app.worker.channel import Channel
channel = Channel(sys.argv[1])
channel.emit(Note("first"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a longer file ends in the middle of the write
try:
    channel.emit(Note("second", {"text": "x" * 2000}))
except OSError as error:
    print(error.errno)
channel.emit(Failed("disk_full", "no space"))
"""


def test_an_event_on_a_full_disk_leaves_no_partial_line(channel: Channel) -> None:
    command = [sys.executable, "-c", FILL, str(channel.directory)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.stdout.split() == [str(errno.ENOSPC)], process.stderr
    assert events_of(channel) == [Note("first"), Failed("disk_full", "no space")]
    numbers = [envelope.seq for _, envelope in read_events(channel.directory)]
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("can't start new thread"), "out_of_memory"),
        (RuntimeError("OpenCV(4.1) error: (-4:Insufficient memory) Failed to allocate 12 bytes"), "out_of_memory"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "out_of_memory"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), "out_of_memory"),
        (RuntimeError("shapes do not match"), "code"),
        (ImportError("cannot import name 'a' from 'app.core.tasks'", name="app.core.tasks"), "program_changed"),
        (ModuleNotFoundError("No module named 'apples'", name="apples"), "code"),
    ],
)
def test_kinds(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def test_sqlite_reports_a_full_disk_in_a_different_way() -> None:
    """A writing index has the disk to itself, and gets no error number."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (?)", (b"0" * 10_000,))
    assert kind_of(caught.value) == "disk_full"


def test_the_reason_of_a_data_error_is_what_it_was_raised_from() -> None:
    """Not the first attempt of ultralytics: on a system that refused semaphores, a run reported a missing cache."""
    refused = PermissionError(errno.EACCES, "Permission denied")
    refused.__context__ = FileNotFoundError(errno.ENOENT, "No such file or directory", "train.cache")
    wrapped = RuntimeError("Dataset error")
    wrapped.__cause__ = refused
    for error in (refused, wrapped):
        with pytest.raises(DataError, match="Permission denied"):
            raise_data_error(error)


def test_all_cores_are_used() -> None:
    environment = dict(item.partition(b"=")[::2] for item in Path("/proc/self/environ").read_bytes().split(b"\0"))
    assert os.environ["OMP_NUM_THREADS"] == (environment.get(b"OMP_NUM_THREADS", b"1")).decode(), "ultralytics sets it"
    assert every_core() == int(environment.get(b"OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


# Figures


def test_figures_of_this_machine() -> None:
    child = subprocess.Popen([sys.executable, "-c", "x = bytearray(80_000_000); input()"], stdin=subprocess.PIPE)
    try:
        gauge = Gauge(os.getpid(), [])
        alone = Gauge(child.pid, [])
        sizes = []
        for _ in range(50):
            sizes.append(alone.read().process_memory)
            if sizes[-1] > 80_000_000:
                break
        figures = gauge.read()
    finally:
        child.kill()
        child.wait()
    assert figures.process_memory > 80_000_000, "with what it started"
    assert figures.gpus == []
    assert 0 < figures.memory_used < figures.memory_total
    assert min(figures.disk_read, figures.disk_write, figures.net_sent, figures.net_received) >= 0


def test_the_gpus_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert (visible("cuda", [1]), visible("cuda", [0, 1]), visible("cpu", [0])) == (["5"], ["2", "5"], [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible("cuda", [0, 1]) == ["0", "1"]
