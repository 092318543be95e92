"""Detection requests against `YOLO(...).predict` in PyTorch on the same image, in alternating runs."""

import argparse
import concurrent.futures
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
import yaml
from PIL import Image

from app import create_app
from app.core.exports import Verification
from scripts.bench.common import Figures, new_folder, offline_environment
from scripts.client.yolo_client.answers import Prediction, Test
from scripts.fitted_model import create_model
from scripts.local_server import Server, settings_for

SIZE, CLIENTS = 640, 16
ROUNDS, REQUESTS, CROWD = 5, 12, 64

# Reads a number of images, and prints the milliseconds of each.
YOLO_PREDICT = """
import json, sys, time
from ultralytics import YOLO
weights, image, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = YOLO(weights)
def milliseconds():
    began = time.perf_counter()
    model.predict(image, imgsz=size, conf=0.5, iou=0.5, verbose=False)
    return 1000 * (time.perf_counter() - began)
milliseconds()
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps([milliseconds() for _ in range(int(line))]), flush=True)
"""


class YoloPredictor:
    """ultralytics with the model loaded, in a process of its own; a context manager."""

    def __init__(self, folder: Path, weights: Path, image: Path) -> None:
        command = [sys.executable, "-c", YOLO_PREDICT, str(weights), str(image), str(SIZE)]
        options: dict[str, Any] = {"env": offline_environment(folder), "text": True, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.line()

    def line(self) -> str:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith(("[", "ready")):
                return line
        raise RuntimeError("plain predict ended")

    def times(self, count: int) -> list[float]:
        """Milliseconds of each of `count` predictions, one after the other."""
        assert self.process.stdin is not None
        print(count, file=self.process.stdin, flush=True)
        return json.loads(self.line())

    def __enter__(self) -> "YoloPredictor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()


def add_trained(server: Server, model: Path) -> int:
    """Insert a completed run with the model and the dataset of `model` into the database of a server."""
    from app.database import writing
    from app.models import Dataset, Training

    app = create_app("cli", settings_for(server.folder, SOCKETIO_ASYNC_MODE="threading"))
    with app.app_context(), writing() as session:
        names = yaml.safe_load((model / "data" / "dataset.yaml").read_text())["names"]
        names = names.values() if isinstance(names, dict) else names
        dataset = Dataset(name="Measured", status="valid", classes=list(names))
        training = Training(name="Fitted", dataset=dataset, model_version="n", status="completed", img_size=SIZE)
        session.add(training)
        session.flush()
        numbers = training.id, dataset.id
    weights = server.folder / "data" / "models" / str(numbers[0]) / "run" / "weights"
    weights.mkdir(parents=True)
    (weights / "best.pt").write_bytes((model / "best.pt").read_bytes())
    data = server.folder / "data" / "datasets" / str(numbers[1])
    data.mkdir(parents=True)
    (data / "dataset.yaml").write_text((model / "data" / "dataset.yaml").read_text())
    return numbers[0]


def export(server: Server, training_id: int) -> Verification:
    """The verified export to OpenVINO.

    Raises:
        RuntimeError: it did not become available.
    """
    created = server.post(f"/api/trainings/{training_id}/exports", json={"format": "openvino"}).json()
    while (exported := server.get(f"/api/exports/{created['export_id']}").json())["status"] in {"pending", "running"}:
        time.sleep(0.2)
    if exported["status"] != "completed":
        raise RuntimeError(f"the export is not offered: {exported['error']}")
    return exported["verification"]


class Client:
    """Requests detections in one image."""

    def __init__(self, url: str, training_id: int, image: Path) -> None:
        self.url, self.training_id, self.image_path = url, training_id, image
        self.image = image.read_bytes()
        self.session = requests.Session()

    def test(self) -> Test:
        """One test, by the specification's endpoint."""
        files, form = {"file": ("image.jpg", self.image)}, {"training_id": self.training_id}
        return self.answer(self.session.post(f"{self.url}/api/tests", files=files, data=form, timeout=120))

    def predict(self) -> Prediction:
        """One image to the predict endpoint."""
        address, kind = f"{self.url}/api/models/{self.training_id}/predict", {"Content-Type": "image/jpeg"}
        return self.answer(self.session.post(address, data=self.image, headers=kind, timeout=120))

    def answer(self, response: requests.Response) -> Any:
        response.raise_for_status()
        return response.json()


def milliseconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def crowd(clients: list[Client], count: int) -> float:
    """Images per second of all clients together."""

    def ask(client: Client) -> None:
        for _ in range(count // len(clients)):
            client.predict()

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(ask, clients))
    return count / (time.perf_counter() - began)


def serving(folder: Path, args: argparse.Namespace) -> Figures:
    """yolov8n at 640 px: one client against plain predict, 16 clients against a loop of it; medians of the rounds."""
    model = args.serving_model or new_folder(folder, "made")
    if not args.serving_model:
        create_model(model, SIZE)
    image = folder / "image.jpg"
    with Image.open(min((model / "data" / "images" / "val").iterdir())) as drawn:
        drawn.convert("RGB").save(image, quality=92)
    server = Server(new_folder(folder, "server"), "eventlet")
    with server, YoloPredictor(folder, model / "best.pt", image) as yolo:
        training_id = add_trained(server, model)
        figures = compared(Client(server.url, training_id, image), yolo)
        figures = {f"PyTorch: {name}": value for name, value in figures.items()}
        verification = export(server, training_id)
        figures["export: latency / that of the .pt"] = (
            verification["latency_ms"]["p50"] / verification["reference"]["latency_ms"]["p50"]
        )
        server.stop()
        server.start()
        figures_of_export = compared(Client(server.url, training_id, image), yolo)
    return figures | {f"OpenVINO: {name}": value for name, value in figures_of_export.items()}


def compared(client: Client, yolo: YoloPredictor) -> Figures:
    """The figures of a freshly started server."""
    first = milliseconds(client.test) / 1000
    client.test()
    clients = [Client(client.url, client.training_id, client.image_path) for _ in range(CLIENTS)]
    tests, alone, rates, loops = [], [], [], []
    for _ in range(ROUNDS):
        alone.append(statistics.median(yolo.times(REQUESTS)))
        tests.append(statistics.median(milliseconds(client.test) for _ in range(REQUESTS)))
        loops.append(1000 / statistics.mean(yolo.times(REQUESTS)))
        rates.append(crowd(clients, CROWD))
    prediction = client.predict()
    print({name: prediction[name] for name in ("engine", "device", "batch", "speed_ms")})
    return {
        "first request after a start, s": first,
        "test p50, ms": statistics.median(tests),
        "plain predict p50, ms": statistics.median(alone),
        "test / plain predict": statistics.median(mine / theirs for mine, theirs in zip(tests, alone, strict=True)),
        "16 clients, images/s": statistics.median(rates),
        "plain loop, images/s": statistics.median(loops),
        "16 clients / plain loop": statistics.median(mine / theirs for mine, theirs in zip(rates, loops, strict=True)),
    }
