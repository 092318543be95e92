"""The whole platform in one run, on drawn data: `make demo`.

A server of its own on a free loopback port, with its data below demo-output/: your data and database are not touched.
Uploads the sample dataset by REST, trains YOLOv8n with its progress by Socket.IO, tests an image, saves the weights.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import socketio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.config import ROOT
from scripts.client import ApiError, Client
from scripts.client.yolo_client.answers import Event, TrainingProgress
from scripts.drawing import draw, first_validation_image
from scripts.local_server import Server

OUTPUT = ROOT / "demo-output"
GOOD_ENOUGH = 0.80  # mAP50
TRAINING = {
    "name": "Shapes demo",
    "model_version": "n",
    "epochs": 15,
    "batch_size": 16,
    "img_size": 96,
    "learning_rate": 0.006,
    # Slight augmentation only: 15 epochs are too few to learn from a strong one.
    "params": {
        "optimizer": "AdamW",
        "warmup_epochs": 1.0,
        "mosaic": 0.0,
        "scale": 0.1,
        "hsv_h": 0.0,
        "hsv_s": 0.2,
        "hsv_v": 0.2,
    },
}
CONFIDENCE = 0.4

console = Console(highlight=False)


@dataclass
class Result:
    """The demo's result: metrics of the best weights, seconds by step, files."""

    metrics: Mapping[str, float | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    detections: int = 0
    files: dict[str, Path] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print a step, and record its duration."""
        began = time.monotonic()
        console.print(f"{name} …")
        yield
        self.seconds[name] = time.monotonic() - began


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A running server on this folder; it and all its children are ended in any case."""
    mode = os.environ.get("SOCKETIO_ASYNC_MODE", "eventlet")
    server = Server(folder, mode, HOST="127.0.0.1", MIN_FREE_DISK="200MB", FLASK_DEBUG="False")
    try:
        yield server.start()
    finally:
        try:
            server.end()
        except subprocess.TimeoutExpired:
            if server.process is not None:
                server.process.kill()
            server.end()


class Display:
    """Shows a training's events: a progress bar in a terminal, otherwise a line per epoch."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("starting", total=TRAINING["epochs"])

    def show(self, event: str, data: Event) -> None:
        if event == "training_progress":
            self.progress(data["progress"])
        elif event == "training_update":
            self.epoch(data)

    def progress(self, progress: TrainingProgress) -> None:
        if progress.get("batches"):
            completed = progress["epoch"] - 1 + progress["batch"] / progress["batches"]
            self.bar.update(self.task, completed=completed, description=f"epoch {progress['epoch']}")
        elif progress.get("stage"):
            self.bar.update(self.task, description=progress["stage"])

    def epoch(self, data: Event) -> None:
        metrics = {name: value for name, value in data["metrics"].items() if value is not None}
        line = f"epoch {data['epoch']:>2}: loss {metrics.get('loss', 0):.2f}  mAP50 {metrics.get('map50', 0):.3f}"
        self.bar.update(self.task, completed=data["epoch"], description=line)
        if not console.is_terminal:
            print(line, flush=True)


def follow(client: Client, training_id: int) -> Mapping[str, float | None]:
    """Show the training until it ends; returns its final metrics.

    Raises:
        ApiError: it failed or was cancelled.
    """
    display = Display()
    with display.bar:
        for event, data in client.watch(training_id):
            display.show(event, data)
    if event == "training_completed":
        return data["final_metrics"]
    training = client.training(training_id)  # it failed, or had ended before we joined
    if training["status"] == "completed" and (best := training["best"]):
        return {"map50": best["map50"], "map95": best["map95"]}
    raise ApiError(f"The training is {training['status']}: {training.get('error') or 'see its log'}")


def walk_through(client: Client, sample: Path, result: Result) -> None:
    """A user's steps: upload, train, test, download."""
    with result.step("Uploading and validating the dataset"):
        dataset_id = client.upload(sample, "Shapes")
        dataset = client.wait_until_valid(dataset_id)
    console.print(f"  {dataset['train_images']} + {dataset['val_images']} images of {', '.join(dataset['classes'])}")
    with result.step("Training YOLOv8n"):
        training_id = client.train(dataset_id=dataset_id, **TRAINING)
        result.metrics = follow(client, training_id)
    with result.step("Testing an image"):
        image = OUTPUT / "test-image.jpg"
        with zipfile.ZipFile(sample) as archive:
            image.write_bytes(archive.read(first_validation_image(archive)))
        answer = client.test(training_id, image, CONFIDENCE)
        result.detections = len(answer["detections"])
        result.files["Test image with boxes"] = client.download(answer["image_url"], OUTPUT / "annotated.jpg")
    weights = client.download(f"/api/trainings/{training_id}/download", OUTPUT / "best.pt")
    result.files["Trained weights"] = weights


def summary(result: Result) -> Table:
    table = Table("", "", show_header=False)
    table.add_row("mAP50", f"{result.metrics['map50'] or 0:.3f}")
    table.add_row("mAP50-95", f"{result.metrics.get('map95') or 0:.3f}")
    table.add_row("Objects found in the test image", str(result.detections))
    for name, seconds in result.seconds.items():
        table.add_row(name, f"{seconds:.1f} s")
    for name, path in result.files.items():
        table.add_row(name, os.path.relpath(path))
    return table


def demonstrate(result: Result) -> None:
    """All steps, with a server that runs as long as they do."""
    OUTPUT.mkdir(exist_ok=True)
    folder = OUTPUT / "server"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with result.step("Drawing the sample dataset"):
        sample = draw(folder / "sample")
    with contextlib.ExitStack() as stack:
        with result.step("Starting the server"):
            server = stack.enter_context(running_server(folder))
        console.print(f"  {server.url}")
        walk_through(Client(server.url), sample, result)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped, too
    result = Result()
    try:
        demonstrate(result)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    except (ApiError, OSError, RuntimeError, socketio.exceptions.ConnectionError) as error:
        print(f"The demo failed: {error}\nThe logs are below {OUTPUT / 'server'}.", file=sys.stderr)
        return 1
    console.print(summary(result))
    if not result.files["Trained weights"].stat().st_size or (result.metrics["map50"] or 0) < GOOD_ENOUGH:
        print(f"The demo failed: mAP50 is below {GOOD_ENOUGH:.2f}.", file=sys.stderr)
        return 1
    console.print("Next: `make run` serves the platform with your own data.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
