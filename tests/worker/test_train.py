"""The training program itself, in a process of its own, on tiny data."""

import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from app.events import (
    Cancelled,
    CheckpointSaved,
    Completed,
    Download,
    Epoch,
    Failed,
    Note,
    Progress,
    Stage,
    Started,
    read_events,
)
from app.jobs.process import child_environment
from tests.worker.child import Run

pytestmark = pytest.mark.training

# Writes files as published by ultralytics, and a malicious one.
WRITE_WEIGHTS = """
import sys, torch
from pathlib import Path
from ultralytics.nn.tasks import DetectionModel
folder = Path(sys.argv[1])
torch.save({"model": DetectionModel("yolov8n.yaml", verbose=False).half(), "train_args": {}}, folder / "good.pt")
class Harmful:
    def __reduce__(self):
        return (open, (str(folder / "harm-done"), "w"))
torch.save({"model": Harmful(), "train_args": {}}, folder / "harmful.pt")
"""

# Runs the search for start weights for several addresses in one process: torch takes seconds to import.
FIND_WEIGHTS = """
import json, sys
from dataclasses import fields
from pathlib import Path
from app.core.train import TrainSpec
from app.worker.channel import open_channel
from app.worker.weights import start_weights
channel = open_channel(sys.argv[1])
starts = {}
for case, (version, address) in channel.spec["cases"].items():
    folder = Path(sys.argv[1]) / case
    values = dict.fromkeys((item.name for item in fields(TrainSpec))) | {"model_version": version, "task": "detect"}
    values |= {"start": {"kind": "auto"}, "weights_dir": str(folder), "weights_url": address}
    kind = start_weights(channel, TrainSpec(**values)).kind
    starts[case] = (kind, sorted(item.name for item in folder.glob("*")))
print(json.dumps(starts))
"""


class Files(BaseHTTPRequestHandler):
    """Serves weights, and all possible faults of them."""

    folder: ClassVar[Path]

    def do_GET(self) -> None:
        case = self.path.split("/")[1]
        if case == "missing":
            self.send_error(404)
            return
        name = "harmful.pt" if case == "harmful" else "good.pt"
        body = bytearray((self.folder / name).read_bytes())
        if case == "corrupt":
            body[len(body) // 2] ^= 0xFF
        if case == "page":
            body = bytearray(b"<html>login</html>")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if case == "truncated" else body)

    def log_message(self, *_: object) -> None:
        pass


def absolute_paths(file: Path) -> list[bytes]:
    """The absolute paths of this machine's folders in a weights file, in any of its pickles."""
    with zipfile.ZipFile(file) as archive:
        pickles = [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]
    return [path for data in pickles for path in re.findall(rb"/(?:root|home|tmp|work|var|usr|opt)/[ -~]*", data)]


def run_python(code: str, folder: Path) -> str:
    """Run code as a child would; returns its standard output."""
    environment = child_environment({"YOLO_CONFIG_DIR": str(folder / "settings")})
    process = subprocess.run(
        [sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local server of weights."""
    folder = tmp_path_factory.mktemp("published")
    run_python(WRITE_WEIGHTS, folder)
    Files.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_two_epochs_from_downloaded_weights(run: Callable[..., Run], address: str) -> None:
    training = run(
        weights_url=f"{address}/good", learning_rate=0.02, params={"optimizer": "SGD", "seed": 7, "mosaic": 0.5}
    )
    end = training.end()
    assert isinstance(end, Completed), end
    envelopes = [envelope for _, envelope in read_events(training.child.directory)]
    assert [envelope.seq for envelope in envelopes] == list(range(1, len(envelopes) + 1))
    kinds = [type(event) for event in training.events()]
    order = [Stage, Download, Note, Started, Progress, Epoch, CheckpointSaved, Completed]
    assert sorted(order, key=kinds.index) == order

    assert training.of(Download)[-1].received == training.of(Download)[-1].total > 1_000_000
    assert [note.code for note in training.of(Note)] == ["weights_downloaded", "optimizer_set"]
    started = training.of(Started)[0]
    assert (started.weights, started.optimizer, started.arguments["lr0"]) == ("official", "SGD", 0.02)
    assert (started.train_images, started.val_images, started.batches) == (8, 2, 2)

    for file in training.child.directory.parents[1].rglob("*.pt"):
        assert absolute_paths(file) == [], file
    epochs = training.of(Epoch)
    assert [event.epoch for event in epochs] == [1, 2]
    for event in epochs:
        assert {"train/box_loss", "train/cls_loss", "train/dfl_loss", "val/box_loss"} <= set(event.parts)
        for measure, prefix in ((event.loss, "train/"), (event.val_loss, "val/")):
            assert measure == pytest.approx(sum(value for key, value in event.parts.items() if key.startswith(prefix)))
    # What follows the last epoch (the check of the model) may take longer than an epoch on a busy machine.
    assert all(0 < event.eta < 600 for event in epochs)
    validations = [event for event in training.of(Stage) if event.name == "validating"]
    assert 0 < validations[-1].eta < 600, "the time left goes on while an epoch is validated"
    assert 0 <= next(event for event in training.of(Stage) if event.name == "saving").eta < 600
    reports = [event for event in training.of(Progress) if event.epoch == 1]
    assert len(reports) == 2, "the first batch of a run and the last of an epoch are always told"
    assert reports[0].loss != reports[1].loss != epochs[0].loss, (
        "each batch's own loss, not the mean of the epoch so far"
    )
    assert (reports[0].loss + reports[1].loss) / 2 == pytest.approx(epochs[0].loss, rel=1e-3)

    folder = training.folder
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["epoch-1.pt", "epoch-2.pt"]
    for path in [*folder.glob("checkpoints/*.pt"), folder / end.model_path]:
        assert zipfile.ZipFile(path).testzip() is None
    assert not list(folder.rglob(".*"))
    best = [event for event in training.of(CheckpointSaved) if event.is_best]
    assert best[-1].epoch == end.best_epoch
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["seed"], config["arguments"]["mosaic"], config["arguments"]["optimizer"]) == (7, 0.5, "SGD")
    assert config["versions"]["ultralytics"]
    assert training.child.exit_code() == 0


def test_stop_within_the_first_epoch(run: Callable[..., Run]) -> None:
    training = run(images=200, batch_size=2, epochs=50, learning_rate=0.001, params={"optimizer": "AdamW"})
    training.wait(lambda run: run.of(Progress))
    training.child.ask_to_stop()
    requested = time.monotonic()
    end = training.end()
    assert time.monotonic() - requested < 60
    assert end == Cancelled(0, "run/weights/best.pt")
    assert zipfile.ZipFile(training.folder / "run" / "weights" / "best.pt").testzip() is None
    assert training.of(Progress)[-1].batch < 100
    assert training.child.exit_code() == 0


def test_data_that_cannot_be_trained_on(run: Callable[..., Run], tmp_path: Path) -> None:
    data = tmp_path / "dataset.yaml"
    data.write_text(f"path: {tmp_path}/nothing\ntrain: images/train\nval: images/val\nnames: [thing]\nnc: 1\n")
    end = run(data=data).end()
    assert isinstance(end, Failed)
    assert end.kind == "data"
    assert "nothing" in end.error
    assert "Traceback" in end.traceback


def test_a_wrong_download_is_never_used(tmp_path: Path, address: str) -> None:
    cases = {
        case: ("n", f"{address}/{case}") for case in ("good", "missing", "truncated", "corrupt", "page", "harmful")
    }
    cases |= {"another": ("s", f"{address}/good"), "none": ("n", ""), "nobody": ("n", "http://127.0.0.1:9")}
    (tmp_path / "spec.json").write_text(json.dumps({"cases": cases}))
    starts = json.loads(run_python(FIND_WEIGHTS, tmp_path).splitlines()[-1])
    assert starts.pop("good") == ["official", ["yolov8n.pt"]]
    assert starts == {case: ["scratch", []] for case in starts}, "nothing is left behind"
    assert not (Files.folder / "harm-done").exists()
    notes = [envelope.event for _, envelope in read_events(tmp_path) if isinstance(envelope.event, Note)]
    assert len(notes) == len(cases)
    assert all(note.data["reason"] for note in notes[1:])
