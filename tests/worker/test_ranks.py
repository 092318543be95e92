"""A training in two processes, as on two GPUs, here on the CPU."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ultralytics.utils.dist import find_free_network_port

from app.core.children import MARK
from app.core.files import atomic_write_text
from app.core.train import TrainSpec
from app.events import CheckpointSaved, Epoch, Paused, Progress, read_events
from app.jobs.process import Child, child_environment
from app.worker.arguments import arguments
from tests.data import write_dataset
from tests.worker.child import specification

pytestmark = pytest.mark.training


def test_one_speaks_for_both_and_a_pause_ends_both(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "dataset", 8, 2)
    spec = specification(tmp_path / "1", data, epochs=50, img_size=64, params={"optimizer": "auto", "plots": False})
    directory = tmp_path / "1" / "attempts" / "1"
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps(spec))
    path = directory / "arguments.json"
    path.write_text(json.dumps(arguments(TrainSpec.of(spec), "yolov8n.yaml")))
    environment = child_environment({"YOLO_CONFIG_DIR": str(tmp_path / "settings"), MARK: str(directory)})
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        str(find_free_network_port()),
    ]
    with open(directory / "worker.log", "wb") as log:
        command = [*launcher, "-m", "tests.worker.cpu_rank", str(path)]
        group = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for_an_epoch(directory, group)
        ranks = psutil.Process(group.pid).children(recursive=True)
        atomic_write_text(directory / "stop", "pause")
        requested = time.monotonic()
        group.wait(60)
        assert time.monotonic() - requested < 30
        assert not [rank for rank in ranks if rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE]
    finally:
        group.kill()
        Child(directory, group.pid, 0.0).sweep()  # torch gives each a session of its own
    envelopes = [envelope for _, envelope in read_events(directory)]
    assert [envelope.seq for envelope in envelopes] == list(range(1, len(envelopes) + 1))
    events = [envelope.event for envelope in envelopes]
    epochs = [event.epoch for event in events if isinstance(event, Epoch)]
    assert epochs == list(range(1, len(epochs) + 1)), "each once"
    assert events[-1] == Paused(epochs[-1], "asked")
    copies = [event.epoch for event in events if isinstance(event, CheckpointSaved) and event.resumable]
    assert copies == epochs
    assert {event.batches for event in events if isinstance(event, Progress)} == {2}


def wait_for_an_epoch(directory: Path, group: subprocess.Popen) -> None:
    until = time.monotonic() + 100
    while not any(isinstance(item.event, CheckpointSaved) for _, item in read_events(directory)):
        assert group.poll() is None, (directory / "worker.log").read_text()[-3000:]
        assert time.monotonic() < until
        time.sleep(0.1)
